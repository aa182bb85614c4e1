//! The allocator: every kind of block has its books outside of the memory that it hands out, and `free` asks the books
//! alone. Headers are written before raw blocks for those who look for them; nothing here reads one.

use super::boot::Boot;
use super::deviation::{Deviation, Entry, Fallback};
use super::layout::{BOOT, MMAP, Windows, in_arenas, in_first_arena, windows};
use super::memory::Memory;
use super::table::{Block, Pool, Table};
use super::tiny::Tiny;
use memtwin_models::Unsupported;
use memtwin_models::header_free::{
    Alignment, Balance, HEADER_BYTES, HEADER_MAGIC, Kind, PAGE_BYTES, Route, Setup, Thread,
};

/// Kinds with windows of their own.
const POOLED: [Kind; 4] = [Kind::Mid, Kind::L25, Kind::Mmap, Kind::BigCache];

/// What a reallocation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resized {
    /// A block at this address.
    Block(u64),
    /// No memory: the old block stays.
    Null,
    /// The pointer is nobody's, or not to be asked about here.
    Refused,
}

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
    /// Mappings that the kernel did not take back.
    kept: Vec<(u64, u64)>,
    boot: Boot,
    pub(super) books: [Balance; 6],
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
            kept: Vec::with_capacity(64),
            boot: Boot::default(),
            books: [Balance::default(); 6],
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
        self.kept.clear();
        self.boot.reset();
        self.books = [Balance::default(); 6];
    }

    /// The mappings that the kernel holds for mmap blocks.
    pub(super) fn mappings(&self) -> u64 {
        let is_mapped = |index: u32| {
            let (place, further) = in_arenas(&self.setup, index);
            self.memory.map.get(MMAP.memory(place) + further).is_some()
        };
        (0..MMAP.count).filter(|index| is_mapped(*index)).count() as u64
    }

    /// A block from before the allocator is up; null as `None`.
    pub(super) fn boot_alloc(&mut self, size: u64) -> Option<u64> {
        self.boot.alloc(size)
    }

    /// A thread ends.
    pub(super) fn thread_exit(&mut self, thread: Thread) {
        self.tiny.leave(thread);
    }

    /// The start of a free window's memory of a kind.
    fn window(&mut self, kind: Kind) -> Option<u64> {
        let pool = self.pools[kind as usize].as_mut()?;
        let free = pool.free();
        (free != 0).then(|| pool.take(&self.setup, D::window(free)))
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
                let class = D::tiny_class(&self.setup, size, align)?;
                self.tiny.alloc(&mut self.memory, class, thread)?
            }
            Kind::Mid | Kind::L25 => {
                let memory = self.window(kind)?;
                self.enter(kind, memory, window_end(kind, memory)?, size, align)
            }
            Kind::Mmap => {
                let kept = if D::reuses_kept() { self.kept.pop() } else { None };
                let (memory, mapped_end) = match kept {
                    Some(kept) => kept,
                    None => self.window(kind).map(|memory| (memory, memory))?,
                };
                let end = (user_address(memory, align) + size).next_multiple_of(PAGE_BYTES).max(mapped_end);
                if mapped_end < end {
                    self.memory.map(mapped_end, end);
                }
                self.enter(kind, memory, end, size, align)
            }
            Kind::BigCache => match D::next_cached(&mut self.cached) {
                Some(memory) => {
                    let block = self.headed(kind, memory, window_end(kind, memory)?, size, align);
                    D::note_cached(&mut self.raw, block);
                    block.user
                }
                None => {
                    let memory = self.window(kind)?;
                    self.enter(kind, memory, window_end(kind, memory)?, size, align)
                }
            },
            Kind::Malloc => {
                let bytes = size.checked_add(D::malloc_room(align))?;
                let memory = self.memory.libc_alloc(bytes, 16)?;
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
        self.take_back(pointer, thread, Entry::Free)
    }

    /// A free, and the end of a reallocation.
    fn take_back(&mut self, pointer: u64, thread: Thread, entry: Entry) -> Route {
        if pointer == 0 {
            return Route::Nothing;
        }
        D::look_first(&mut self.memory, pointer);
        if self.boot_bytes(entry, pointer).is_some() {
            self.boot.forget(pointer);
            return Route::Boot;
        }
        if let Some(index) = self.tiny.find(pointer) {
            if !self.tiny.free(index, pointer, thread) {
                return Route::Refused;
            }
            self.books[Kind::Tiny as usize].freed += 1;
            return Route::Owner(Kind::Tiny);
        }
        for kind in [Kind::Mid, Kind::L25] {
            if let Some(position) = self.table(kind).position(pointer) {
                return self.release(kind, position, entry);
            }
        }
        if let Some(position) = self.raw.position(pointer) {
            let block = self.raw.get(position);
            if D::takes_for_own(&mut self.memory, self.setup.mode, &block) {
                return self.release(block.kind, position, entry);
            }
            return self.fall_back(pointer);
        }
        if let Some(kind) = D::look_at_unknown(&mut self.memory, pointer) {
            self.books[kind as usize].freed += 1;
            return Route::Owner(kind);
        }
        if self.is_ours(entry, pointer) { Route::Refused } else { self.fall_back(pointer) }
    }

    /// The bytes of a block of the pool from before, as far as this entry point knows of it.
    fn boot_bytes(&self, entry: Entry, pointer: u64) -> Option<u64> {
        self.boot.usable_bytes(pointer).filter(|_| D::knows_boot(entry))
    }

    /// Whether an address lies where only this allocator has blocks, free ones included.
    fn is_ours(&self, entry: Entry, pointer: u64) -> bool {
        let contains = |windows: &Windows| windows.contains(in_first_arena(&self.setup, pointer));
        POOLED.iter().filter_map(|kind| windows(*kind)).any(contains)
            || BOOT.contains(pointer) && D::knows_boot(entry)
            || self.raw.covers(pointer)
    }

    fn fall_back(&mut self, pointer: u64) -> Route {
        match D::fallback(self.setup.mode) {
            Fallback::Libc if self.memory.libc_free(pointer) => Route::Libc,
            Fallback::Libc => Route::LibcRefused,
            Fallback::Refuse => Route::Refused,
            Fallback::Ignore => Route::Fallback,
        }
    }

    /// Takes a block with a header back.
    fn release(&mut self, kind: Kind, position: usize, entry: Entry) -> Route {
        let block = self.table(kind).get(position);
        // For those who look for headers: there is none any more.
        self.memory.store(block.user - HEADER_BYTES, &[0; 4]);
        let errno = self.memory.errno;
        let mut is_given = true;
        match kind {
            Kind::Tiny | Kind::Mid | Kind::L25 => {}
            Kind::Mmap => {
                is_given = self.memory.munmap(block.low, block.high);
                if !is_given {
                    self.kept.push((block.low, block.high));
                }
            }
            Kind::BigCache => {
                is_given = false;
                self.cached.push(block.low);
                self.memory.advise(block.low.next_multiple_of(PAGE_BYTES), block.high);
            }
            Kind::Malloc => is_given = self.memory.libc_free(block.low),
        }
        if let Some(pool) = self.pools[kind as usize].as_mut().filter(|_| is_given) {
            pool.give(&self.setup, block.low);
        }
        if D::keeps_errno(entry) {
            self.memory.errno = errno;
        }
        D::forget(self.table(kind), position);
        self.books[kind as usize].freed += 1;
        Route::Owner(kind)
    }

    /// `malloc_usable_size`: what the program may use of the block that begins at `pointer`, in bytes; `None` as a
    /// refusal.
    pub(super) fn usable_size(&mut self, pointer: u64) -> Option<u64> {
        D::look_when_asked(&mut self.memory, Entry::UsableSize, pointer);
        let boot = self.boot_bytes(Entry::UsableSize, pointer);
        boot.or_else(|| self.usable_bytes(pointer, Entry::UsableSize))
            .or_else(|| self.memory.libc_usable_bytes(pointer).filter(|_| self.is_for_libc(Entry::UsableSize, pointer)))
    }

    /// Whether libc answers for a pointer that is no block of the allocator's.
    fn is_for_libc(&self, entry: Entry, pointer: u64) -> bool {
        D::fallback_when_asked(entry, self.setup.mode) == Fallback::Libc
            && !self.is_ours(entry, pointer)
            && self.tiny.find(pointer).is_none()
    }

    /// What the program may use of the allocator's block that begins at `pointer`, in bytes; `None` if none does.
    fn usable_bytes(&self, pointer: u64, entry: Entry) -> Option<u64> {
        match self.tiny.find(pointer) {
            Some(index) => self.tiny.usable_bytes(index, pointer, entry),
            None => self.headed_block(pointer).map(|(table, position)| D::usable_bytes(&table.get(position))),
        }
    }

    /// `realloc`.
    pub(super) fn realloc(&mut self, pointer: u64, size: u64, align: Alignment, thread: Thread) -> Resized {
        D::look_when_asked(&mut self.memory, Entry::Realloc, pointer);
        if let Some(usable) = self.boot_bytes(Entry::Realloc, pointer) {
            let Some(user) = self.alloc_after_realloc(Kind::Tiny, size, align, thread) else { return Resized::Null };
            self.memory.copy(pointer, user, usable.min(size));
            self.boot.forget(pointer);
            return Resized::Block(user);
        }
        let Some(usable) = self.usable_bytes(pointer, Entry::Realloc) else {
            let is_libcs =
                self.memory.libc_usable_bytes(pointer).is_some() && self.is_for_libc(Entry::Realloc, pointer);
            return match is_libcs {
                false => Resized::Refused,
                true if self.memory.libc_resize(pointer, size) => Resized::Block(pointer),
                true => Resized::Null,
            };
        };
        let headed = self.headed_block(pointer).map(|(table, position)| (table.get(position), position));
        let (kind, old_size) = headed.map_or((Kind::Tiny, usable), |(block, _)| (block.kind, block.size));
        if self.setup.serves(kind, size, align) && size <= usable && D::stays(size, usable) {
            match headed {
                Some((_, position)) => {
                    self.table(kind).set_size(position, size);
                    return Resized::Block(pointer);
                }
                // A smaller class is worth a move, which keeps SuperSlabs of one class.
                None if self.setup.tiny_class(usable, align) == self.setup.tiny_class(size, align) => {
                    return Resized::Block(pointer);
                }
                None => {}
            }
        }
        let Some(user) = self.alloc_after_realloc(kind, size, align, thread) else { return Resized::Null };
        self.memory.copy(pointer, user, D::kept_bytes(old_size, usable).min(size));
        self.take_back(pointer, thread, Entry::Realloc);
        Resized::Block(user)
    }

    /// A block of the kind that a reallocation ends in.
    fn alloc_after_realloc(&mut self, kind: Kind, size: u64, align: Alignment, thread: Thread) -> Option<u64> {
        let kind = self.setup.kind_after_realloc(kind, size, align)?;
        self.alloc(kind, size, align, thread)
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
