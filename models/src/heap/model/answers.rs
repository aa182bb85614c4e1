//! Requests for a block and how their answers are judged: when null is right, and where a block may lie. What is in a
//! block is judged elsewhere.

use super::super::laws::{ALIGNED, ANSWER, DISJOINT, ERRNO, INSIDE, REFUSAL};
use super::super::op::REFUSABLE_BYTES;
use super::super::operands::Slot;
use super::super::outcome::{Outcome, Seen};
use super::room::needed;
use super::{HeapModel, Judged};
use crate::Verdict;

/// The largest size that C and Rust allow.
const PTRDIFF_MAX: u64 = u64::MAX >> 1;
/// No process has memory in the last page of the address space.
const LAST_END: u64 = u64::MAX - 0xfff;
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
    /// Whether a reallocation keeps what `malloc_usable_size` granted beyond the size asked for.
    pub(super) keeps_usable: bool,
}

impl Request {
    pub(super) const fn of(size: Option<u64>) -> Self {
        Request { size, align: None, zeroed: false, is_aligned_alloc: false, keeps_usable: false }
    }

    pub(super) const fn aligned(size: u64, align: u64) -> Self {
        Request { align: Some(align), ..Request::of(Some(size)) }
    }

    /// The size, if a block may have it.
    #[inline]
    pub(super) fn legal_size(&self) -> Option<u64> {
        self.size.filter(|size| *size <= PTRDIFF_MAX)
    }
}

/// What a block without an alignment is aligned to: the largest power of two not above its size, up to 16 (C23,
/// 7.24.3).
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
        match seen.result {
            Seen::Block(address) => self.given(address, request, moving).map(|()| Some(address)),
            Seen::Null => self.refused(request, seen.errno).map(|()| None),
            Seen::Invalid if request.is_aligned_alloc => {
                let is_multiple =
                    request.size.zip(request.align).is_some_and(|(size, align)| size.is_multiple_of(align));
                if is_multiple { self.refused(request, None).map(|()| None) } else { Ok(None) }
            }
            // What no `Layout` can say is not asked for.
            Seen::Unaskable => {
                // Of no bytes one is asked for.
                let legal = request.legal_size().map(|size| size.max(1));
                let rounded = legal.and_then(|size| size.checked_next_multiple_of(self.alignment(request, size)));
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

    /// Judges null.
    pub(super) fn refused(&mut self, request: Request, errno: Option<i32>) -> Judged {
        if self.must_answer(request) && !self.excuses(&REFUSAL) {
            return Err(Verdict::diverge(&REFUSAL, "result"));
        }
        let is_other = errno.is_some_and(|errno| errno != ENOMEM);
        if is_other && !self.contract.errno_unset && request.size != Some(0) && !self.excuses(&ERRNO) {
            return Err(Verdict::diverge(&ERRNO, "errno"));
        }
        Ok(())
    }

    /// Whether null would be wrong.
    pub(super) fn must_answer(&mut self, request: Request) -> bool {
        request.legal_size().is_some_and(|size| self.has_room(size, self.alignment(request, size)))
    }

    /// The alignment that a request means.
    #[inline]
    fn alignment(&self, request: Request, size: u64) -> u64 {
        match request.align {
            Some(align) => align,
            None if size == 0 => 1,
            None if self.contract.min_alignment != 0 => self.contract.min_alignment,
            None => natural_align(size),
        }
    }

    /// Whether there is room.
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
        if is_open || (self.aligned && contract.keeps_padding) {
            return false;
        }
        let needed = needed(contract, size, align).saturating_add(contract.kept_bytes);
        needed <= self.regions.largest_gap(contract, &self.blocks)
    }

    /// Judges a block, and where it lies.
    #[inline]
    pub(super) fn given(&mut self, address: u64, request: Request, moving: Option<Slot>) -> Judged {
        let Some(size) = request.legal_size() else { return Err(Verdict::diverge(&REFUSAL, "result")) };
        let contract = &self.contract;
        let align = self.alignment(request, size);
        let is_free_of_it = size == 0 && contract.zero_size_unaligned
            || request.is_aligned_alloc && contract.any_alignment && !size.is_multiple_of(align);
        if !is_free_of_it && !address.is_multiple_of(align) && !self.excuses(&ALIGNED) {
            return Err(Verdict::diverge_at(&ALIGNED, "block", address));
        }
        let end = address.checked_add(size).filter(|end| self.may_end_at(address, *end));
        let Some(end) = end else { return Err(Verdict::diverge_at(&INSIDE, "block", address)) };
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

    /// Whether a block may lie there.
    #[inline]
    pub(super) fn may_end_at(&self, address: u64, end: u64) -> bool {
        end <= LAST_END && (self.contract.own_memory || self.regions.hold(address, end))
    }
}
