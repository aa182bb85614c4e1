//! The window: slots, and what is mapped at them.

use super::super::laws::{ANSWER, PHYSICAL, SLOT};
use super::super::operands::{Cpu, TempFrame};
use super::super::setup::{PAGE_BYTES, WINDOW_BASE};
use super::super::{Outcome, PhysicalAddress, Seen};
use super::slots::TempMapping;
use super::{Expected, Judged, TempMapModel, done, slots};
use crate::Verdict;

impl TempMapModel {
    pub(super) fn alloc_slot(&mut self, seen: &Outcome) -> Judged {
        if seen.result == Seen::Failed {
            let is_full = self.slots.free_count() == 0;
            return if is_full { Ok(()) } else { Err(Verdict::diverge(&SLOT, "result")) };
        }
        let Seen::Slot(slot) = seen.result else { return Err(Verdict::diverge(&ANSWER, "result")) };
        let Some(index) = slots::index(slot).filter(|index| !self.slots.is_allocated(*index)) else {
            return Err(Verdict::diverge_at(&SLOT, "result", u64::from(slot.cast_unsigned())));
        };
        self.slots.allocate(index);
        Ok(())
    }

    pub(super) fn free_slot(&mut self, slot: i32, seen: &Outcome) -> Judged {
        let index =
            slots::index(slot).filter(|index| self.slots.is_allocated(*index) && self.slots.mapping(*index).is_none());
        let expected = if index.is_some() { Expected::Done } else { Expected::Refused };
        if self.settle(expected, seen)? {
            done(seen)?;
            self.slots.free(index.unwrap_or(0));
        }
        Ok(())
    }

    pub(super) fn map_temp(&mut self, cpu: Cpu, frame: TempFrame, slot: i32, seen: &Outcome) -> Judged {
        let space = self.space_of(cpu);
        let address = match frame {
            TempFrame::Hold(hold) => self.holds[hold.index()].map(|frame| frame << 12),
            TempFrame::Behind(address) => self.spaces[space].page(address.page()).map(|page| page.frame << 12),
            TempFrame::At(address) => Some(address.0),
        };
        let index =
            slots::index(slot).filter(|index| self.slots.is_allocated(*index) && self.slots.mapping(*index).is_none());
        let is_frame = |address: u32| PhysicalAddress(address).is_aligned() && self.setup.has_frame(address >> 12);
        let expected = match (address, index) {
            (None, _) => Expected::Vacant,
            (Some(address), Some(_)) if is_frame(address) => Expected::Done,
            (Some(_), Some(_) | None) => Expected::Refused,
        };
        // A private window may need a table; its want is told from other refusals by nothing.
        if expected == Expected::Done
            && self.contract.private_window
            && self.need(space, 0, 1) == Expected::DoneOrFailed
            && seen.result == Seen::Refused
        {
            return Ok(());
        }
        if address.is_some() && seen.physical != address {
            return Err(Verdict::diverge(&PHYSICAL, "argument"));
        }
        if !self.settle(expected, seen)? {
            return Ok(());
        }
        let (index, frame) = (index.unwrap_or(0), address.unwrap_or(0) >> 12);
        let place = WINDOW_BASE + PAGE_BYTES * slot.cast_unsigned();
        if seen.result != Seen::Address(place) {
            return Err(Verdict::diverge(&ANSWER, "result"));
        }
        self.window_is_there(space);
        self.slots.map(index, TempMapping { frame, home: self.current[cpu.index()], is_dangling: false });
        if let Some(frame) = self.frames.index(frame) {
            self.frames.pin(frame);
        }
        Ok(())
    }

    pub(super) fn unmap_temp(&mut self, slot: i32, seen: &Outcome) -> Judged {
        let mapped = slots::index(slot).and_then(|index| Some((index, self.slots.mapping(index)?)));
        let expected = if mapped.is_some() { Expected::Done } else { Expected::Refused };
        if let (true, Some((index, mapping))) = (self.settle(expected, seen)?, mapped) {
            done(seen)?;
            self.slots.unmap(index);
            if let Some(frame) = self.frames.index(mapping.frame) {
                self.frames.unpin(frame);
            }
        }
        Ok(())
    }
}
