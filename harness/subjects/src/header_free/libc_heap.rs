//! libc's heap: blocks with a ledger of the live ones, in simulated memory or in the process's own heap. Does not free
//! what the ledger does not know: the real one would end the process.

use super::layout::LIBC;
use memtwin_models::header_free::{CELLS, Libc};
use std::ptr::NonNull;

/// The chunk header before a block. Aligned blocks begin a page, with theirs elsewhere.
const CHUNK_BYTES: u64 = 16;

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
        if memory + LIBC.bytes - start < bytes {
            return None;
        }
        let bytes = usize::try_from(bytes).ok()?;
        let real = match self.kind {
            Libc::Ledger => None,
            // SAFETY: any count and size are fine for calloc.
            Libc::Real => Some(NonNull::new(unsafe { libc::calloc(1, bytes.max(1)) }.cast::<u8>())?),
        };
        self.cells[index] = Some(Block { start, bytes, real });
        self.live += 1;
        Some(start)
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
