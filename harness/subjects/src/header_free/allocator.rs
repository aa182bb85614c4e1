//! The allocator: every kind of block has its books outside of the memory that it hands out, and `free` asks the books
//! alone. Headers are written before raw blocks for those who look for them; nothing here reads one.

use super::deviation::{Deviation, Fallback};
use super::layout::{Windows, windows};
use super::memory::Memory;
use super::table::{Block, Pool, Table};
use super::tiny::Tiny;
use memtwin_models::Unsupported;
use memtwin_models::header_free::{
    Alignment, Balance, HEADER_BYTES, HEADER_MAGIC, Kind, PAGE_BYTES, Route, Setup, Thread,
};

/// Kinds with windows of their own.
const POOLED: [Kind; 4] = [Kind::Mid, Kind::L25, Kind::Mmap, Kind::BigCache];

/// The allocator, with the memory that it works in.
#[derive(Debug)]
pub struct Allocator<D> {
    pub(super) memory: Memory,
    setup: Setup,
    pub(super) tiny: Tiny<D>,
    mid: Table,
    l25: Table,
    raw: Table,
    pools: [Option<Pool>; 6],
    /// Big blocks that were freed and stay with the allocator: the starts of their memory.
    cached: Vec<u64>,
    pub(super) books: [Balance; 6],
    pub(super) mappings: u64,
}

impl<D: Deviation> Allocator<D> {
    pub(super) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Allocator {
            memory: Memory::new(setup)?,
            setup: setup.clone(),
            tiny: Tiny::new(setup),
            mid: Table::new(),
            l25: Table::new(),
            raw: Table::new(),
            pools: Kind::ALL.map(|kind| windows(kind).map(Pool::new)),
            cached: Vec::with_capacity(64),
            books: [Balance::default(); 6],
            mappings: 0,
        })
    }

    pub(super) fn reset(&mut self) {
        self.memory.reset();
        self.tiny.reset();
        for table in [&mut self.mid, &mut self.l25, &mut self.raw] {
            table.clear();
        }
        self.pools.iter_mut().flatten().for_each(Pool::clear);
        self.cached.clear();
        self.books = [Balance::default(); 6];
        self.mappings = 0;
    }

    fn table(&mut self, kind: Kind) -> &mut Table {
        match kind {
            Kind::Mid => &mut self.mid,
            Kind::L25 => &mut self.l25,
            Kind::Tiny | Kind::Mmap | Kind::BigCache | Kind::Malloc => &mut self.raw,
        }
    }

    /// A block of a kind; null as `None`.
    pub(super) fn alloc(&mut self, kind: Kind, size: u64, align: Alignment, thread: Thread) -> Option<u64> {
        if !self.setup.serves(kind, size, align) {
            return None;
        }
        let user = match kind {
            Kind::Tiny => {
                let class = self.setup.tiny_class(size, align)?;
                self.tiny.alloc(&mut self.memory, class, thread)?
            }
            Kind::Mid | Kind::L25 => {
                let memory = self.pools[kind as usize].as_mut()?.take()?;
                self.enter(kind, memory, window_end(kind, memory)?, size, align)
            }
            Kind::Mmap => {
                let memory = self.pools[kind as usize].as_mut()?.take()?;
                let end = (user_address(memory, align) + size).next_multiple_of(PAGE_BYTES);
                self.memory.map(memory, end);
                self.mappings += 1;
                self.enter(kind, memory, end, size, align)
            }
            Kind::BigCache => match self.cached.pop() {
                Some(memory) => {
                    let block = self.headed(kind, memory, window_end(kind, memory)?, size, align);
                    D::note_cached(&mut self.raw, block);
                    block.user
                }
                None => {
                    let memory = self.pools[kind as usize].as_mut()?.take()?;
                    self.enter(kind, memory, window_end(kind, memory)?, size, align)
                }
            },
            Kind::Malloc => {
                // Room for the header, and for the alignment where it is more than libc's own.
                let room = HEADER_BYTES + if align.bytes() <= 16 { 0 } else { align.bytes() };
                let bytes = size.checked_add(room)?;
                let memory = self.memory.libc.alloc(bytes, 16)?;
                self.enter(kind, memory, memory + bytes, size, align)
            }
        };
        self.books[kind as usize].allocated += 1;
        Some(user)
    }

    /// Enters a block into its table; what the program gets.
    fn enter(&mut self, kind: Kind, low: u64, high: u64, size: u64, align: Alignment) -> u64 {
        let block = self.headed(kind, low, high, size, align);
        self.table(kind).push(block);
        block.user
    }

    /// A block in this memory, with its header written.
    fn headed(&mut self, kind: Kind, low: u64, high: u64, size: u64, align: Alignment) -> Block {
        let user = user_address(low, align);
        let mut header = [0; 32];
        header[..4].copy_from_slice(&HEADER_MAGIC.to_le_bytes());
        header[4..8].copy_from_slice(&(kind as u32).to_le_bytes());
        header[8..16].copy_from_slice(&size.to_le_bytes());
        header[16..24].copy_from_slice(&low.to_le_bytes());
        self.memory.store(user - HEADER_BYTES, &header);
        Block { user, low, high, size, kind }
    }

    /// The table and the position of the block that begins at exactly this address.
    fn headed_block(&self, pointer: u64) -> Option<(&Table, usize)> {
        let mut tables = [&self.mid, &self.l25, &self.raw].into_iter();
        tables.find_map(|table| table.position(pointer).map(|position| (table, position)))
    }

    /// `free`.
    pub(super) fn free(&mut self, pointer: u64, thread: Thread) -> Route {
        if pointer == 0 {
            return Route::Nothing;
        }
        D::look_first(&mut self.memory, pointer);
        if let Some(index) = self.tiny.find(pointer) {
            if !self.tiny.free(index, pointer, thread) {
                return Route::Refused;
            }
            self.books[Kind::Tiny as usize].freed += 1;
            return Route::Owner(Kind::Tiny);
        }
        for kind in [Kind::Mid, Kind::L25] {
            if let Some(position) = self.table(kind).position(pointer) {
                return self.release(kind, position);
            }
        }
        if let Some(position) = self.raw.position(pointer) {
            let block = self.raw.get(position);
            if D::takes_for_own(&mut self.memory, self.setup.mode, &block) {
                return self.release(block.kind, position);
            }
            return self.fall_back(pointer);
        }
        if let Some(kind) = D::look_at_unknown(&mut self.memory, pointer) {
            self.books[kind as usize].freed += 1;
            return Route::Owner(kind);
        }
        if self.is_ours(pointer) { Route::Refused } else { self.fall_back(pointer) }
    }

    /// Whether an address lies where only this allocator has blocks, free ones included.
    fn is_ours(&self, pointer: u64) -> bool {
        let contains = |windows: &Windows| windows.contains(pointer);
        POOLED.iter().filter_map(|kind| windows(*kind)).any(contains) || self.raw.covers(pointer)
    }

    fn fall_back(&mut self, pointer: u64) -> Route {
        match D::fallback(self.setup.mode) {
            Fallback::Libc if self.memory.libc.free(pointer) => Route::Libc,
            Fallback::Libc => Route::LibcRefused,
            Fallback::Refuse => Route::Refused,
            Fallback::Ignore => Route::Fallback,
        }
    }

    /// Takes a block with a header back.
    fn release(&mut self, kind: Kind, position: usize) -> Route {
        let block = self.table(kind).get(position);
        // For those who look for headers: there is none any more.
        self.memory.store(block.user - HEADER_BYTES, &[0; 4]);
        match kind {
            Kind::Tiny => {}
            Kind::Mid | Kind::L25 => {
                if let Some(pool) = &mut self.pools[kind as usize] {
                    pool.give(block.low);
                }
            }
            Kind::Mmap => {
                self.memory.unmap(block.low, block.high);
                self.mappings = self.mappings.wrapping_sub(1);
                if let Some(pool) = &mut self.pools[kind as usize] {
                    pool.give(block.low);
                }
            }
            Kind::BigCache => self.cached.push(block.low),
            Kind::Malloc => {
                self.memory.libc.free(block.low);
            }
        }
        D::forget(self.table(kind), position);
        self.books[kind as usize].freed += 1;
        Route::Owner(kind)
    }

    /// What the program may use of the block that begins at `pointer`, in bytes; `None` if none does.
    pub(super) fn usable_bytes(&self, pointer: u64) -> Option<u64> {
        match self.tiny.find(pointer) {
            Some(index) => self.tiny.usable_bytes(index, pointer),
            None => self.headed_block(pointer).map(|(table, position)| {
                let block = table.get(position);
                block.high - block.user
            }),
        }
    }

    /// `realloc`; null as `None`, and then the old block stays.
    pub(super) fn realloc(&mut self, pointer: u64, size: u64, align: Alignment, thread: Thread) -> Option<u64> {
        let usable = self.usable_bytes(pointer)?;
        let headed = self.headed_block(pointer).map(|(table, position)| (table.get(position), position));
        let (kind, old_size) = headed.map_or((Kind::Tiny, usable), |(block, _)| (block.kind, block.size));
        let new_kind = self.setup.kind_after_realloc(kind, size, align)?;
        if new_kind == kind && size <= usable {
            match headed {
                Some((_, position)) => {
                    self.table(kind).set_size(position, size);
                    return Some(pointer);
                }
                // A smaller class is worth a move, which keeps SuperSlabs of one class.
                None if self.setup.tiny_class(usable, align) == self.setup.tiny_class(size, align) => {
                    return Some(pointer);
                }
                None => {}
            }
        }
        let user = self.alloc(new_kind, size, align, thread)?;
        self.memory.copy(pointer, user, old_size.min(size));
        self.free(pointer, thread);
        Some(user)
    }
}

/// Where a window's memory ends.
fn window_end(kind: Kind, memory: u64) -> Option<u64> {
    windows(kind).map(|windows| memory + windows.bytes)
}

/// The first aligned address that leaves room for a header.
const fn user_address(memory: u64, align: Alignment) -> u64 {
    (memory + HEADER_BYTES).next_multiple_of(if align.bytes() < 16 { 16 } else { align.bytes() })
}
