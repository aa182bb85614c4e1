//! The heap of a paged malloc: spans of size classes, each owned by a thread, and large blocks with spans of their own.
//! Blocks that another thread frees wait in their span until its owner needs memory. Whoever calls has the malloc's
//! lock.

use super::classes::{CLASSES, MOST_SMALL_BYTES, SPAN_HEADER_BYTES, blocks_of, chunks_of, class_of};
use super::deviation::Deviation;
use super::span::{Freed, Span};
use super::system::{CHUNK_BYTES, CHUNKS, System};
use memtwin_heap::errno;
use memtwin_models::Unsupported;
use memtwin_models::heap::Setup;
use std::marker::PhantomData;
use std::ptr::null_mut;

/// Large blocks begin this far into their span, or further for their alignment.
const LARGE_HEADER_BYTES: usize = 64;
const NONE: u16 = u16::MAX;

/// The heap.
#[derive(Debug)]
pub struct Heap<D: Deviation> {
    pub(in crate::heap) system: System,
    /// For each chunk the first chunk of its span; [`NONE`] where there is none.
    span_at: Box<[u16; CHUNKS]>,
    /// Spans by their first chunk.
    pub(super) spans: Vec<Option<Span>>,
    /// For each class the thread and the span that served the last request.
    served: [(u32, usize); CLASSES.len()],
    /// A table of freed blocks. The hardened heap has nothing in it.
    pub(in crate::heap) remembered: Vec<[usize; 8]>,
    deviation: PhantomData<D>,
}

// SAFETY: the lists of a heap lie in memory of its own, and whoever has the heap is alone with it.
unsafe impl<D: Deviation> Send for Heap<D> {}

impl<D: Deviation> Heap<D> {
    pub(super) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Heap {
            system: System::new(setup)?,
            span_at: Box::new([NONE; CHUNKS]),
            // One more than there are chunks: where a defect keeps what is no span.
            spans: vec![None; CHUNKS + 1],
            served: [(0, 0); CLASSES.len()],
            remembered: Vec::new(),
            deviation: PhantomData,
        })
    }

    pub(super) fn reset(&mut self, setup: &Setup) {
        let end = self.system.end();
        self.span_at[..end].fill(NONE);
        self.spans[..end].fill(None);
        self.spans[CHUNKS] = None;
        self.system.reset(setup);
        self.served = [(0, 0); CLASSES.len()];
        self.remembered.clear();
    }

    /// The first chunk of the span that an address lies in.
    pub(in crate::heap) fn span_of(&self, block: *mut u8) -> Option<usize> {
        let chunk = self.system.chunk_of(block)?;
        Some(self.span_at[chunk]).filter(|first| *first != NONE).map(usize::from)
    }

    /// A block for this thread, or null.
    pub(super) fn allocate(&mut self, thread: u32, size: usize) -> *mut u8 {
        if MOST_SMALL_BYTES < size { self.large(thread, size, 16) } else { self.small(thread, class_of(size)) }
    }

    /// A block whose address is a multiple of `align`, above 16.
    pub(super) fn allocate_aligned(&mut self, thread: u32, size: usize, align: usize) -> *mut u8 {
        // A block of no bytes must not begin where its room ends.
        let size = size.max(1);
        let Some(bytes) = D::bytes_for_aligned(size, align) else { return self.allocate(thread, size) };
        if MOST_SMALL_BYTES < bytes {
            return self.large(thread, size, align);
        }
        let block = self.small(thread, class_of(bytes));
        block.wrapping_add(block.align_offset(align))
    }

    fn small(&mut self, thread: u32, class: usize) -> *mut u8 {
        let Some(first) = self.span_with_room(thread, class) else { return null_mut() };
        let start = self.system.address(first);
        let Some(span) = &mut self.spans[first] else { return null_mut() };
        span.used += 1;
        if span.free.is_null() {
            let offset = SPAN_HEADER_BYTES + span.fresh * CLASSES[class];
            span.fresh += 1;
            return start.wrapping_add(offset);
        }
        let freed = span.free;
        // SAFETY: a freed block of the span is the heap's, and begins with the list.
        span.free = unsafe { (*freed).next };
        freed.cast()
    }

    /// A span of this thread and class that has a free block: the last one that had, any other, or a new one.
    fn span_with_room(&mut self, thread: u32, class: usize) -> Option<usize> {
        let (served, first) = self.served[class];
        if served == thread
            && let Some(span) = &self.spans[first]
            && span.class == Some(class)
            && span.owner == thread
            && (!span.free.is_null() || span.fresh < blocks_of(class))
        {
            return Some(first);
        }
        let first = self.other_span_with_room(thread, class)?;
        self.served[class] = (thread, first);
        Some(first)
    }

    /// The next request of this class and thread is served from this span.
    pub(super) fn serve_from(&mut self, class: usize, thread: u32, first: usize) {
        self.served[class] = (thread, first);
    }

    fn other_span_with_room(&mut self, thread: u32, class: usize) -> Option<usize> {
        for first in 0..self.system.end() {
            let Some(span) = &mut self.spans[first] else { continue };
            if span.class != Some(class) || (span.owner != thread && span.owner != 0) {
                continue;
            }
            span.owner = thread;
            if span.free.is_null() && !span.remote.is_null() {
                D::collect(self, first);
            }
            if let Some(span) = &self.spans[first]
                && (!span.free.is_null() || span.fresh < blocks_of(class))
            {
                return Some(first);
            }
        }
        self.add_span(Span::new(Some(class), chunks_of(class), thread))
    }

    /// Gets the chunks of a new span.
    fn add_span(&mut self, mut span: Span) -> Option<usize> {
        let Some(first) = self.system.map(span.chunks) else {
            D::refused(self, span);
            return None;
        };
        span.first_chunk = first;
        let end = first + span.chunks;
        #[allow(clippy::cast_possible_truncation)] // below the number of chunks
        self.span_at[first..end].fill(first as u16);
        self.spans[first] = Some(span);
        Some(first)
    }

    fn large(&mut self, thread: u32, size: usize, align: usize) -> *mut u8 {
        // The span begins at a multiple of a chunk, so that a larger alignment may need as much again.
        let header = if align <= CHUNK_BYTES { align.max(LARGE_HEADER_BYTES) } else { align + LARGE_HEADER_BYTES };
        let chunks = size.wrapping_add(header).div_ceil(CHUNK_BYTES).max(1);
        let mut span = Span::new(None, chunks, thread);
        (span.used, span.asked) = (1, size);
        let Some(first) = self.add_span(span) else { return null_mut() };
        let start = self.system.address(first);
        let block = (start as usize + LARGE_HEADER_BYTES).next_multiple_of(align.max(LARGE_HEADER_BYTES));
        if let Some(span) = &mut self.spans[first] {
            span.offset = block - start as usize;
        }
        block as *mut u8
    }

    /// Where the block that an address lies in begins, and how many bytes it has.
    fn block_at(&self, span: &Span, block: *mut u8) -> (usize, usize) {
        let distance = block as usize - self.system.address(span.first_chunk) as usize;
        match span.class {
            Some(class) => {
                let index = distance.saturating_sub(SPAN_HEADER_BYTES) / CLASSES[class];
                (SPAN_HEADER_BYTES + index * CLASSES[class], CLASSES[class])
            }
            None => (0, span.chunks * CHUNK_BYTES),
        }
    }

    /// Whether an address lies within a block and is not its begin.
    pub(in crate::heap) fn is_interior(&self, first: usize, block: *mut u8) -> bool {
        let Some(span) = &self.spans[first] else { return false };
        let distance = block as usize - self.system.address(span.first_chunk) as usize;
        span.class.is_some() && self.block_at(span, block).0 != distance
    }

    /// The usable bytes of a block, and those that a move takes along.
    pub(super) fn usable_and_kept(&self, block: *mut u8) -> (usize, usize) {
        let Some(span) = D::span_of(self, block).and_then(|first| self.spans[first].as_ref()) else { return (0, 0) };
        let (start, length) = self.block_at(span, block);
        let offset = block as usize - self.system.address(span.first_chunk) as usize - start;
        let kept = if span.class.is_none() { D::kept_bytes(span.asked, length - offset) } else { length - offset };
        (D::usable_bytes(length, offset), kept)
    }

    /// Takes a block back. A pointer that is none ends the process, as a free of glibc does.
    pub(super) fn free(&mut self, thread: u32, block: *mut u8) {
        let Some(first) = D::span_of(self, block) else { std::process::abort() };
        let Some(span) = self.spans[first] else { std::process::abort() };
        D::freed(self);
        if span.class.is_none() {
            self.remove_span(first);
            return;
        }
        let freed = self.system.address(first).wrapping_add(self.block_at(&span, block).0).cast::<Freed>();
        let Some(span) = &mut self.spans[first] else { return };
        let is_own = span.owner == thread;
        let list = if is_own { &mut span.free } else { &mut span.remote };
        // SAFETY: the block is its owner's, who gives it back; every block has room for the list.
        unsafe { freed.write(Freed { next: *list }) };
        *list = freed;
        if is_own {
            span.used -= 1;
            self.remove_if_empty(first);
        }
    }

    /// What other threads freed is free.
    pub(super) fn collect(&mut self, first: usize) {
        let Some(span) = &mut self.spans[first] else { return };
        while !span.remote.is_null() {
            let freed = span.remote;
            // SAFETY: a freed block of the span is the heap's, and begins with the list.
            span.remote = unsafe { (*freed).next };
            // SAFETY: as above.
            unsafe { (*freed).next = span.free };
            span.free = freed;
            span.used -= 1;
        }
    }

    /// An empty span goes back to the system, unless it is the one that serves its class: the next request may need it.
    fn remove_if_empty(&mut self, first: usize) {
        let Some(span) = self.spans[first].filter(|span| span.used == 0) else { return };
        let serves = span.class.is_some_and(|class| self.served[class] == (span.owner, first));
        if !serves {
            self.remove_span(first);
        }
    }

    fn remove_span(&mut self, first: usize) {
        let Some(span) = self.spans[first] else { return };
        let errno = errno::get();
        // A span that the system does not take back is forgotten: its chunks stay mapped.
        self.system.unmap(first, span.chunks);
        if D::KEEPS_ERRNO {
            errno::set(errno);
        }
        self.span_at[first..first + span.chunks].fill(NONE);
        self.spans[first] = None;
    }

    /// A thread ends: its spans are anybody's.
    pub(super) fn abandon(&mut self, thread: u32) {
        for span in self.spans.iter_mut().flatten().filter(|span| span.owner == thread) {
            span.owner = 0;
        }
    }

    /// The spans of a thread go back to the system, whatever is in them.
    pub(in crate::heap) fn remove_spans_of(&mut self, thread: u32) {
        for first in 0..self.system.end() {
            if self.spans[first].is_some_and(|span| span.owner == thread) {
                self.remove_span(first);
            }
        }
    }

    /// A span behind the last chunk, where there is no memory, serves the next request of its class.
    pub(in crate::heap) fn register_without_memory(&mut self, mut span: Span) {
        span.first_chunk = CHUNKS;
        self.spans[CHUNKS] = Some(span);
        if let Some(class) = span.class {
            self.serve_from(class, span.owner, CHUNKS);
        }
    }

    /// Empty spans go back to the system.
    pub(super) fn trim(&mut self) {
        for first in 0..self.system.end() {
            D::collect(self, first);
            if self.spans[first].is_some_and(|span| span.used == 0) {
                self.remove_span(first);
            }
        }
    }

    /// The bytes that the heap holds from the system.
    pub(super) fn held_bytes(&self) -> u64 {
        self.system.mapped_bytes() + size_of_val(self.remembered.as_slice()) as u64
    }
}
