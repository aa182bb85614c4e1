//! Pages of the user half: mapped, unmapped, looked up.

use super::super::laws::{ANSWER, COPY_ON_WRITE as COPY_ON_WRITE_LAW, FRESH, PAGE_MAP, PHYSICAL};
use super::super::mmu::{COPY_ON_WRITE, FLAGS, OPEN, PRESENT, WRITABLE};
use super::super::operands::{Cpu, Hold, PageSource};
use super::super::setup::{KERNEL_HALF, KERNEL_PAGE};
use super::super::{Outcome, PageShown, Seen, VirtualAddress};
use super::frames::FrameIndex;
use super::spaces::{Page, Table};
use super::{Expected, Judged, TempMapModel, done, entry, is_physical, physical, slots};
use crate::Verdict;

impl TempMapModel {
    pub(super) fn map_page(
        &mut self,
        cpu: Cpu,
        address: VirtualAddress,
        source: PageSource,
        flags: u32,
        seen: &Outcome,
    ) -> Judged {
        let space = self.space_of(cpu);
        let held = match source {
            PageSource::New => None,
            PageSource::Hold(hold) => self.holds[hold.index()],
        };
        let is_new = source == PageSource::New;
        let expected = if held.is_none() && !is_new {
            Expected::Vacant
        } else if space == 0
            || address.offset() != 0
            || KERNEL_HALF <= address.0
            || self.spaces[space].page(address.0).is_some()
        {
            Expected::Refused
        } else {
            let table = self.spaces[space].table(address.0);
            let frames = u32::from(table != Table::Present) + u32::from(is_new);
            self.need_with_tables(space, frames, u32::from(table == Table::Possible), u32::from(is_new))
        };
        if !self.settle(expected, seen)? {
            return Ok(());
        }
        done(seen)?;
        let [shown] = seen.pages[..] else { return Err(Verdict::diverge(&ANSWER, "pages")) };
        match held {
            None => {
                let index = self.adopt_new(space, shown, address.0, flags, seen)?;
                self.frames.clear(index);
                self.window_is_there(space);
            }
            Some(frame) => {
                if shown.page != address.0 || shown.now & !OPEN != entry(frame, flags) {
                    return Err(Verdict::diverge_at(&PAGE_MAP, "entry", shown.now.into()));
                }
                self.spaces[space].insert(Page { address: address.0, frame, flags });
                if let Some(index) = self.frames.index(frame) {
                    self.frames.refer(index);
                }
            }
        }
        Ok(())
    }

    /// Enters a page with a frame of its own, as its entry shows.
    pub(super) fn adopt_new(
        &mut self,
        space: usize,
        shown: PageShown,
        address: u32,
        flags: u32,
        seen: &Outcome,
    ) -> Result<FrameIndex, Verdict> {
        let frame = shown.now >> 12;
        if shown.page != address || shown.now & FLAGS & !OPEN != PRESENT | flags {
            return Err(Verdict::diverge_at(&PAGE_MAP, "entry", address.into()));
        }
        let index =
            self.frames.index(frame).filter(|index| seen.taken.contains(&frame) && !self.frames.is_owned(*index));
        let Some(index) = index else { return Err(Verdict::diverge_at(&FRESH, "entry", physical(frame))) };
        self.frames.refer(index);
        self.spaces[space].insert(Page { address, frame, flags });
        Ok(index)
    }

    pub(super) fn unmap_page(
        &mut self,
        cpu: Cpu,
        address: VirtualAddress,
        hold: Option<Hold>,
        seen: &Outcome,
    ) -> Judged {
        let space = self.space_of(cpu);
        let page = self.spaces[space].page(address.0).copied();
        let expected = if hold.is_some_and(|hold| self.holds[hold.index()].is_some()) {
            Expected::Vacant
        } else if page.is_none() {
            Expected::Refused
        } else {
            Expected::Done
        };
        if !self.settle(expected, seen)? {
            return Ok(());
        }
        let frame = page.map_or(0, |page| page.frame);
        self.spaces[space].remove(address.0);
        match hold {
            None => {
                self.release(frame);
                done(seen)
            }
            Some(hold) => {
                self.holds[hold.index()] = Some(frame);
                is_physical(seen, frame << 12)
            }
        }
    }

    pub(super) fn protect(&mut self, cpu: Cpu, address: VirtualAddress, flags: u32, seen: &Outcome) -> Judged {
        let space = self.space_of(cpu);
        // A page's own address alone is found here.
        let Some(page) = self.spaces[space].page(address.0).copied() else {
            return self.settle(Expected::Refused, seen).map(|_| ());
        };
        let references = self.frames.index(page.frame).map_or(0, |index| self.frames.references(index));
        let asks_more = flags & WRITABLE != 0 && !page.is_writable();
        // Whoever copies at once needs what a copy needs.
        let may_copy = asks_more && 1 < references;
        let expected = if may_copy { self.need(space, 1, 2) } else { Expected::Done };
        if !self.settle(expected, seen)? {
            return Ok(());
        }
        done(seen)?;
        let [shown] = seen.pages[..] else { return Err(Verdict::diverge(&ANSWER, "pages")) };
        let frame = shown.now >> 12;
        let marked = flags & !WRITABLE | COPY_ON_WRITE;
        let shown_flags = shown.now & FLAGS & !OPEN & !PRESENT;
        if shown.page == address.0 && may_copy && frame != page.frame {
            if let Some(page) = self.spaces[space].page_mut(address.0) {
                page.flags = marked;
            }
            return self.unshare(space, shown, seen);
        }
        let is_marked = asks_more && shown_flags == marked;
        if shown.page != address.0 || shown.now & PRESENT == 0 || frame != page.frame {
            return Err(Verdict::diverge_at(&PAGE_MAP, "entry", address.0.into()));
        }
        if may_copy && shown_flags & WRITABLE != 0 {
            return Err(Verdict::diverge_at(&COPY_ON_WRITE_LAW, "shared", address.0.into()));
        }
        if shown_flags != flags && !is_marked {
            return Err(Verdict::diverge_at(&PAGE_MAP, "entry", address.0.into()));
        }
        if let Some(page) = self.spaces[space].page_mut(address.0) {
            page.flags = shown_flags;
        }
        Ok(())
    }

    pub(super) fn get_phys_addr(&mut self, cpu: Cpu, address: VirtualAddress, seen: &Outcome) -> Judged {
        let space = self.space_of(cpu);
        let frame = if address.0 < KERNEL_HALF {
            self.spaces[space].page(address.page()).map(|page| page.frame)
        } else if address.page() == KERNEL_PAGE {
            // Nobody says which frame the kernel's page has.
            let is_memory = matches!(seen.result, Seen::Physical(shown) if self.setup.has_frame(shown >> 12));
            return if is_memory { Ok(()) } else { Err(Verdict::diverge_at(&PHYSICAL, "result", address.0.into())) };
        } else {
            let mapping = slots::at_address(address.0).and_then(|slot| self.slots.mapping(slot));
            mapping.filter(|mapping| self.is_visible(*mapping, space)).map(|mapping| mapping.frame)
        };
        let expected = match frame {
            None => Seen::Refused,
            Some(frame) => Seen::Physical(frame << 12 | address.offset()),
        };
        if seen.result == expected { Ok(()) } else { Err(Verdict::diverge_at(&PHYSICAL, "result", address.0.into())) }
    }
}
