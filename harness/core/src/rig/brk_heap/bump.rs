//! Where a right bump allocator would put the blocks of a trace: what explanations measure distances from. Does not
//! judge: a right subject may put them elsewhere.

use memtwin_models::brk_heap::{BrkRequest, FIRST_EXTENT_BYTES, Op, PAGE_BYTES, SLOTS, Setup, Size, Slot, Unit};

/// A block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) slot: usize,
    pub(super) address: u64,
    pub(super) size: u64,
    align: u64,
    length: u64,
}

/// The heap after some ops.
#[derive(Debug, Clone)]
pub(super) struct Bump {
    pub(super) blocks: Vec<Placed>,
    pub(super) program_break: u64,
    start: u64,
    head: u64,
    /// The end of what the heap has, the break or below it.
    end: u64,
    limit: u64,
    granularity: u64,
}

impl Bump {
    pub(super) fn after(setup: &Setup, ops: &[Op]) -> Self {
        let start = setup.heap_start();
        let mut bump = Bump {
            blocks: Vec::with_capacity(SLOTS.into()),
            program_break: start,
            start,
            head: start,
            end: start,
            limit: (start + u64::from(setup.frames) * PAGE_BYTES).min(setup.stack_low.0),
            granularity: setup.granularity.bytes(),
        };
        for op in ops {
            bump.apply(op);
        }
        bump
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Alloc { slot, size: Size(size), align } => {
                self.free(slot);
                self.place(slot, size, align.bytes(), 0);
            }
            Op::AllocZeroed { slot, size: Size(size), align } => {
                self.free(slot);
                self.place(slot, size, align.bytes(), size);
            }
            Op::Realloc { slot, size: Size(size) } => self.resize(slot, size),
            Op::Dealloc { slot } => self.free(slot),
            Op::Write { slot, length, .. } => {
                if let Some(placed) = self.blocks.iter_mut().find(|placed| placed.slot == slot.index()) {
                    placed.length = placed.length.max(u64::from(length).min(placed.size));
                }
            }
            Op::WriteEnd { slot, length, .. } => {
                if let Some(placed) = self.blocks.iter_mut().find(|placed| placed.slot == slot.index())
                    && length != 0
                {
                    placed.length = placed.size;
                }
            }
            Op::PushString { slot, length, .. } => self.push(slot, length, Unit::Byte),
            Op::PushVec { slot, length, .. } => self.push(slot, length, Unit::Word),
            Op::RawBrk { request: BrkRequest::Grow(bytes) } => {
                self.grow_to(self.program_break.saturating_add(u64::from(bytes)));
            }
            Op::ReallocAligned { slot, size: Size(size), align } => {
                if let Some(placed) = self.blocks.iter_mut().find(|placed| placed.slot == slot.index()) {
                    placed.align = align.bytes();
                }
                self.resize(slot, size);
            }
            Op::Exec => {
                self.blocks.clear();
                (self.program_break, self.head, self.end) = (self.start, self.start, self.start);
            }
            Op::Verify { .. }
            | Op::VerifyEnd { .. }
            | Op::VerifyRawBrk
            | Op::Fork
            | Op::RawBrk { request: BrkRequest::Query | BrkRequest::GiveBack | BrkRequest::At(_) } => {}
        }
    }

    fn free(&mut self, slot: Slot) {
        self.blocks.retain(|placed| placed.slot != slot.index());
    }

    fn grow_to(&mut self, wanted: u64) -> bool {
        let end = wanted.checked_next_multiple_of(self.granularity).filter(|end| *end <= self.limit);
        self.program_break = end.unwrap_or(self.program_break).max(self.program_break);
        end.is_some()
    }

    fn place(&mut self, slot: Slot, size: u64, align: u64, length: u64) {
        if self.end == self.start {
            self.head = self.program_break;
            self.grow_to(self.head + FIRST_EXTENT_BYTES);
            self.end = self.program_break;
        }
        let above = |head: u64| {
            let address = head.checked_next_multiple_of(align)?;
            Some((address, address.checked_add(size)?))
        };
        let Some((mut address, mut end)) = above(self.head) else { return };
        let is_growth = self.end < end;
        if is_growth && self.end != self.program_break {
            // Another user has what lies between.
            let Some(place) = above(self.program_break) else { return };
            (address, end) = place;
        }
        if !is_growth || self.grow_to(end) {
            self.end = if is_growth { self.program_break } else { self.end };
            self.head = end;
            self.blocks.push(Placed { slot: slot.index(), address, size, align, length });
        }
    }

    fn resize(&mut self, slot: Slot, size: u64) {
        let Some(old) = self.blocks.iter().copied().find(|placed| placed.slot == slot.index()) else { return };
        let before = self.head;
        self.place(slot, size, old.align, old.length.min(size));
        if self.head != before || size == 0 {
            let moved = self.blocks.pop();
            self.free(slot);
            self.blocks.extend(moved);
        }
    }

    fn push(&mut self, slot: Slot, length: u8, unit: Unit) {
        let bytes = u64::from(length) * unit.bytes();
        let held = self.blocks.iter().copied().find(|placed| placed.slot == slot.index());
        match held {
            None if bytes == 0 => {}
            None => self.place(slot, unit.grown_capacity_bytes(0, bytes), unit.bytes(), 0),
            Some(held) if held.length + bytes <= held.size => {}
            Some(held) => self.resize(slot, unit.grown_capacity_bytes(held.size, held.length + bytes)),
        }
        if let Some(placed) = self.blocks.iter_mut().find(|placed| placed.slot == slot.index()) {
            placed.length = (placed.length + bytes).min(placed.size);
        }
    }

    /// The block nearest to an address, and how far the address lies beyond its end or before its start.
    pub(super) fn nearest(&self, address: u64) -> Option<(Placed, u64)> {
        let distance = |placed: &Placed| {
            if address < placed.address {
                placed.address - address
            } else {
                address.saturating_sub(placed.address + placed.size)
            }
        };
        self.blocks.iter().map(|placed| (*placed, distance(placed))).min_by_key(|(_, distance)| *distance)
    }
}
