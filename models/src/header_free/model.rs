//! The reference model. [`HeaderFreeModel`] says what it holds outcomes against. It knows no subject.

mod known;
mod ledger;
mod picture;
mod routing;
mod state;
mod superslabs;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // the numbers of tests are small
mod tests;
mod words;

use super::laws::{ALIGNED, ANSWER, BALANCE, CONTENTS, DISJOINT, ERRNO, ORPHANS, REFUSAL, RETIRE};
use super::{
    Alignment, BLOCKS, BOOT_BLOCKS, BOOT_LIMIT_BYTES, CELLS, FaultPlan, HeaderFree, HeaderFreeContract, Kind,
    MAX_END_BYTES, MAX_SHOWN_BYTES, Op, Outcome, PAGE_BYTES, Protection, Seen, Setup, Slot, View, forged_header,
};
use crate::picture::{ByteRows, Picture};
use crate::vocabulary::DescribedHere;
use crate::{Depth, Law, Model, Payload, StateMap, Verdict};
use ledger::{Held, Ledger, Owner};
use superslabs::SuperSlabs;

type Judged = Result<(), Verdict>;

/// The alignment that libc, and the pool from before the allocator is up, give every block.
const LIBC_ALIGNMENT: Alignment = Alignment::from_exponent_folded(4);

/// The reference model: a ledger of who owns what, and the bytes that the program put there.
///
/// It judges outcomes and refuses to predict where a block lies. What the contract fixes beyond the sentences of its
/// [laws](super::laws):
///
/// - A free of a live block ends in its owner's route. The one exception is the silent one: a free that falls into the
///   path that ignores unknown pointers looks to the program like any other, so the leak shows in the books, at the
///   audit.
/// - A free, a reallocation or a question about the size of what is no live block's start is refused by the allocator
///   or by libc, or ignored; nothing changes either way. Null and a size of 0 are refusals too. A live block of libc's
///   goes to libc if the allocator is preloaded; a linked one may also refuse it.
/// - Tiny requests may be refused when as many SuperSlabs are in use as the registry has slots, and none of that class
///   has room. Other kinds when as many of their blocks live as [`BLOCKS`] says, libc's when [`CELLS`] of its blocks
///   do. Blocks from before the allocator is up when the pool has served [`BOOT_BLOCKS`], freed ones included.
/// - A reallocation stays in its kind if that serves the new size, else moves to the first that does; a block from
///   before the allocator was up moves to the first that serves it, and its room is never used again. It keeps what was
///   asked for or granted by `usable_size`. libc's keeps alignments up to 16.
/// - What the kernel does not take back stays mapped: a SuperSlab is kept then, and a mapping may be.
///
/// The place of a divergence is an address, or an offset in the block (contents, realloc), or the index of a kind
/// (balance, leak).
#[derive(Debug, Clone, DescribedHere)]
pub struct HeaderFreeModel {
    setup: Setup,
    contract: HeaderFreeContract,
    ledger: Ledger,
    superslabs: SuperSlabs,
    /// Blocks whose free fell into the path that ignores, for each kind.
    ignored: [u32; 6],
    /// Whether the allocator was asked for a block.
    is_up: bool,
    /// Blocks that the pool from before handed out.
    boot_taken: u32,
    /// Whether a thread ended.
    has_orphans: bool,
    /// Times the kernel did not take back what held an mmap block.
    kept_mappings: u32,
    /// SuperSlabs that were given back.
    retired: u32,
    /// What the last free's pointer was, for features: 0 to 7.
    freed: usize,
}

impl Model<HeaderFree> for HeaderFreeModel {
    fn new(setup: &Setup, contract: &HeaderFreeContract) -> Self {
        HeaderFreeModel {
            setup: setup.clone(),
            contract: *contract,
            ledger: Ledger::new(),
            superslabs: SuperSlabs::new(),
            ignored: [0; 6],
            is_up: false,
            boot_taken: 0,
            has_orphans: false,
            kept_mappings: 0,
            retired: 0,
            freed: 0,
        }
    }

    fn reset(&mut self, setup: &Setup) {
        self.setup.clone_from(setup);
        self.ledger.clear();
        self.superslabs.clear();
        self.ignored = [0; 6];
        (self.is_up, self.boot_taken, self.has_orphans) = (false, 0, false);
        (self.kept_mappings, self.retired, self.freed) = (0, 0, 0);
    }

    #[inline]
    fn arrange(&self, _op: &Op, seen: &mut Outcome) {
        seen.clear();
    }

    #[inline]
    fn judge(&mut self, op: &Op, seen: &Outcome) -> Verdict {
        match self.step(op, seen).and_then(|()| self.judge_errno(op, seen)) {
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
        state::survey(self, depth, view);
    }

    fn audit(&self, view: &View) -> Verdict {
        match state::judge(self, view) {
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
        let plans = (self.setup.munmap as usize * 3 + self.setup.madvise as usize) * 16;
        sink.hit(7552 + plans + seen.result.class());
        let places = usize::from(self.setup.two_arenas) * 2 + usize::from(1 << 20 <= self.setup.slab_offset.0);
        sink.hit(7696 + places * 16 + seen.result.class());
        sink.hit(7760 + (32 - self.retired.leading_zeros()) as usize);
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
                self.is_up = true;
                let may_refuse = self.is_exhausted(kind, size, align);
                let serves = self.setup.serves(kind, size, align);
                let granted = self.granted(slot, serves, may_refuse, size, align, seen);
                let Some(address) = granted.map_err(|verdict| self.named(kind, verdict))? else { return Ok(()) };
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
            Op::Realloc { slot, size, delta } => self.realloc(slot, delta, size, seen),
            Op::UsableSize { slot, delta } => self.usable_size(slot, delta, seen),
            Op::BootAlloc { slot, size } => {
                if self.is_up || self.ledger.get(slot).is_some() {
                    return expect(Seen::Idle, seen);
                }
                let (serves, may_refuse) = (size <= BOOT_LIMIT_BYTES, BOOT_BLOCKS <= self.boot_taken);
                if let Some(address) = self.granted(slot, serves, may_refuse, size, LIBC_ALIGNMENT, seen)? {
                    self.boot_taken += 1;
                    self.ledger.put(slot, Owner::Boot, address, size, LIBC_ALIGNMENT);
                }
                Ok(())
            }
            Op::ThreadExit { .. } => {
                self.has_orphans = true;
                expect(Seen::Done, seen)
            }
            Op::Write { slot, seed, length } => match self.ledger.get_mut(slot).filter(|held| held.can_write()) {
                None => expect(Seen::Idle, seen),
                Some(held) => {
                    held.known.write(&Payload { seed, length: length.min(MAX_SHOWN_BYTES) }, held.granted);
                    expect(Seen::Done, seen)
                }
            },
            Op::WriteEnd { slot, seed, length } => match self.ledger.get_mut(slot).filter(|held| held.can_write()) {
                None => expect(Seen::Idle, seen),
                Some(held) => {
                    held.known.write_end(&Payload { seed, length: length.min(MAX_END_BYTES) }, held.granted);
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
                held.known.forge(offset, held.granted, &forged_header(method, pointer));
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

    /// A call that succeeded leaves errno as it was. A free says itself what its success is.
    fn judge_errno(&self, op: &Op, seen: &Outcome) -> Judged {
        let succeeded = match op {
            Op::Alloc { .. } | Op::Realloc { .. } | Op::UsableSize { .. } | Op::RetireSuperslab { .. } => {
                matches!(seen.result, Seen::Block(_) | Seen::Usable(1..) | Seen::Done)
            }
            Op::Write { .. }
            | Op::WriteEnd { .. }
            | Op::Verify { .. }
            | Op::Free { .. }
            | Op::LibcAlloc { .. }
            | Op::BootAlloc { .. }
            | Op::ThreadExit { .. }
            | Op::MapForeign { .. }
            | Op::ProtectNeighbour { .. }
            | Op::UnmapNeighbour { .. }
            | Op::Forge { .. }
            | Op::Stats => false,
        };
        let is_bound = succeeded && !self.contract.errno_of_success;
        if seen.errno_kept || !is_bound { Ok(()) } else { Err(Verdict::diverge(&ERRNO, "errno")) }
    }

    /// The law that a tiny block's refusal breaks, once threads have left SuperSlabs behind.
    fn named(&self, kind: Kind, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Diverge(divergence)
                if self.has_orphans && kind == Kind::Tiny && divergence.law == REFUSAL.name =>
            {
                Verdict::diverge(&ORPHANS, divergence.field)
            }
            Verdict::Agree | Verdict::Diverge(_) | Verdict::Moot { .. } => verdict,
        }
    }

    /// Whether there may be no room left for a block of this kind.
    fn is_exhausted(&self, kind: Kind, size: u64, align: Alignment) -> bool {
        match kind {
            Kind::Tiny => {
                self.setup.tiny_class(size, align).is_some_and(|class| self.superslabs.may_refuse(&self.setup, class))
            }
            Kind::Malloc => self.is_libc_full(),
            // What the kernel did not take back may take up room.
            Kind::Mmap => BLOCKS[kind as usize] <= self.taken(kind) + self.kept_mappings,
            Kind::Mid | Kind::L25 | Kind::BigCache => BLOCKS[kind as usize] <= self.taken(kind),
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
            Seen::Done | Seen::Idle | Seen::Usable(_) | Seen::Freed(_) | Seen::Kept | Seen::Refused => {
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

    /// The SuperSlab that a slot's pointer, fresh or stale, lies in.
    fn retirable(&self, slot: Slot) -> Option<u64> {
        let held = self.ledger.last(slot).filter(|held| held.owner == Owner::Kind(Kind::Tiny))?;
        Some(self.setup.superslab_base(held.address))
    }

    fn retire(&mut self, slot: Slot, seen: &Outcome) -> Judged {
        let Some(base) = self.retirable(slot) else { return expect(Seen::Idle, seen) };
        let is_empty = self.superslabs.live_blocks(base) == Some(0);
        match (seen.result, is_empty) {
            (Seen::Done, true) if self.setup.munmap == FaultPlan::Always => {
                Err(Verdict::diverge_at(&RETIRE, "result", base))
            }
            (Seen::Done, true) => {
                self.superslabs.retire(base);
                self.retired += 1;
                Ok(())
            }
            (Seen::Kept, false) => Ok(()),
            (Seen::Kept, true) if seen.munmap_failed => Ok(()),
            (Seen::Done, false) | (Seen::Kept, true) => Err(Verdict::diverge_at(&RETIRE, "result", base)),
            (Seen::Block(_) | Seen::Null | Seen::Idle | Seen::Usable(_) | Seen::Freed(_) | Seen::Refused, _) => {
                Err(Verdict::diverge(&ANSWER, "result"))
            }
        }
    }
}

fn expect(result: Seen, seen: &Outcome) -> Judged {
    if seen.result == result { Ok(()) } else { Err(Verdict::diverge(&ANSWER, "result")) }
}

/// Holds the bytes that the program looked at against those that it put there.
fn compare(held: &Held, seen: &Outcome, law: &'static Law) -> Judged {
    if seen.shown_bytes as usize != held.known.length() {
        return Err(Verdict::diverge(&ANSWER, "bytes"));
    }
    match held.known.difference(seen.shown()) {
        None => Ok(()),
        Some(offset) => Err(Verdict::diverge_at(law, "bytes", offset)),
    }
}
