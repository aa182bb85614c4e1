//! What a paged malloc may do differently from the hardened one: one method for each decision. The defaults are the
//! hardened code. A subject of the catalogue has one defect and no more.

use super::heap::Heap;
use super::span::Span;
use memtwin_models::Health;
use memtwin_models::heap::HeapContract;

/// A way in which a paged malloc works.
pub trait Deviation: Sized + 'static {
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;
    /// The subject's name. A defect of the catalogue is called by its id.
    const NAME: &'static str = Self::HEALTH.id();
    /// What it claims.
    const CONTRACT: HeapContract = HeapContract { kept_bytes: 0, ..HeapContract::LIBRARY };

    /// The bytes to look for when so many are asked for at an alignment above 16: enough for the alignment's worst
    /// case. `None` where a block of the size's own class is taken for aligned.
    fn bytes_for_aligned(size: usize, align: usize) -> Option<usize> {
        size.checked_add(align - 16)
    }

    /// Whether a size is one that C allows.
    fn is_allowed(size: usize) -> bool {
        isize::try_from(size).is_ok()
    }

    /// `calloc`'s product.
    fn product(count: usize, size: usize) -> Option<usize> {
        count.checked_mul(size)
    }

    /// The span that a block lies in, by its first chunk.
    fn span_of(heap: &Heap<Self>, block: *mut u8) -> Option<usize> {
        heap.span_of(block)
    }

    /// The usable bytes of a block that begins `offset` bytes into its `length` bytes.
    fn usable_bytes(length: usize, offset: usize) -> usize {
        length - offset
    }

    /// The bytes that a large block takes along when it moves: it was asked for with `asked` and grants `usable`.
    fn kept_bytes(_asked: usize, usable: usize) -> usize {
        usable
    }

    /// Blocks that other threads freed come back to their span.
    fn collect(heap: &mut Heap<Self>, span: usize) {
        heap.collect(span);
    }

    /// A thread ends: what becomes of its spans.
    fn abandon(heap: &mut Heap<Self>, thread: u32) {
        heap.abandon(thread);
    }

    /// Whether free's slow path puts `errno` back.
    const KEEPS_ERRNO: bool = true;

    /// The system refused the chunks of a new span.
    fn refused(_heap: &mut Heap<Self>, _span: Span) {}

    /// A block was freed.
    fn freed(_heap: &mut Heap<Self>) {}
}

/// The hardened malloc.
#[derive(Debug)]
pub struct Sound;

impl Deviation for Sound {
    const HEALTH: Health = Health::Sound;
    const NAME: &'static str = "paged_malloc";
}
