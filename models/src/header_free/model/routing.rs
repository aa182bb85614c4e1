//! How calls that take a pointer are judged: free, realloc and usable_size, by the pointer's one true owner.

use super::super::laws::{ANSWER, BOOT, ERRNO, INVALID, REALLOC, ROUTE, USABLE};
use super::super::{Alignment, Kind, Mode, Outcome, Route, Seen, Slot};
use super::ledger::Owner;
use super::{HeaderFreeModel, Judged, LIBC_ALIGNMENT, compare, expect};
use crate::Verdict;

impl HeaderFreeModel {
    /// What lives at exactly this address: its slot, and its owner.
    fn live_at(&self, pointer: u64, hint: Slot) -> Option<(Slot, Owner)> {
        let slot = self.ledger.owner_of(pointer, hint)?;
        Some((slot, self.ledger.get(slot)?.owner))
    }

    /// Whether the allocator may refuse a live block of libc's.
    fn may_refuse_libc(&self) -> bool {
        self.setup.mode != Mode::LdPreload
    }

    pub(super) fn usable_size(&mut self, slot: Slot, delta: u64, seen: &Outcome) -> Judged {
        let pointer = self.ledger.pointer(slot).wrapping_add(delta);
        if pointer == 0 {
            return expect(Seen::Idle, seen);
        }
        let (slot, owner) = match self.live_at(pointer, slot) {
            None | Some((_, Owner::Foreign(_))) => return refusal_of_nobodys(pointer, seen),
            Some(live) => live,
        };
        let usable = match seen.result {
            Seen::Usable(usable) => usable,
            Seen::Refused if owner == Owner::Libc && self.may_refuse_libc() => return Ok(()),
            Seen::Refused => return Err(Verdict::diverge_at(owners_law(owner), "result", pointer)),
            Seen::Block(_) | Seen::Null | Seen::Done | Seen::Idle | Seen::Freed(_) | Seen::Kept => {
                return Err(Verdict::diverge(&ANSWER, "result"));
            }
        };
        let Some(held) = self.ledger.get(slot) else { return Ok(()) };
        if usable == 0 && owner == Owner::Libc && self.may_refuse_libc() {
            return Ok(());
        }
        if usable < held.size {
            return Err(Verdict::diverge_at(&USABLE, "size", usable));
        }
        if let Some(other) = self.ledger.overlapping(pointer, usable, slot) {
            return Err(Verdict::diverge_at(&USABLE, "size", other));
        }
        if let Some(held) = self.ledger.get_mut(slot) {
            held.granted = held.granted.max(usable);
        }
        Ok(())
    }

    pub(super) fn realloc(&mut self, slot: Slot, delta: u64, size: u64, seen: &Outcome) -> Judged {
        let pointer = self.ledger.pointer(slot).wrapping_add(delta);
        if pointer == 0 {
            return expect(Seen::Idle, seen);
        }
        let (slot, owner) = match self.live_at(pointer, slot) {
            None | Some((_, Owner::Foreign(_))) => return refusal_of_nobodys(pointer, seen),
            Some(live) => live,
        };
        if seen.result == Seen::Refused {
            let is_free = owner == Owner::Libc && self.may_refuse_libc();
            return if is_free { Ok(()) } else { Err(Verdict::diverge_at(owners_law(owner), "result", pointer)) };
        }
        let align = self.ledger.get(slot).map_or(LIBC_ALIGNMENT, |held| held.align);
        let (new_owner, align, may_refuse) = match owner {
            Owner::Kind(kind) => self.after_realloc(kind, size, align),
            Owner::Boot => self.after_realloc(Kind::Tiny, size, align),
            Owner::Libc | Owner::Foreign(_) => {
                let align = Alignment::from_exponent_folded(align.exponent().min(LIBC_ALIGNMENT.exponent()));
                let serves = self.setup.serves(Kind::Malloc, size, align);
                // Refused, too, where libc is not asked.
                (serves.then_some(Owner::Libc), align, self.is_libc_full() || self.may_refuse_libc())
            }
        };
        let granted = self.granted(slot, new_owner.is_some(), may_refuse, size, align, seen);
        let granted = match new_owner {
            Some(Owner::Kind(kind)) => granted.map_err(|verdict| self.named(kind, verdict))?,
            Some(Owner::Libc | Owner::Boot | Owner::Foreign(_)) | None => granted?,
        };
        // A block from before asks for one of the allocator's.
        self.is_up |= owner == Owner::Boot;
        let (Some(address), Some(new_owner)) = (granted, new_owner) else { return Ok(()) };
        self.note_left(owner, pointer, seen);
        let forgets = self.contract.realloc_forgets_granted;
        let before = self.ledger.get(slot).map_or(0, |held| if forgets { held.size } else { held.granted });
        self.ledger.resize(slot, new_owner, address, size, before.min(size));
        if let Owner::Kind(kind) = new_owner {
            self.note_tiny(slot, kind, size, align);
        }
        match self.ledger.get(slot) {
            Some(held) => compare(held, seen, &REALLOC),
            None => Ok(()),
        }
    }

    /// Who has the block after a reallocation, its alignment, and whether there may be no room.
    fn after_realloc(&self, kind: Kind, size: u64, align: Alignment) -> (Option<Owner>, Alignment, bool) {
        let kind = self.setup.kind_after_realloc(kind, size, align);
        (kind.map(Owner::Kind), align, kind.is_some_and(|kind| self.is_exhausted(kind, size, align)))
    }

    /// Notes what becomes of the memory that a block of the allocator's had.
    fn note_left(&mut self, owner: Owner, pointer: u64, seen: &Outcome) {
        match owner {
            Owner::Kind(Kind::Tiny) => self.superslabs.remove_block(self.setup.superslab_base(pointer)),
            Owner::Kind(Kind::Mmap) => self.kept_mappings += u32::from(seen.munmap_failed),
            Owner::Kind(Kind::Mid | Kind::L25 | Kind::BigCache | Kind::Malloc)
            | Owner::Libc
            | Owner::Boot
            | Owner::Foreign(_) => {}
        }
    }

    pub(super) fn free(&mut self, slot: Slot, delta: u64, seen: &Outcome) -> Judged {
        let pointer = self.ledger.pointer(slot).wrapping_add(delta);
        let Seen::Freed(route) = seen.result else { return Err(Verdict::diverge(&ANSWER, "result")) };
        let live = self.live_at(pointer, slot);
        self.freed = usize::from(live.is_some()) * 4 + usize::from(delta != 0) * 2;
        self.freed += usize::from(self.ledger.get(slot).is_some());
        match (live, route) {
            _ if (pointer == 0) != (route == Route::Nothing) => {
                return Err(Verdict::diverge_at(&ROUTE, "route", pointer));
            }
            (_, Route::Nothing) => {}
            (Some((block, Owner::Kind(kind))), route) => {
                if route != Route::Owner(kind) && route != Route::Fallback {
                    return Err(Verdict::diverge_at(&ROUTE, "route", pointer));
                }
                self.ledger.free(block);
                if route == Route::Fallback {
                    // Ignored, so the room that it takes may still be taken: that is for the audit to say.
                    self.ignored[kind as usize] += 1;
                } else {
                    self.note_left(Owner::Kind(kind), pointer, seen);
                }
            }
            (Some((block, Owner::Boot)), Route::Boot) => self.ledger.free(block),
            (Some((_, Owner::Boot)), _) => return Err(Verdict::diverge_at(&BOOT, "route", pointer)),
            (Some((block, Owner::Libc)), Route::Libc) => self.ledger.free(block),
            (Some((_, Owner::Libc)), Route::Refused | Route::Fallback) if self.may_refuse_libc() => return Ok(()),
            (Some((_, Owner::Libc)), _) => return Err(Verdict::diverge_at(&ROUTE, "route", pointer)),
            // The pool ignores whatever points into it.
            (Some((_, Owner::Foreign(_))) | None, Route::Refused | Route::LibcRefused | Route::Fallback)
            | (None, Route::Boot) => return Ok(()),
            (Some((_, Owner::Foreign(_))), Route::Owner(_) | Route::Libc | Route::Boot)
            | (None, Route::Owner(_) | Route::Libc) => return Err(Verdict::diverge_at(&INVALID, "route", pointer)),
        }
        if seen.errno_kept { Ok(()) } else { Err(Verdict::diverge(&ERRNO, "errno")) }
    }
}

/// What is no live block's is refused: by a refusal, by null, or by a size of 0.
fn refusal_of_nobodys(pointer: u64, seen: &Outcome) -> Judged {
    match seen.result {
        Seen::Refused | Seen::Null | Seen::Usable(0) => Ok(()),
        Seen::Block(_) | Seen::Usable(_) => Err(Verdict::diverge_at(&INVALID, "result", pointer)),
        Seen::Done | Seen::Idle | Seen::Freed(_) | Seen::Kept => Err(Verdict::diverge(&ANSWER, "result")),
    }
}

/// The law that a refusal of a live block breaks.
const fn owners_law(owner: Owner) -> &'static crate::Law {
    match owner {
        Owner::Boot => &BOOT,
        Owner::Kind(_) | Owner::Libc | Owner::Foreign(_) => &ROUTE,
    }
}
