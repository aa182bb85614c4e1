//! libc's heap: blocks with a ledger of the live ones, in simulated memory or in the process's own heap. Does not free
//! what the ledger does not know: the real one would end the process.

use super::layout::LIBC;
use memtwin_models::header_free::{CELLS, Kind, Libc, PAGE_BYTES};
use std::ptr::NonNull;

/// The chunk header before a block. Aligned blocks begin a page, with theirs elsewhere.
const CHUNK_BYTES: u64 = 16;
/// What libc keeps behind a block, in bytes: nobody writes there.
const BEHIND_BYTES: u64 = 16;
/// The largest block, in bytes.
const LIMIT_BYTES: u64 = Kind::Malloc.limit_bytes();

#[derive(Debug)]
struct Block {
    start: u64,
    bytes: usize,
    /// Where the bytes lie, if that is in the process's own heap.
    real: Option<NonNull<u8>>,
}

/// The heap.
#[derive(Debug)]
pub(super) struct LibcHeap {
    kind: Libc,
    cells: [Option<Block>; CELLS as usize],
    live: u64,
}

impl LibcHeap {
    pub(super) fn new(kind: Libc) -> Self {
        LibcHeap { kind, cells: [const { None }; CELLS as usize], live: 0 }
    }

    pub(super) fn reset(&mut self) {
        if self.live != 0 {
            self.cells.iter_mut().filter_map(Option::take).for_each(|block| release(&block));
        }
        self.live = 0;
    }

    /// The blocks that it holds.
    pub(super) const fn live(&self) -> u64 {
        self.live
    }

    /// `aligned_alloc`; null as `None`.
    pub(super) fn alloc(&mut self, bytes: u64, align: u64) -> Option<u64> {
        let index = self.cells.iter().position(Option::is_none)?;
        let memory = LIBC.memory(u32::try_from(index).ok()?);
        let start = if CHUNK_BYTES < align { memory } else { memory + CHUNK_BYTES };
        if memory + LIBC.bytes - BEHIND_BYTES - start < bytes {
            return None;
        }
        let bytes = usize::try_from(bytes).ok()?;
        let real = self.real(bytes)?;
        self.cells[index] = Some(Block { start, bytes, real });
        self.live += 1;
        Some(start)
    }

    /// New memory of the process's own heap, where that is asked for; null as `None`.
    #[allow(clippy::option_option)] // no memory, and no need of any
    fn real(&self, bytes: usize) -> Option<Option<NonNull<u8>>> {
        match self.kind {
            Libc::Ledger => Some(None),
            // SAFETY: any count and size are fine for calloc.
            Libc::Real => NonNull::new(unsafe { libc::calloc(1, bytes.max(1)) }.cast::<u8>()).map(Some),
        }
    }

    /// The live block that begins at exactly this address: its bytes.
    pub(super) fn usable_bytes(&self, pointer: u64) -> Option<u64> {
        let cell = LIBC.contains(pointer).then(|| LIBC.index_of(pointer))?;
        let block = self.cells[cell as usize].as_ref().filter(|block| block.start == pointer)?;
        Some(block.bytes as u64)
    }

    /// `realloc` of a live block, which every size that is served leaves where it is; whether it did.
    pub(super) fn resize(&mut self, pointer: u64, bytes: u64) -> bool {
        let Some(old_bytes) = self.usable_bytes(pointer).filter(|_| bytes <= LIMIT_BYTES) else { return false };
        #[allow(clippy::cast_possible_truncation)] // at most the limit
        let (kept, bytes) = (old_bytes.min(bytes) as usize, bytes as usize);
        let Some(real) = self.real(bytes) else { return false };
        let Some(block) = &mut self.cells[LIBC.index_of(pointer) as usize] else { return false };
        let old = Block { start: pointer, bytes: std::mem::replace(&mut block.bytes, bytes), real: block.real };
        block.real = real;
        if let (Some(from), Some(to)) = (old.real, real) {
            // SAFETY: both blocks have as many bytes, and are different ones.
            unsafe { to.copy_from_nonoverlapping(from, kept) };
            release(&old);
        }
        true
    }

    /// What libc keeps before and behind the live block that begins here, as two ranges. Nothing where blocks are in
    /// the process's own heap, which keeps what it keeps.
    pub(super) fn beside(&self, pointer: u64) -> [std::ops::Range<u64>; 2] {
        let Some(bytes) = self.usable_bytes(pointer).filter(|_| self.kind == Libc::Ledger) else { return [0..0, 0..0] };
        let end = pointer + bytes;
        let before = if pointer.is_multiple_of(PAGE_BYTES) { pointer } else { pointer - CHUNK_BYTES };
        [before..pointer, end..end + BEHIND_BYTES]
    }

    /// Where the live blocks begin.
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> {
        self.cells.iter().flatten().map(|block| block.start)
    }

    /// `free`: whether the ledger knew the block.
    pub(super) fn free(&mut self, pointer: u64) -> bool {
        if !LIBC.contains(pointer) {
            return false;
        }
        let cell = &mut self.cells[LIBC.index_of(pointer) as usize];
        let Some(block) = cell.take_if(|block| block.start == pointer) else { return false };
        release(&block);
        self.live -= 1;
        true
    }

    /// The block in the process's own heap that has all of this range.
    fn real_block(&self, address: u64, length: usize) -> Option<(NonNull<u8>, usize)> {
        if self.kind == Libc::Ledger || !LIBC.contains(address) {
            return None;
        }
        let block = self.cells[LIBC.index_of(address) as usize].as_ref()?;
        let offset = usize::try_from(address.checked_sub(block.start)?).ok()?;
        let fits = offset.checked_add(length).is_some_and(|end| end <= block.bytes);
        if fits { Some((block.real?, offset)) } else { None }
    }

    /// The bytes of a live block in the process's own heap.
    pub(super) fn real_bytes(&self, address: u64, length: usize) -> Option<&[u8]> {
        let (block, offset) = self.real_block(address, length)?;
        // SAFETY: the range lies within the block.
        let start = unsafe { block.add(offset) };
        // SAFETY: the block is live as long as this heap is borrowed, and calloc initialised it.
        Some(unsafe { NonNull::slice_from_raw_parts(start, length).as_ref() })
    }

    /// The bytes of a live block in the process's own heap.
    pub(super) fn real_bytes_mut(&mut self, address: u64, length: usize) -> Option<&mut [u8]> {
        let (block, offset) = self.real_block(address, length)?;
        // SAFETY: the range lies within the block.
        let start = unsafe { block.add(offset) };
        // SAFETY: as above, and this heap is borrowed mutably.
        Some(unsafe { NonNull::slice_from_raw_parts(start, length).as_mut() })
    }
}

fn release(block: &Block) {
    if let Some(real) = block.real {
        // SAFETY: the pointer came from calloc, and the block is gone from the ledger.
        unsafe { libc::free(real.as_ptr().cast()) };
    }
}

impl Drop for LibcHeap {
    fn drop(&mut self) {
        self.reset();
    }
}

// SAFETY: the pointers to the process's heap are owned, and reached through borrows of this heap only.
unsafe impl Send for LibcHeap {}
