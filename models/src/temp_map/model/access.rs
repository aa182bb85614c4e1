//! Loads, stores, and what a store to a shared page leaves behind.

use super::super::laws::{ACCESS, ANSWER, BYTES, COPY_ON_WRITE, TEMP};
use super::super::mmu::{Access, FLAGS, OPEN, PRESENT, PageFault};
use super::super::operands::{Cpu, Mode};
use super::super::setup::{KERNEL_HALF, KERNEL_PAGE};
use super::super::{Outcome, PageShown, Seen, VirtualAddress};
use super::frames::{FrameIndex, Frames};
use super::{Expected, FOREIGN_STORE, Judged, TempMapModel, fault_field, physical, slots};
use crate::{Law, Verdict};

/// What lies at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The access reaches this frame; `None` for a frame that the books do not follow.
    Frame(Option<FrameIndex>),
    /// The access is a store to a shared page.
    Shared,
    /// The access faults; whether the page is present.
    Fault { is_present: bool },
}

impl TempMapModel {
    fn target(&self, space: usize, mode: Mode, address: u32, access: Access) -> (Target, &'static Law) {
        let page = address & FLAGS_OFF;
        let of_kernel = |frame: Option<FrameIndex>| match mode {
            Mode::Kernel => Target::Frame(frame),
            Mode::User => Target::Fault { is_present: true },
        };
        if address < KERNEL_HALF {
            let Some(page) = self.spaces[space].page(page) else {
                return (Target::Fault { is_present: false }, &ACCESS);
            };
            let may = mode == Mode::Kernel || page.is_user();
            let target = match access {
                Access::Load if may => Target::Frame(self.frames.index(page.frame)),
                Access::Store if may && page.is_writable() => Target::Frame(self.frames.index(page.frame)),
                Access::Store if may && page.is_shared() => Target::Shared,
                Access::Load | Access::Store => Target::Fault { is_present: true },
            };
            return (target, &ACCESS);
        }
        if page == KERNEL_PAGE {
            return (of_kernel(Some(Frames::kernel_page())), &ACCESS);
        }
        let Some(slot) = slots::at_address(address) else { return (Target::Fault { is_present: false }, &ACCESS) };
        match self.slots.mapping(slot).filter(|mapping| self.is_visible(*mapping, space)) {
            Some(mapping) => {
                let is_followed = |index: &FrameIndex| self.frames.is_owned(*index) && !mapping.is_dangling;
                let frame = self.frames.index(mapping.frame).filter(is_followed);
                (of_kernel(frame), &TEMP)
            }
            None => (Target::Fault { is_present: false }, &TEMP),
        }
    }

    pub(super) fn load(&mut self, cpu: Cpu, mode: Mode, address: VirtualAddress, seen: &Outcome) -> Judged {
        let address = address.0 & !3;
        let (target, law) = self.target(self.space_of(cpu), mode, address, Access::Load);
        let frame = match target {
            Target::Fault { is_present } => return faults(seen, is_present, address, mode, Access::Load, law),
            Target::Frame(frame) => frame,
            Target::Shared => None,
        };
        let Seen::Word(word) = seen.result else { return Err(not_allowed(seen, address, law)) };
        let Some(frame) = frame else { return Ok(()) };
        match self.frames.word(frame, address % 4096) {
            Some(known) if known != word => Err(Verdict::diverge_at(&BYTES, "word", address.into())),
            Some(_) => Ok(()),
            None => {
                self.frames.set_word(frame, address % 4096, word);
                Ok(())
            }
        }
    }

    pub(super) fn store(
        &mut self,
        cpu: Cpu,
        mode: Mode,
        address: VirtualAddress,
        value: u32,
        seen: &Outcome,
    ) -> Judged {
        let address = address.0 & !3;
        let space = self.space_of(cpu);
        let (target, law) = self.target(space, mode, address, Access::Store);
        let frame = match target {
            Target::Fault { is_present } => return faults(seen, is_present, address, mode, Access::Store, law),
            Target::Frame(frame) => frame,
            Target::Shared => {
                if self.need_for_copy(space, address) == Expected::DoneOrFailed && matches!(seen.result, Seen::Fault(_))
                {
                    return faults(seen, true, address, mode, Access::Store, law);
                }
                if seen.result != Seen::Done {
                    return Err(self.short(seen, not_allowed(seen, address, law)));
                }
                let [shown] = seen.pages[..] else { return Err(Verdict::diverge(&ANSWER, "pages")) };
                self.unshare(space, shown, seen)?;
                self.spaces[space].page(address & FLAGS_OFF).and_then(|page| self.frames.index(page.frame))
            }
        };
        if seen.result != Seen::Done {
            return Err(not_allowed(seen, address, law));
        }
        let Some(frame) = frame else { return Err(FOREIGN_STORE) };
        self.frames.set_word(frame, address % 4096, value);
        Ok(())
    }

    /// What a store to a shared page needs.
    pub(super) fn need_for_copy(&mut self, space: usize, address: u32) -> Expected {
        let page = self.spaces[space].page(address & FLAGS_OFF);
        let references =
            page.and_then(|page| self.frames.index(page.frame)).map_or(0, |index| self.frames.references(index));
        if references <= 1 { Expected::Done } else { self.need(space, 1, 2) }
    }

    /// Holds the entry of a page, which was shared and was stored to, against the law, and follows it.
    pub(super) fn unshare(&mut self, space: usize, shown: PageShown, seen: &Outcome) -> Judged {
        let Some(page) = self.spaces[space].page(shown.page).copied() else {
            return Err(Verdict::diverge(&ANSWER, "pages"));
        };
        let Some(old) = self.frames.index(page.frame) else { return Ok(()) };
        let frame = shown.now >> 12;
        let is_last_sharer = frame == page.frame && self.frames.references(old) == 1;
        if !is_last_sharer && !seen.taken.contains(&frame) {
            let is_mixed = seen.taken.iter().any(|taken| taken | page.frame == frame);
            return Err(match (is_mixed, frame == page.frame) {
                (true, _) => Verdict::diverge_at(&COPY_ON_WRITE, "mixed_frame", physical(frame)),
                (false, true) => Verdict::diverge_at(&COPY_ON_WRITE, "shared", shown.page.into()),
                (false, false) => Verdict::diverge_at(&COPY_ON_WRITE, "frame", physical(frame)),
            });
        }
        if shown.now & FLAGS & !OPEN != PRESENT | page.unshared_flags() {
            return Err(Verdict::diverge_at(&COPY_ON_WRITE, "flags", shown.now.into()));
        }
        if let Some(page) = self.spaces[space].page_mut(shown.page) {
            (page.frame, page.flags) = (frame, page.unshared_flags());
        }
        if let Some(new) = self.frames.index(frame).filter(|new| *new != old) {
            self.frames.refer(new);
            self.frames.copy(old, new);
            self.window_is_there(space);
            self.release(page.frame);
        }
        Ok(())
    }
}

const FLAGS_OFF: u32 = !FLAGS;

/// The verdict on an access that should have succeeded.
fn not_allowed(seen: &Outcome, address: u32, law: &'static Law) -> Verdict {
    if matches!(seen.result, Seen::Fault(_)) {
        Verdict::diverge_at(law, fault_field(seen), address.into())
    } else {
        Verdict::diverge(&ANSWER, "result")
    }
}

/// Judges an access that should fault.
fn faults(seen: &Outcome, is_present: bool, address: u32, mode: Mode, access: Access, law: &'static Law) -> Judged {
    let Seen::Fault(fault) = seen.result else { return Err(Verdict::diverge_at(law, "result", address.into())) };
    if fault == PageFault::of(address, is_present, mode, access) {
        Ok(())
    } else {
        Err(Verdict::diverge_at(law, "code", address.into()))
    }
}
