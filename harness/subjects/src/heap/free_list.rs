//! A small free-list heap over regions: first fit in the order of addresses, neighbours coalesce when they are freed.
//! Its nodes lie in free memory, and nothing lies in front of blocks. It is not made for threads.

use super::deviation::Deviation;
use memtwin_heap::RawHeap;
use memtwin_models::Health;
use memtwin_models::heap::HeapContract;
use std::alloc::Layout;
use std::marker::PhantomData;
use std::ptr::{self, null_mut};

/// Addresses and sizes are multiples of this, so that a node fits wherever memory is free, in bytes.
pub(super) const GRAIN_BYTES: usize = size_of::<Node>();

/// Free memory: where it is, it says how much, and where the next is.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Node {
    bytes: usize,
    next: *mut Node,
}

/// The heap with a deviation.
#[derive(Debug)]
pub struct FreeList<D: Deviation> {
    /// Free memory in the order of addresses.
    first: *mut Node,
    /// The end of the first region, and the end of what of it is free or a block.
    end: usize,
    used_end: usize,
    live: u64,
    deviation: PhantomData<D>,
}

/// The bytes that a block of so many bytes takes.
fn rounded(size: usize) -> usize {
    size.next_multiple_of(GRAIN_BYTES)
}

impl<D: Deviation> RawHeap for FreeList<D> {
    const NAME: &'static str = D::NAME;
    const HEALTH: Health = D::HEALTH;
    const CONTRACT: HeapContract = D::CONTRACT;

    unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        let mut heap = FreeList { first: null_mut(), end: 0, used_end: 0, live: 0, deviation: PhantomData };
        // SAFETY: the caller gives the memory away.
        unsafe { heap.add_region(start, bytes) };
        heap.end = start as usize + bytes;
        // A region may end before the first address that a node can have.
        heap.used_end = (heap.end & !(GRAIN_BYTES - 1)).max((start as usize).next_multiple_of(GRAIN_BYTES));
        heap
    }

    fn alloc(&mut self, layout: Layout) -> *mut u8 {
        if (isize::MAX as usize) - GRAIN_BYTES < layout.size() {
            return null_mut();
        }
        let block = self.take(rounded(layout.size()), D::alignment(layout).max(GRAIN_BYTES));
        self.live += u64::from(!block.is_null());
        block
    }

    unsafe fn dealloc(&mut self, block: *mut u8, layout: Layout) {
        self.live -= 1;
        // SAFETY: the caller gives the block back, which took so many bytes.
        unsafe { self.give(block, rounded(layout.size())) };
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller says that such a layout exists.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the caller's promises are those of this function.
        unsafe { self.relayout(block, layout, new, false) }
    }

    unsafe fn relayout(&mut self, block: *mut u8, old: Layout, new: Layout, zeroed: bool) -> *mut u8 {
        let stays = (block as usize).is_multiple_of(new.align()) && self.resize_in_place(block, old, new);
        let moved = if stays { block } else { self.alloc(new) };
        if moved.is_null() {
            D::refused(self, block, old);
            return moved;
        }
        if !stays {
            // SAFETY: both blocks have the bytes that a right deviation copies, and a new block overlaps no live one.
            unsafe { ptr::copy_nonoverlapping(block, moved, D::copied_bytes(old.size(), new.size())) };
            // SAFETY: the caller says that the block is live with this layout.
            unsafe { self.dealloc(block, old) };
        }
        if zeroed && old.size() < new.size() {
            let from = D::zeroed_from(old.size(), rounded(old.size())).min(new.size());
            // SAFETY: within the block's new size.
            unsafe { ptr::write_bytes(moved.wrapping_add(from), 0, new.size() - from) };
        }
        moved
    }

    unsafe fn extend(&mut self, bytes: usize) {
        self.end += bytes;
        D::extend(self, bytes);
    }

    unsafe fn add_region(&mut self, start: *mut u8, bytes: usize) {
        let front = start.align_offset(GRAIN_BYTES);
        let usable = bytes.saturating_sub(front) & !(GRAIN_BYTES - 1);
        if usable != 0 {
            // SAFETY: the caller gives the memory away; the part lies within.
            unsafe { self.give(start.wrapping_add(front), usable) };
        }
    }

    fn live_blocks(&self) -> Option<u64> {
        Some(self.live)
    }
}

impl<D: Deviation> FreeList<D> {
    /// What the first region has had added to it becomes free memory, as far as it holds nodes.
    pub(super) fn take_in_extension(&mut self) {
        let end = self.end & !(GRAIN_BYTES - 1);
        let bytes = end.saturating_sub(self.used_end);
        if bytes != 0 {
            let start = self.used_end as *mut u8;
            self.used_end = end;
            // SAFETY: the bytes behind the region were given to the heap.
            unsafe { self.give(start, bytes) };
        }
    }

    /// The end of the first region before so many bytes were added to it.
    pub(super) fn end_before(&self, bytes: usize) -> *mut u8 {
        (self.end - bytes) as *mut u8
    }

    /// Where the pointer to the first node at or behind an address is kept.
    fn link_before(&mut self, address: usize) -> *mut *mut Node {
        let mut link: *mut *mut Node = &raw mut self.first;
        loop {
            // SAFETY: a link is the heap's field or a field of a node, which is memory of the heap's.
            let node = unsafe { *link };
            if node.is_null() || address <= node as usize {
                return link;
            }
            // SAFETY: a node that is not null is free memory of the heap's.
            link = unsafe { &raw mut (*node).next };
        }
    }

    /// Memory of so many bytes, aligned so, from the first node that has it.
    fn take(&mut self, bytes: usize, align: usize) -> *mut u8 {
        let mut link: *mut *mut Node = &raw mut self.first;
        loop {
            // SAFETY: as in `link_before`.
            let node = unsafe { *link };
            if node.is_null() {
                return null_mut();
            }
            // SAFETY: a node that is not null is free memory of the heap's.
            let Node { bytes: free, next } = unsafe { ptr::read(node) };
            let start = node as usize;
            let block = start.checked_next_multiple_of(align);
            let end = block.and_then(|block| block.checked_add(bytes));
            if let (Some(block), Some(end)) = (block, end)
                && end <= start + free
            {
                let behind = D::split(start + free - end);
                let mut rest = next;
                if behind != 0 {
                    rest = end as *mut Node;
                    // SAFETY: the end of the node is free, and large enough for a node.
                    unsafe { ptr::write(rest, Node { bytes: behind, next }) };
                }
                if block == start {
                    // SAFETY: as above.
                    unsafe { *link = rest };
                } else {
                    // SAFETY: the node keeps its beginning.
                    unsafe { ptr::write(node, Node { bytes: block - start, next: rest }) };
                }
                return block as *mut u8;
            }
            // SAFETY: as above.
            link = unsafe { &raw mut (*node).next };
        }
    }

    /// Memory becomes free, and one with free neighbours.
    ///
    /// # Safety
    /// It is the heap's, aligned, large enough for a node, and used by nobody.
    pub(super) unsafe fn give(&mut self, start: *mut u8, bytes: usize) {
        let link = self.link_before(start as usize);
        // SAFETY: as in `link_before`.
        let next = unsafe { *link };
        let node = start.cast::<Node>();
        // SAFETY: the caller gives the memory.
        unsafe { ptr::write(node, Node { bytes, next }) };
        // SAFETY: as in `link_before`.
        unsafe { *link = node };
        // SAFETY: the node was just written.
        unsafe { Self::join_next(node) };
        if !ptr::eq(link, &raw const self.first) {
            // The link is the field `next` of the node before.
            let before = link.cast::<u8>().wrapping_sub(std::mem::offset_of!(Node, next)).cast::<Node>();
            // SAFETY: a node of the list.
            unsafe { Self::join_next(before) };
        }
    }

    /// The node takes the next one in, if nothing lies between.
    ///
    /// # Safety
    /// It is a node of the list.
    unsafe fn join_next(node: *mut Node) {
        // SAFETY: the caller says so.
        let Node { bytes, next } = unsafe { ptr::read(node) };
        if next.is_null() || !D::adjoins(node as usize + bytes, next as usize) {
            return;
        }
        // SAFETY: the next node is one of the list.
        let Node { bytes: more, next: after } = unsafe { ptr::read(next) };
        let bytes = next as usize + more - node as usize;
        // SAFETY: as above.
        unsafe { ptr::write(node, Node { bytes, next: after }) };
    }

    /// Changes a block's size where it is, if there is room.
    fn resize_in_place(&mut self, block: *mut u8, old: Layout, new: Layout) -> bool {
        let (old_bytes, new_bytes) = (rounded(old.size()), rounded(new.size()));
        let end = block as usize + old_bytes;
        if new_bytes <= old_bytes {
            if new_bytes < old_bytes {
                // SAFETY: the end of the block is its owner's, who gives it back.
                unsafe { self.give(block.wrapping_add(new_bytes), old_bytes - new_bytes) };
            }
            return true;
        }
        let more = new_bytes - old_bytes;
        let link = self.link_before(end);
        // SAFETY: as in `link_before`.
        let node = unsafe { *link };
        if node as usize != end {
            return false;
        }
        // SAFETY: a node of the list.
        let Node { bytes, next } = unsafe { ptr::read(node) };
        if !D::has_room_behind(bytes, more) {
            return false;
        }
        let mut rest = next;
        if more < bytes {
            rest = (end + more) as *mut Node;
            // SAFETY: the end of the node is free, and large enough for a node.
            unsafe { ptr::write(rest, Node { bytes: bytes - more, next }) };
        }
        // SAFETY: as in `link_before`.
        unsafe { *link = rest };
        true
    }
}
