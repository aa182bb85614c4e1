//! Requests for a block and how their answers are judged: when null is right, and where a block may lie. What is in a block is
//! judged elsewhere.

use super::super::laws::{ALIGNED, ANSWER, DISJOINT, ERRNO, INSIDE, REFUSAL};
use super::super::operands::Slot;
use super::super::outcome::{Outcome, Seen};
use super::room::needed;
use super::{HeapModel, Judged};
use crate::Verdict;

/// The largest size that C and Rust allow.
pub(super) const PTRDIFF_MAX: u64 = u64::MAX >> 1;
/// A heap with memory of its own may refuse a request above this, and any when more is live, in bytes.
const REFUSABLE_BYTES: u64 = 1 << 30;
const ENOMEM: i32 = 12;

/// A request for a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    /// `None` where a product overflows.
    pub(super) size: Option<u64>,
    /// As asked for; `None` for calls that name none.
    pub(super) align: Option<u64>,
    pub(super) zeroed: bool,
    /// Whether the call is `aligned_alloc` or `memalign`.
    pub(super) is_aligned_alloc: bool,
}

impl Request {
    pub(super) const fn of(size: Option<u64>) -> Self {
        Request { size, align: None, zeroed: false, is_aligned_alloc: false }
    }

    pub(super) const fn aligned(size: u64, align: u64) -> Self {
        Request { align: Some(align), ..Request::of(Some(size)) }
    }
}

/// What a block without an alignment is aligned to: the largest power of two not above its size, up to 16 (C23, 7.24.3).
pub(super) const fn natural_align(size: u64) -> u64 {
    match size {
        0 | 1 => 1,
        2..16 => 1 << size.ilog2(),
        16.. => 16,
    }
}

impl HeapModel {
    /// Judges the answer to a request; the address if there is one. The block in slot `moving` is given up.
    #[inline]
    pub(super) fn answered(
        &mut self,
        request: Request,
        moving: Option<Slot>,
        seen: &Outcome,
    ) -> Result<Option<u64>, Verdict> {
        let legal = request.size.filter(|size| *size <= PTRDIFF_MAX);
        match seen.result {
            Seen::Block(address) => {
                let Some(size) = legal else { return Err(Verdict::diverge(&REFUSAL, "result")) };
                self.placed(address, size, request, moving)?;
                Ok(Some(address))
            }
            Seen::Null => {
                if legal.is_some_and(|size| self.has_room(size, request.align.unwrap_or(1))) {
                    return Err(Verdict::diverge(&REFUSAL, "result"));
                }
                if seen.errno.is_some_and(|errno| errno != ENOMEM)
                    && !self.contract.errno_unset
                    && request.size != Some(0)
                {
                    return Err(Verdict::diverge(&ERRNO, "errno"));
                }
                Ok(None)
            }
            Seen::Invalid if request.is_aligned_alloc => {
                let is_multiple =
                    request.size.zip(request.align).is_some_and(|(size, align)| size.is_multiple_of(align));
                if is_multiple && legal.is_some_and(|size| self.has_room(size, request.align.unwrap_or(1))) {
                    return Err(Verdict::diverge(&REFUSAL, "result"));
                }
                Ok(None)
            }
            // What no `Layout` can say is not asked for.
            Seen::Unaskable => {
                let rounded = legal.and_then(|size| size.checked_next_multiple_of(request.align.unwrap_or(1)));
                if rounded.is_some_and(|size| size <= PTRDIFF_MAX) {
                    return Err(Verdict::diverge(&ANSWER, "result"));
                }
                Ok(None)
            }
            Seen::Invalid | Seen::Skipped | Seen::Done | Seen::Vacant | Seen::Bytes(_) | Seen::Refused => {
                Err(Verdict::diverge(&ANSWER, "result"))
            }
        }
    }

    /// Whether there is room, so that null would be wrong.
    pub(super) fn has_room(&mut self, size: u64, align: u64) -> bool {
        let contract = &self.contract;
        if size == 0 || contract.largest_size < size || contract.largest_align < align || self.system_refused {
            return false;
        }
        if contract.own_memory {
            let wanted = size.saturating_add(align);
            return wanted <= REFUSABLE_BYTES && self.blocks.live_bytes() <= REFUSABLE_BYTES;
        }
        let is_open = self.freed && (contract.no_coalescing || contract.size_classes);
        if is_open || (self.freed && self.aligned && contract.keeps_padding) {
            return false;
        }
        needed(contract, size, align) <= self.regions.largest_gap(contract, &self.blocks)
    }

    /// Judges where a block lies.
    #[inline]
    pub(super) fn placed(&mut self, address: u64, size: u64, request: Request, moving: Option<Slot>) -> Judged {
        let align = match request.align {
            Some(_) if size == 0 && self.contract.zero_size_unaligned => 1,
            Some(align) if request.is_aligned_alloc && self.contract.any_alignment && !size.is_multiple_of(align) => 1,
            Some(align) => align,
            None if size == 0 => 1,
            None if self.contract.min_alignment != 0 => self.contract.min_alignment,
            None => natural_align(size),
        };
        if !address.is_multiple_of(align) {
            return Err(Verdict::diverge_at(&ALIGNED, "block", address));
        }
        let end = address.checked_add(size);
        let Some(end) = end else { return Err(Verdict::diverge_at(&INSIDE, "block", address)) };
        if !self.contract.own_memory && !self.regions.hold(address, end) {
            return Err(Verdict::diverge_at(&INSIDE, "block", address));
        }
        if let Some(slot) = moving
            && let Some(old) = self.blocks.get(slot)
        {
            let (start, end) = (old.address, old.end());
            self.marks.leave(&self.blocks, slot, start, end);
        }
        match self.marks.take(&self.blocks, moving, address, end) {
            Some(other) => Err(Verdict::diverge_at(&DISJOINT, "block", other)),
            None => Ok(()),
        }
    }
}
