//! The reference model. [`HeaderFreeModel`] says what it holds outcomes against. It knows no subject.

mod ledger;
mod picture;
mod superslabs;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // the numbers of tests are small
mod tests;
mod words;

use super::laws::{
    ALIGNED, ANSWER, BALANCE, CONTENTS, DISJOINT, ERRNO, INVALID, LEAK, REALLOC, REFUSAL, REGISTERED, RETIRE, ROUTE,
    USABLE,
};
use super::{
    Alignment, BLOCKS, CELLS, HeaderFree, HeaderFreeContract, Kind, Mode, Op, Outcome, PAGE_BYTES, Protection, Route,
    Seen, Setup, Slot, View, forged_header,
};
use crate::picture::{ByteRows, Picture};
use crate::vocabulary::DescribedHere;
use crate::{Depth, Law, Model, StateMap, Verdict};
use ledger::{Held, Ledger, Owner};
use superslabs::SuperSlabs;

type Judged = Result<(), Verdict>;

/// The reference model: a ledger of who owns what, and the bytes that the program put there.
///
/// It judges outcomes and refuses to predict where a block lies. What the contract fixes beyond the sentences of its
/// [laws](super::laws):
///
/// - A free of a live block ends in its owner's route. The one exception is the silent one: a free that falls into the
///   path that ignores unknown pointers looks to the program like any other, so the leak shows in the books, at the
///   audit.
/// - A free of what is no live block's start is refused by the allocator or by libc, or ignored; nothing changes either
///   way. A live block of libc's goes to libc if the allocator is preloaded; a linked one may also refuse it.
/// - Tiny requests may be refused when as many SuperSlabs are in use as the registry has slots, and none of that class
///   has room. Other kinds when as many of their blocks live as [`BLOCKS`] says, libc's when [`CELLS`] of its blocks
///   do.
/// - A reallocation stays in its kind if that serves the new size, else moves to the first that does. It keeps bytes up
///   to the size that was asked for; what `usable_size` granted beyond is lost.
///
/// The place of a divergence is an address, or an offset in the block (contents, realloc), or the index of a kind
/// (balance, leak).
#[derive(Debug, Clone, DescribedHere)]
pub struct HeaderFreeModel {
    setup: Setup,
    ledger: Ledger,
    superslabs: SuperSlabs,
    /// Blocks whose free fell into the path that ignores, for each kind.
    ignored: [u32; 6],
    /// What the last free's pointer was, for features: 0 to 7.
    freed: usize,
}

impl Model<HeaderFree> for HeaderFreeModel {
    fn new(setup: &Setup, _contract: &HeaderFreeContract) -> Self {
        HeaderFreeModel {
            setup: setup.clone(),
            ledger: Ledger::new(),
            superslabs: SuperSlabs::new(),
            ignored: [0; 6],
            freed: 0,
        }
    }

    fn reset(&mut self, setup: &Setup) {
        self.setup.clone_from(setup);
        self.ledger.clear();
        self.superslabs.clear();
        self.ignored = [0; 6];
        self.freed = 0;
    }

    #[inline]
    fn arrange(&self, _op: &Op, seen: &mut Outcome) {
        seen.clear();
    }

    #[inline]
    fn judge(&mut self, op: &Op, seen: &Outcome) -> Verdict {
        match self.step(op, seen) {
            Ok(()) => Verdict::Agree,
            Err(verdict) => verdict,
        }
    }

    fn allowed(&self, op: &Op) -> String {
        words::allowed(self, op)
    }

    fn picture(&self, op: Option<&Op>) -> Picture {
        picture::picture(self, op)
    }

    fn byte_rows(&self, op: &Op, seen: &Outcome) -> Option<ByteRows> {
        picture::byte_rows(self, op, seen)
    }

    fn state_rows(&self, view: &View) -> Option<ByteRows> {
        picture::state_rows(self, view)
    }

    fn survey(&self, depth: Depth, view: &mut View) {
        view.wanted.clear();
        view.bytes.clear();
        (view.books, view.libc_blocks, view.mappings, view.superslabs) = (None, None, None, None);
        if depth == Depth::Full {
            let readable = self.ledger.iter().filter(|(_, held)| held.can_read() && !held.known.is_empty());
            view.wanted.extend(readable.map(|(slot, held)| (u8::from(slot), shown_length(held))));
        }
    }

    fn audit(&self, view: &View) -> Verdict {
        match self.judge_state(view) {
            Ok(()) => Verdict::Agree,
            Err(verdict) => verdict,
        }
    }

    fn features(&self, op: &Op, seen: &Outcome, sink: &mut StateMap<'_>) {
        let this = op.kind() as usize * 16 + seen.result.class();
        let size = op.slot().and_then(|slot| self.ledger.last(slot)).map_or(0, |held| 64 - held.size.leading_zeros());
        sink.hit(this * 16 + (size as usize).min(15));
        sink.hit(4096 + this * 8 + self.freed);
        // What a route means depends on the setup, so that each setup is worth a look of its own.
        let setup =
            (self.setup.mode as usize * 4 + self.setup.mincore as usize) * 2 + usize::from(self.setup.tiny_header);
        sink.hit(7168 + setup * 16 + seen.result.class());
        let slabs = self.superslabs.count().min(16);
        sink.hit(6144 + slabs * 16 + (self.ledger.live() as usize / 4).min(15));
        for (index, blocks) in self.ledger.blocks.iter().enumerate() {
            sink.hit(6528 + index * 64 + (*blocks).min(63) as usize);
        }
    }
}

impl HeaderFreeModel {
    fn step(&mut self, op: &Op, seen: &Outcome) -> Judged {
        match *op {
            Op::Alloc { slot, kind, size, align } => {
                if self.ledger.get(slot).is_some() {
                    return expect(Seen::Idle, seen);
                }
                let may_refuse = self.is_exhausted(kind, size, align);
                let serves = self.setup.serves(kind, size, align);
                let Some(address) = self.granted(slot, serves, may_refuse, size, align, seen)? else { return Ok(()) };
                self.ledger.put(slot, Owner::Kind(kind), address, size, align);
                self.note_tiny(slot, kind, size, align);
                Ok(())
            }
            Op::LibcAlloc { slot, size, align } => {
                if self.ledger.get(slot).is_some() {
                    return expect(Seen::Idle, seen);
                }
                let serves = self.setup.serves(Kind::Malloc, size, align);
                let may_refuse = self.is_libc_full();
                if let Some(address) = self.granted(slot, serves, may_refuse, size, align, seen)? {
                    self.ledger.put(slot, Owner::Libc, address, size, align);
                }
                Ok(())
            }
            Op::Realloc { slot, size } => self.realloc(slot, size, seen),
            Op::UsableSize { slot } => {
                let Some((_, held)) = self.own(slot) else { return expect(Seen::Idle, seen) };
                let (address, size) = (held.address, held.size);
                let Seen::Usable(usable) = seen.result else { return Err(Verdict::diverge(&ANSWER, "result")) };
                if usable < size {
                    return Err(Verdict::diverge_at(&USABLE, "size", usable));
                }
                if let Some(other) = self.ledger.overlapping(address, usable, slot) {
                    return Err(Verdict::diverge_at(&USABLE, "size", other));
                }
                if let Some(held) = self.ledger.get_mut(slot) {
                    held.granted = held.granted.max(usable);
                }
                Ok(())
            }
            Op::Write { slot, seed, length } => match self.ledger.get_mut(slot).filter(|held| held.can_write()) {
                None => expect(Seen::Idle, seen),
                Some(held) => {
                    held.write(seed, length.min(super::MAX_SHOWN_BYTES));
                    expect(Seen::Done, seen)
                }
            },
            Op::Verify { slot } => match self.ledger.get(slot).filter(|held| held.can_read()) {
                None => expect(Seen::Idle, seen),
                Some(held) => {
                    expect(Seen::Done, seen)?;
                    compare(held, seen, &CONTENTS)
                }
            },
            Op::Free { slot, delta, .. } => self.free(slot, delta, seen),
            Op::MapForeign { slot, .. } => {
                if let Some(held) = self.ledger.get(slot) {
                    if !matches!(held.owner, Owner::Foreign(_)) {
                        return expect(Seen::Idle, seen);
                    }
                    self.ledger.free(slot);
                }
                let page = Alignment::from_exponent_folded(12);
                let Some(address) = self.granted(slot, true, false, PAGE_BYTES, page, seen)? else { return Ok(()) };
                self.ledger.put(slot, Owner::Foreign(Protection::ReadWrite), address, PAGE_BYTES, page);
                Ok(())
            }
            Op::ProtectNeighbour { slot, side, protection } => {
                let page = self.ledger.get(slot).map(|held| Ledger::neighbour(held, side));
                let Some(neighbour) = page.and_then(|page| self.ledger.foreign_page(page)) else {
                    return expect(Seen::Idle, seen);
                };
                if let Some(held) = self.ledger.get_mut(neighbour) {
                    held.owner = Owner::Foreign(protection);
                }
                expect(Seen::Done, seen)
            }
            Op::UnmapNeighbour { slot, side } => {
                let page = self.ledger.get(slot).map(|held| Ledger::neighbour(held, side));
                let Some(neighbour) = page.and_then(|page| self.ledger.foreign_page(page)) else {
                    return expect(Seen::Idle, seen);
                };
                self.ledger.free(neighbour);
                expect(Seen::Done, seen)
            }
            Op::Forge { slot, offset, method } => {
                let offset = u64::from(offset);
                let target = self.ledger.get_mut(slot).filter(|held| held.can_write() && offset < held.granted);
                let Some(held) = target else { return expect(Seen::Idle, seen) };
                let pointer = held.address.wrapping_add(offset).wrapping_add(super::HEADER_BYTES);
                held.forge(offset, &forged_header(method, pointer));
                expect(Seen::Done, seen)
            }
            Op::RetireSuperslab { slot } => self.retire(slot, seen),
            Op::Stats => {
                expect(Seen::Done, seen)?;
                let short = (0..).zip(seen.books.iter().zip(self.ledger.blocks));
                let mut short =
                    short.filter(|(_, (book, live))| book.live() < u64::from(*live) || book.allocated < book.freed);
                short.next().map_or(Ok(()), |(kind, _)| Err(Verdict::diverge_at(&BALANCE, "books", kind)))
            }
        }
    }

    /// The block of the allocator's that a slot holds.
    fn own(&self, slot: Slot) -> Option<(Kind, &Held)> {
        let held = self.ledger.get(slot)?;
        match held.owner {
            Owner::Kind(kind) => Some((kind, held)),
            Owner::Libc | Owner::Foreign(_) => None,
        }
    }

    /// Whether there may be no room left for a block of this kind.
    fn is_exhausted(&self, kind: Kind, size: u64, align: Alignment) -> bool {
        match kind {
            Kind::Tiny => {
                self.setup.tiny_class(size, align).is_some_and(|class| self.superslabs.may_refuse(&self.setup, class))
            }
            Kind::Malloc => self.is_libc_full(),
            Kind::Mid | Kind::L25 | Kind::Mmap | Kind::BigCache => BLOCKS[kind as usize] <= self.taken(kind),
        }
    }

    /// How many blocks of a kind may take up room.
    fn taken(&self, kind: Kind) -> u32 {
        self.ledger.blocks[kind as usize] + self.ignored[kind as usize]
    }

    fn is_libc_full(&self) -> bool {
        CELLS <= self.ledger.libc_blocks + self.taken(Kind::Malloc)
    }

    /// Judges the answer to a request for memory; the address if there is one. What `slot` holds may be given up.
    fn granted(
        &self,
        slot: Slot,
        serves: bool,
        may_refuse: bool,
        size: u64,
        align: Alignment,
        seen: &Outcome,
    ) -> Result<Option<u64>, Verdict> {
        let address = match seen.result {
            Seen::Null if !serves || may_refuse => return Ok(None),
            Seen::Block(address) if serves => address,
            Seen::Null | Seen::Block(_) => return Err(Verdict::diverge(&REFUSAL, "result")),
            Seen::Done | Seen::Idle | Seen::Usable(_) | Seen::Freed(_) | Seen::Kept => {
                return Err(Verdict::diverge(&ANSWER, "result"));
            }
        };
        if address == 0 || !address.is_multiple_of(align.bytes()) {
            return Err(Verdict::diverge_at(&ALIGNED, "block", address));
        }
        match self.ledger.overlapping(address, size, slot) {
            Some(other) => Err(Verdict::diverge_at(&DISJOINT, "block", other)),
            None => Ok(Some(address)),
        }
    }

    /// Notes which SuperSlab a new tiny block came from.
    fn note_tiny(&mut self, slot: Slot, kind: Kind, size: u64, align: Alignment) {
        if let (Kind::Tiny, Some(class)) = (kind, self.setup.tiny_class(size, align)) {
            self.superslabs.add_block(self.setup.superslab_base(self.ledger.pointer(slot)), class);
        }
    }

    fn realloc(&mut self, slot: Slot, size: u64, seen: &Outcome) -> Judged {
        let Some((kind, held)) = self.own(slot) else { return expect(Seen::Idle, seen) };
        let (old_address, align) = (held.address, held.align);
        let new_kind = self.setup.kind_after_realloc(kind, size, align);
        let may_refuse = new_kind.is_some_and(|kind| self.is_exhausted(kind, size, align));
        let granted = self.granted(slot, new_kind.is_some(), may_refuse, size, align, seen)?;
        let (Some(address), Some(new_kind)) = (granted, new_kind) else { return Ok(()) };
        if kind == Kind::Tiny {
            self.superslabs.remove_block(self.setup.superslab_base(old_address));
        }
        self.ledger.resize(slot, new_kind, address, size);
        self.note_tiny(slot, new_kind, size, align);
        match self.ledger.get(slot) {
            Some(held) => compare(held, seen, &REALLOC),
            None => Ok(()),
        }
    }

    fn free(&mut self, slot: Slot, delta: u64, seen: &Outcome) -> Judged {
        let pointer = self.ledger.pointer(slot).wrapping_add(delta);
        let Seen::Freed(route) = seen.result else { return Err(Verdict::diverge(&ANSWER, "result")) };
        let owner = self.ledger.owner_of(pointer, slot);
        self.freed = usize::from(owner.is_some()) * 4 + usize::from(delta != 0) * 2;
        self.freed += usize::from(self.ledger.get(slot).is_some());
        let live = owner.and_then(|owner| Some((owner, self.ledger.get(owner)?.owner)));
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
                } else if kind == Kind::Tiny {
                    self.superslabs.remove_block(self.setup.superslab_base(pointer));
                }
            }
            (Some((block, Owner::Libc)), Route::Libc) => self.ledger.free(block),
            (Some((_, Owner::Libc)), Route::Refused | Route::Fallback) if self.setup.mode != Mode::LdPreload => {
                return Ok(());
            }
            (Some((_, Owner::Libc)), _) => return Err(Verdict::diverge_at(&ROUTE, "route", pointer)),
            (Some((_, Owner::Foreign(_))) | None, Route::Refused | Route::LibcRefused | Route::Fallback) => {
                return Ok(());
            }
            (Some((_, Owner::Foreign(_))) | None, Route::Owner(_) | Route::Libc) => {
                return Err(Verdict::diverge_at(&INVALID, "route", pointer));
            }
        }
        if seen.errno_kept { Ok(()) } else { Err(Verdict::diverge(&ERRNO, "errno")) }
    }

    /// The SuperSlab that a slot's pointer, fresh or stale, lies in.
    fn retirable(&self, slot: Slot) -> Option<u64> {
        let held = self.ledger.last(slot).filter(|held| held.owner == Owner::Kind(Kind::Tiny))?;
        Some(self.setup.superslab_base(held.address))
    }

    fn retire(&mut self, slot: Slot, seen: &Outcome) -> Judged {
        let Some(base) = self.retirable(slot) else { return expect(Seen::Idle, seen) };
        let is_empty = self.superslabs.live_blocks(base) == Some(0);
        match (seen.result, is_empty) {
            (Seen::Done, true) => {
                self.superslabs.retire(base);
                Ok(())
            }
            (Seen::Kept, false) => Ok(()),
            (Seen::Done, false) | (Seen::Kept, true) => Err(Verdict::diverge_at(&RETIRE, "result", base)),
            (Seen::Block(_) | Seen::Null | Seen::Idle | Seen::Usable(_) | Seen::Freed(_), _) => {
                Err(Verdict::diverge(&ANSWER, "result"))
            }
        }
    }

    fn judge_state(&self, view: &View) -> Judged {
        let mut bytes = view.bytes.as_slice();
        for &(slot, length) in &view.wanted {
            let Some(held) = self.ledger.get(Slot::new_folded(slot)) else { continue };
            // A subject that shows nothing is not held against it; one that shows something shows it all.
            let Some((shown, rest)) = bytes.split_at_checked(length as usize) else { break };
            if let Some(offset) = shown.iter().zip(&held.known).position(|(seen, known)| seen != known) {
                return Err(Verdict::diverge_at(&CONTENTS, "state", held.address.wrapping_add(offset as u64)));
            }
            bytes = rest;
        }
        if let Some(books) = &view.books {
            for ((kind, book), live) in (0..).zip(books).zip(self.ledger.blocks) {
                if book.live() != u64::from(live) {
                    return Err(Verdict::diverge_at(&LEAK, "books", kind));
                }
            }
        }
        let malloc_blocks = self.ledger.blocks[Kind::Malloc as usize];
        let libc_blocks = u64::from(self.ledger.libc_blocks + malloc_blocks);
        if view.libc_blocks.is_some_and(|blocks| blocks != libc_blocks) {
            return Err(Verdict::diverge_at(&LEAK, "libc", Kind::Malloc as u64));
        }
        if view.mappings.is_some_and(|mappings| mappings != u64::from(self.ledger.blocks[Kind::Mmap as usize])) {
            return Err(Verdict::diverge_at(&LEAK, "mappings", Kind::Mmap as u64));
        }
        match view.superslabs {
            Some((mapped, registered)) if mapped != registered => Err(Verdict::diverge(&REGISTERED, "superslabs")),
            Some((mapped, _)) if mapped != self.superslabs.count() as u64 => {
                Err(Verdict::diverge(&REGISTERED, "superslabs"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn shown_length(held: &Held) -> u32 {
    u32::try_from(held.known.len()).unwrap_or(u32::MAX)
}

fn expect(result: Seen, seen: &Outcome) -> Judged {
    if seen.result == result { Ok(()) } else { Err(Verdict::diverge(&ANSWER, "result")) }
}

/// Holds the bytes that the program looked at against those that it put there.
fn compare(held: &Held, seen: &Outcome, law: &'static Law) -> Judged {
    if seen.shown_bytes != shown_length(held) {
        return Err(Verdict::diverge(&ANSWER, "bytes"));
    }
    if seen.shown() == held.known.as_slice() {
        return Ok(());
    }
    let offset = seen.shown().iter().zip(&held.known).position(|(seen, known)| seen != known);
    Err(Verdict::diverge_at(law, "bytes", offset.unwrap_or(0) as u64))
}
