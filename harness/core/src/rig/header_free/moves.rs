//! Moves: a few ops in a row that only mean something together, as an attacker or an unlucky program makes them. The
//! generator plays them between other ops, with slots and numbers of its own. None of them aims at a known defect
//! alone: each puts something next to a pointer that a careless `free` would look at.

use crate::random::Random;
use memtwin_models::header_free::{Alignment, Kind, Op, PAGE_BYTES, Protection, Side, Slot, Thread};

/// The most ops of a move.
pub(super) const LONGEST: usize = 12;

/// A move: ops to be played, the last one first.
#[derive(Debug, Clone)]
pub(super) struct Move {
    ops: [Op; LONGEST],
    length: usize,
}

impl Move {
    pub(super) const fn none() -> Self {
        Move { ops: [const { Op::Stats }; LONGEST], length: 0 }
    }

    /// The next op to be played.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Op> {
        self.length = self.length.checked_sub(1)?;
        Some(std::mem::replace(&mut self.ops[self.length], Op::Stats))
    }

    fn set<const N: usize>(&mut self, ops: [Op; N]) {
        const { assert!(N <= LONGEST) };
        self.length = N;
        for (place, op) in self.ops[..N].iter_mut().rev().zip(ops) {
            *place = op;
        }
    }

    /// Draws a move with these slots, which are different ones.
    pub(super) fn draw(&mut self, [first, second, third]: [Slot; 3], random: &mut Random) {
        let thread = Thread::new_folded(random.below(4).to_le_bytes()[0]);
        let free = |slot, delta| Op::Free { slot, delta, thread };
        let page = Alignment::from_exponent_folded(12);
        let map = |slot, beside| Op::MapForeign { slot, beside };
        let method = random.choose(&[Kind::Tiny, Kind::Mid, Kind::Mmap, Kind::BigCache, Kind::Malloc]);
        match random.below(16) {
            0 => self.set([map(first, first), map(second, first), free(first, 0)]),
            1 => {
                let protection = random.choose(&[Protection::None, Protection::None, Protection::Read]);
                let protect = Op::ProtectNeighbour { slot: first, side: Side::Before, protection };
                let again = Op::ProtectNeighbour { slot: first, side: Side::Before, protection: Protection::ReadWrite };
                self.set([map(first, first), map(second, first), protect, free(first, 0), again]);
            }
            2 => {
                // A forged header at the end of a page, for a pointer at the start of the next or a little after.
                let inside = u64::from(random.below(9)) * 4;
                let offset = u32::try_from(PAGE_BYTES + inside - 32).unwrap_or(0);
                let forge = Op::Forge { slot: first, offset, method };
                self.set([map(first, first), forge, free(first, PAGE_BYTES + inside)]);
            }
            3 => {
                // The same before a block without a header that begins a page.
                let forge = Op::Forge { slot: second, offset: 4064, method };
                let libc = Op::LibcAlloc { slot: first, size: 64, align: page };
                self.set([libc, map(second, first), forge, free(first, 0)]);
            }
            4 => {
                let kind = random.choose(&[Kind::Mid, Kind::L25, Kind::Mmap, Kind::BigCache, Kind::Malloc]);
                let align = Alignment::from_exponent_folded(4);
                let offset = random.below(16) * 16;
                let alloc = Op::Alloc { slot: first, kind, size: 600, align };
                let forge = Op::Forge { slot: first, offset, method };
                self.set([alloc, forge, free(first, u64::from(offset) + 32), free(first, 0)]);
            }
            5 => {
                let kind = random.choose(&Kind::ALL);
                let align = Alignment::from_exponent_folded(4);
                let size = random.magnitude(10);
                let again = Op::Alloc { slot: second, kind, size, align };
                let alloc = Op::Alloc { slot: first, kind, size, align };
                let write = Op::Write { slot: second, seed: 7, length: 64 };
                let verify = Op::Verify { slot: second };
                self.set([
                    alloc,
                    free(first, 0),
                    again,
                    write,
                    free(first, 0),
                    verify,
                    free(second, 0),
                    free(second, 0),
                ]);
            }
            6 => {
                // A block of each of three classes, so that three SuperSlabs are in use; one is given back.
                let align = Alignment::from_exponent_folded(0);
                let base = random.below(6);
                let tiny = |slot, class| Op::Alloc { slot, kind: Kind::Tiny, size: 8_u64 << class, align };
                let retire = Op::RetireSuperslab { slot: first };
                self.set([
                    tiny(first, base),
                    tiny(second, base + 1),
                    tiny(third, base + 2),
                    free(first, 0),
                    retire,
                    free(second, 0),
                    free(third, 0),
                ]);
            }
            7 => {
                let unmap = Op::UnmapNeighbour { slot: first, side: Side::Before };
                self.set([map(first, first), map(second, first), unmap, free(first, 0), free(second, 0)]);
            }
            8 => {
                let forge = Op::Forge { slot: second, offset: 4064, method };
                let alloc = Op::Alloc { slot: first, kind: Kind::Tiny, size: random.magnitude(10), align: page };
                let header = Op::Forge { slot: first, offset: 0, method };
                self.set([alloc, map(second, first), forge, header, free(first, 32), free(first, 0)]);
            }
            9 => {
                // All that the usable size grants is used, and is still there in another block.
                let kind = random.choose(&Kind::ALL);
                let alloc = Op::Alloc {
                    slot: first,
                    kind,
                    size: random.magnitude(10),
                    align: Alignment::from_exponent_folded(4),
                };
                let size = Op::UsableSize { slot: first, delta: 0 };
                let write = Op::Write { slot: first, seed: 3, length: 0x1_0000 };
                let end = Op::WriteEnd { slot: first, seed: 4, length: 64 };
                let verify = Op::Verify { slot: first };
                let bytes = random.choose(&[0x20, 0x400, 0x2000, 0x9000, 0xd000]);
                let grow = Op::Realloc { slot: first, size: bytes, delta: 0 };
                self.set([alloc, size, write, end, verify, grow, Op::Verify { slot: first }, free(first, 0)]);
            }
            10 => {
                // A pointer without a header, asked about at the start of a page.
                let libc = Op::LibcAlloc { slot: first, size: 64, align: page };
                let own = if random.one_in(2) { libc } else { map(first, first) };
                let before = map(second, first);
                let protect = Op::ProtectNeighbour { slot: first, side: Side::Before, protection: Protection::None };
                let forge = Op::Forge { slot: second, offset: 4064, method };
                let (size, delta) = (random.magnitude(10), 0);
                let grow = Op::Realloc { slot: first, size, delta };
                let ask = Op::UsableSize { slot: first, delta };
                let asked = if random.one_in(2) { [grow, ask] } else { [ask, grow] };
                let [one, other] = asked;
                match random.below(3) {
                    0 => self.set([own, one, other, free(first, 0)]),
                    1 => self.set([own, before, protect, one, other, free(first, 0)]),
                    _ => self.set([own, before, forge, one, other, free(first, 0)]),
                }
            }
            11 => {
                // A block that is gone, or its middle, is asked about; then somebody else has its place.
                let kind = random.choose(&Kind::ALL);
                let align = Alignment::from_exponent_folded(4);
                let size = random.magnitude(10);
                let alloc = |slot| Op::Alloc { slot, kind, size, align };
                let delta = random.choose(&[0, 0, 8, 16, 32, 32_u64.wrapping_neg()]);
                let ask = Op::UsableSize { slot: first, delta };
                let grow = Op::Realloc { slot: first, size: size + 100, delta };
                let again = Op::Realloc { slot: first, size: 40, delta: 0 };
                self.set([alloc(first), ask, grow, free(first, 0), alloc(second), again, free(second, 0)]);
            }
            12 => {
                // A thread ends; what others freed of its SuperSlab is asked for again.
                let align = Alignment::from_exponent_folded(0);
                let owner = first.thread();
                let other = Thread::new_folded(owner.index() + 1 + random.below(3).to_le_bytes()[0]);
                let size = random.choose(&[1024, 1024, 512]);
                let tiny = |slot| Op::Alloc { slot, kind: Kind::Tiny, size, align };
                let write = Op::Write { slot: third, seed: 9, length: 0x400 };
                let free = |slot| Op::Free { slot, delta: 0, thread: other };
                let exit = Op::ThreadExit { thread: owner };
                self.set([
                    tiny(first),
                    tiny(second),
                    tiny(third),
                    write,
                    free(first),
                    free(second),
                    exit,
                    tiny(first),
                    tiny(second),
                    Op::Verify { slot: third },
                ]);
            }
            13 => {
                // Mappings that the kernel may not take back.
                let mmap =
                    |slot, size| Op::Alloc { slot, kind: Kind::Mmap, size, align: Alignment::from_exponent_folded(4) };
                let (small, large) = (random.magnitude(12), 0x3000 + random.magnitude(14));
                let write = Op::Write { slot: second, seed: 2, length: 0x1_0000 };
                let grow = Op::Realloc { slot: second, size: 0xe000, delta: 0 };
                let verify = Op::Verify { slot: second };
                self.set([
                    mmap(first, small),
                    free(first, 0),
                    mmap(second, large),
                    write,
                    mmap(first, small),
                    grow,
                    verify,
                    free(first, 0),
                    free(second, 0),
                ]);
            }
            14 => {
                // A SuperSlab that the kernel may not take back serves on.
                let align = Alignment::from_exponent_folded(0);
                let tiny = |slot| Op::Alloc { slot, kind: Kind::Tiny, size: 64, align };
                let retire = || Op::RetireSuperslab { slot: first };
                let write = Op::Write { slot: second, seed: 2, length: 64 };
                self.set([
                    tiny(first),
                    free(first, 0),
                    retire(),
                    retire(),
                    tiny(second),
                    write,
                    Op::Verify { slot: second },
                    free(second, 0),
                ]);
            }
            _ => {
                let size = Op::UsableSize { slot: first, delta: 0 };
                let write = Op::Write { slot: first, seed: 3, length: 0x1_0000 };
                let end = Op::WriteEnd { slot: first, seed: 4, length: 16 };
                let verify = Op::Verify { slot: first };
                self.set([size, write, end, verify]);
            }
        }
    }
}
