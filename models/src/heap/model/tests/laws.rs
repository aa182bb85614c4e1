//! The laws by hand: each with an outcome or a state that breaks it, and the place that the divergence names.

use super::super::super::{
    Alignment, AnyAlignment, FreedBy, HeapContract, Held, Op, Order, Outcome, SecondRegion, Seen, Setup, Size, Slot,
    View, laws,
};
use super::super::HeapModel;
use super::naive::{C_ARENA, Naive};
use crate::{Contract as _, Depth, Divergence, Law, Model as _, Verdict};

pub(super) const A: Slot = Slot::new_folded(0);
pub(super) const B: Slot = Slot::new_folded(1);
/// Where the arena begins.
pub(super) const START: u64 = super::super::super::ARENA_BASE;

/// A model that has taken some agreed steps, beside the naive arena.
pub(super) struct Bench {
    model: HeapModel,
    naive: Naive,
    seen: Outcome,
}

impl Bench {
    /// An arena of 256 bytes.
    pub(super) fn after(ops: &[Op]) -> Self {
        Self::under(&HeapContract::STRICT, &Setup::flat(256), ops)
    }

    pub(super) fn under(contract: &HeapContract, setup: &Setup, ops: &[Op]) -> Self {
        let model = HeapModel::new(setup, contract);
        let mut bench = Bench { model, naive: Naive::new(setup, contract), seen: Outcome::default() };
        for op in ops {
            assert_eq!(bench.verdict(op, |_| {}), Verdict::Agree, "{op:?}");
        }
        bench
    }

    pub(super) fn verdict(&mut self, op: &Op, alter: impl FnOnce(&mut Outcome)) -> Verdict {
        self.model.arrange(op, &mut self.seen);
        self.naive.apply(op, &mut self.seen);
        alter(&mut self.seen);
        self.model.judge(op, &self.seen)
    }

    #[track_caller]
    fn diverges(mut self, op: &Op, law: &Law, place: Option<u64>, alter: impl FnOnce(&mut Outcome)) {
        expect(self.verdict(op, alter), law, place);
    }

    #[track_caller]
    fn agrees(mut self, op: &Op, alter: impl FnOnce(&mut Outcome)) -> Self {
        assert_eq!(self.verdict(op, alter), Verdict::Agree);
        self
    }

    #[track_caller]
    fn state_diverges(self, law: &Law, place: Option<u64>, alter: impl FnOnce(&mut View)) {
        let mut view = View::default();
        self.model.survey(Depth::Full, &mut view);
        self.naive.view(&mut view);
        assert_eq!(self.model.audit(&view), Verdict::Agree);
        alter(&mut view);
        expect(self.model.audit(&view), law, place);
    }
}

#[track_caller]
fn expect(verdict: Verdict, law: &Law, place: Option<u64>) {
    let Verdict::Diverge(Divergence { law: seen_law, field: _, place: seen_place }) = verdict else {
        panic!("{verdict:?} instead of {}", law.name);
    };
    assert_eq!((seen_law, seen_place), (law.name, place));
}

pub(super) fn malloc(slot: Slot, size: u64) -> Op {
    Op::Malloc { slot, size: Size(size) }
}

pub(super) fn alloc(slot: Slot, size: u64, exponent: u8) -> Op {
    Op::Alloc { slot, size: Size(size), align: Alignment::from_exponent_folded(exponent) }
}

pub(super) fn realloc(slot: Slot, size: u64) -> Op {
    Op::Realloc { slot, size: Size(size) }
}

fn calloc(slot: Slot, count: u64, size: u64) -> Op {
    Op::Calloc { slot, count: Size(count), size: Size(size) }
}

fn posix(align: u64) -> Op {
    Op::PosixMemalign { slot: A, align: AnyAlignment(align), size: Size(8) }
}

pub(super) fn largest(exponent: u8) -> Op {
    Op::Largest { align: Alignment::from_exponent_folded(exponent) }
}

pub(super) const FREE: Op = Op::Free { slot: A };
pub(super) const FREE_ALL: Op = Op::FreeAll { order: Order::Forward };
pub(super) const USABLE: Op = Op::UsableSize { slot: A };
const VERIFY: Op = Op::Verify { slot: A };

pub(super) fn answers(result: Seen) -> impl Fn(&mut Outcome) {
    move |seen| seen.result = result
}

/// Another byte at an offset of one of the windows that were shown.
pub(super) fn with_byte(window: usize, offset: usize) -> impl Fn(&mut Outcome) {
    move |seen| {
        let mut shown: Vec<_> = seen.shown.iter().map(|(window, bytes)| (window, bytes.to_vec())).collect();
        shown[window].1[offset] ^= 1;
        seen.shown.clear();
        shown.iter().for_each(|(window, bytes)| seen.shown.room(*window).copy_from_slice(bytes));
    }
}

#[test]
fn answer() {
    let law = &laws::ANSWER;
    for (op, result) in [
        (malloc(A, 8), Seen::Done),
        (malloc(A, 8), Seen::Skipped),
        (malloc(A, 8), Seen::Invalid),
        (alloc(A, 8, 0), Seen::Unaskable),
        (FREE, Seen::Done),
        (realloc(A, 8), Seen::Null),
        (largest(0), Seen::Done),
        (Op::AddRegion, Seen::Done),
        (Op::Extend { bytes: 1 }, Seen::Done),
        (FREE_ALL, Seen::Done),
    ] {
        Bench::after(&[]).diverges(&op, law, None, answers(result));
    }
    let fill = Op::Fill { slot: A, count: 3, size: Size(8) };
    Bench::after(&[]).diverges(&fill, law, None, |seen| seen.batch.truncate(2));
    Bench::after(&[]).diverges(&fill, law, None, |seen| seen.batch.push(START + 64));
    Bench::after(&[]).diverges(&fill, law, None, answers(Seen::Null));
    // No layout says a size that its alignment rounds beyond PTRDIFF_MAX; one byte less is said.
    let near = (u64::MAX >> 1) - 15;
    Bench::after(&[]).agrees(&malloc(A, near + 1), answers(Seen::Unaskable));
    Bench::after(&[]).diverges(&malloc(A, near), law, None, answers(Seen::Unaskable));
    Bench::after(&[]).agrees(&alloc(A, 0, 63), answers(Seen::Unaskable));
}

#[test]
fn null_needs_a_reason() {
    let law = &laws::REFUSAL;
    let null = || answers(Seen::Null);
    let with_errno = |seen: &mut Outcome| (seen.result, seen.errno) = (Seen::Null, Some(12));
    Bench::after(&[]).diverges(&alloc(A, 256, 0), law, None, null());
    Bench::after(&[]).agrees(&alloc(A, 257, 0), |_| {});
    Bench::after(&[]).diverges(&alloc(A, 193, 6), law, None, null());
    Bench::after(&[]).agrees(&alloc(A, 194, 6), with_errno);
    Bench::after(&[]).agrees(&malloc(A, 0), with_errno);
    let block = answers(Seen::Block(START));
    Bench::after(&[]).diverges(&malloc(A, 1 << 63), law, None, block);
    let calloc = Op::Calloc { slot: A, count: Size(1 << 32), size: Size(1 << 32) };
    Bench::after(&[]).diverges(&calloc, law, None, answers(Seen::Block(START)));
    let fill = Op::Fill { slot: A, count: 2, size: Size(64) };
    Bench::after(&[]).diverges(&fill, law, None, |seen| {
        (seen.result, seen.errno) = (Seen::Null, Some(12));
        seen.batch[1] = 0;
    });
    // Between two blocks there are 64 bytes, and a block of no bytes has one of them to itself.
    let ends = [malloc(A, 96), malloc(B, 64), malloc(Slot::new_folded(2), 96), Op::Free { slot: B }];
    let empty = [&ends[..], &[alloc(B, 0, 0)]].concat();
    let other = Slot::new_folded(3);
    Bench::after(&ends).diverges(&alloc(other, 64, 0), law, None, null());
    Bench::after(&empty).agrees(&alloc(other, 64, 0), with_errno);
    Bench::after(&[]).diverges(&largest(0), law, Some(255), answers(Seen::Bytes(255)));
    let extended = Setup { extend_bytes: 64, ..Setup::flat(256) };
    let longer = || Bench::under(&HeapContract::STRICT, &extended, &[Op::Extend { bytes: 64 }]);
    longer().diverges(&malloc(A, 300), law, None, null());
    let second = Setup { second: Some(SecondRegion { gap_bytes: 1, bytes: 300 }), ..Setup::flat(256) };
    Bench::under(&HeapContract::STRICT, &second, &[Op::AddRegion]).diverges(&alloc(A, 300, 0), law, None, null());
}

#[test]
fn a_heap_with_memory_of_its_own_refuses_what_is_huge() {
    let contract = HeapContract::LIBRARY;
    let bench = || Bench::under(&contract, &Setup::flat(256), &[]);
    let null = |seen: &mut Outcome| (seen.result, seen.errno) = (Seen::Null, Some(12));
    bench().agrees(&malloc(A, 1 << 30), null);
    bench().diverges(&malloc(A, 1 << 29), &laws::REFUSAL, None, null);
    // Once much is live, and once the system has refused something, it may refuse anything.
    let live = bench().agrees(&malloc(A, 1 << 40), answers(Seen::Block(0x7000_0000_0000)));
    let live = live.agrees(&malloc(B, 8), null);
    // All of it might be copied, or written with zeros.
    let live = live.agrees(&realloc(A, 1 << 41), answers(Seen::Vacant));
    let live = live.agrees(&realloc(A, (64 << 10) + 1), answers(Seen::Vacant));
    let live = live.agrees(&calloc(B, 1, (64 << 10) + 1), answers(Seen::Vacant));
    live.diverges(&realloc(A, 64 << 10), &laws::ANSWER, None, answers(Seen::Vacant));
    bench().agrees(&calloc(A, 1, (8 << 20) + 1), answers(Seen::Vacant));
    bench().diverges(&calloc(A, 1, 8 << 20), &laws::ANSWER, None, answers(Seen::Vacant));
    // Nor does it ask for what the contract says is not asked for.
    let small = HeapContract { largest_align: 64, largest_size: 100, ..HeapContract::ARENA };
    let small = || Bench::under(&small, &Setup::flat(1 << 16), &[]);
    small().agrees(&alloc(A, 8, 7), answers(Seen::Vacant)).agrees(&alloc(A, 101, 0), answers(Seen::Vacant));
    small().diverges(&alloc(A, 100, 6), &laws::ANSWER, None, answers(Seen::Vacant));
    let much = || bench().agrees(&malloc(A, 1 << 40), answers(Seen::Block(0x7000_0000_0000)));
    much().agrees(&malloc(B, (64 << 10) + 1), answers(Seen::Vacant));
    much().diverges(&malloc(B, 64 << 10), &laws::ANSWER, None, answers(Seen::Vacant));
    much().agrees(&Op::Fill { slot: B, count: 9, size: Size(1 << 20) }, |seen| {
        seen.result = Seen::Done;
        seen.batch.clear();
    });
    much().agrees(&posix(24), answers(Seen::Invalid));
    // Nobody answers the first, and the second is no size.
    bench().agrees(&calloc(A, 1, 1 << 47), null);
    bench().agrees(&calloc(A, 1 << 40, 1 << 40), null);
    let refused = bench().agrees(&malloc(A, 8), |seen| {
        null(seen);
        seen.system_refused = true;
    });
    refused.agrees(&malloc(A, 8), null);
}

#[test]
fn blocks_lie_right() {
    let first = [alloc(A, 24, 0)];
    let block = |address| answers(Seen::Block(address));
    Bench::after(&first).diverges(&alloc(B, 8, 0), &laws::INSIDE, Some(START - 8), block(START - 8));
    Bench::after(&first).diverges(&alloc(B, 8, 0), &laws::INSIDE, Some(START + 249), block(START + 249));
    Bench::after(&first).diverges(&alloc(B, 8, 0), &laws::INSIDE, Some(u64::MAX), block(u64::MAX));
    Bench::after(&first).diverges(&alloc(B, 8, 4), &laws::ALIGNED, Some(START + 40), block(START + 40));
    Bench::after(&first).diverges(&malloc(B, 8), &laws::ALIGNED, Some(START + 36), block(START + 36));
    Bench::after(&first).diverges(&alloc(B, 8, 3), &laws::DISJOINT, Some(START), block(START + 16));
    Bench::after(&first).agrees(&alloc(B, 8, 3), block(START + 24));
    let two = [alloc(A, 24, 0), alloc(B, 8, 0)];
    Bench::after(&two).diverges(&realloc(A, 25), &laws::DISJOINT, Some(START + 24), block(START));
    // In Rust a block keeps its alignment, in C it does not.
    let aligned = [alloc(A, 24, 6)];
    Bench::after(&aligned).diverges(&realloc(A, 40), &laws::ALIGNED, Some(START + 32), block(START + 32));
    let in_c = Bench::under(
        &C_ARENA,
        &Setup::flat(256),
        &[Op::Memalign { slot: A, align: Alignment::from_exponent_folded(6), size: Size(24) }],
    );
    in_c.agrees(&realloc(A, 40), block(START + 32));
    // At the end of the address space.
    let own = Bench::under(&HeapContract::LIBRARY, &Setup::flat(256), &[]);
    own.diverges(&malloc(A, 0), &laws::INSIDE, Some(u64::MAX), block(u64::MAX));
}

#[test]
fn errors_are_numbered() {
    let law = &laws::ERRNO;
    Bench::after(&[]).diverges(&malloc(A, 300), law, None, |seen| seen.errno = Some(0));
    Bench::after(&[]).agrees(&malloc(A, 300), |seen| seen.errno = None);
    Bench::after(&[malloc(A, 8)]).diverges(&FREE, law, None, |seen| seen.errno = Some(11));
    Bench::after(&[]).diverges(&Op::FreeNull, law, None, |seen| seen.errno = Some(22));
    let law = &laws::INVALID;
    Bench::after(&[]).diverges(&posix(24), law, Some(24), answers(Seen::Block(START)));
    Bench::after(&[]).diverges(&posix(4), law, Some(4), answers(Seen::Null));
    Bench::after(&[]).diverges(&posix(16), law, Some(16), answers(Seen::Invalid));
}

#[test]
fn bytes_survive() {
    let written = [malloc(A, 40)];
    Bench::after(&written).diverges(&VERIFY, &laws::CONTENTS, Some(39), with_byte(0, 39));
    Bench::after(&written).diverges(&FREE, &laws::CONTENTS, Some(3), with_byte(0, 3));
    Bench::after(&written).diverges(&malloc(A, 8), &laws::CONTENTS, Some(3), with_byte(0, 3));
    Bench::after(&written).diverges(&FREE_ALL, &laws::CONTENTS, Some(7), with_byte(0, 7));
    Bench::after(&written).diverges(&realloc(A, 60), &laws::KEPT, Some(3), with_byte(0, 3));
    Bench::after(&written).diverges(&realloc(A, 300), &laws::KEPT, Some(3), with_byte(0, 3));
    Bench::after(&[malloc(A, 40), Op::Write { slot: A, length: 8 }]).diverges(
        &VERIFY,
        &laws::CONTENTS,
        Some(7),
        with_byte(0, 7),
    );
    // Of a large block the two ends are known.
    let large = |ops: &[Op]| Bench::under(&HeapContract::STRICT, &Setup::flat(2000), ops);
    large(&[malloc(A, 600)]).diverges(&VERIFY, &laws::CONTENTS, Some(599), with_byte(1, 127));
    large(&[malloc(A, 600)]).diverges(&realloc(A, 500), &laws::KEPT, Some(499), with_byte(1, 27));
    let zeroed = Op::AllocZeroed { slot: A, size: Size(40), align: Alignment::from_exponent_folded(3) };
    Bench::after(&[]).diverges(&zeroed, &laws::ZEROED, Some(39), |seen| seen.nonzero = Some(39));
    let grown = Op::Relayout { slot: A, size: Size(60), align: Alignment::from_exponent_folded(3), zeroed: true };
    Bench::after(&written).diverges(&grown, &laws::ZEROED, Some(44), |seen| seen.nonzero = Some(44));
    Bench::after(&written).diverges(&VERIFY, &laws::REDZONE, Some(START - 1), |seen| seen.stray_byte = Some(START - 1));
}

/// A block that moved brings along what lay behind it.
#[test]
fn over_read() {
    let moved = || Bench::after(&[malloc(A, 24), malloc(B, 40)]);
    let mut stamp = Vec::new();
    let _ = moved().agrees(&Op::Verify { slot: B }, |seen| {
        stamp = seen.shown.iter().next().map(|(_, bytes)| bytes[..8].to_vec()).unwrap_or_default();
    });
    // The neighbour begins 8 bytes behind the old block's end, which is where the spare window begins.
    moved().diverges(&realloc(A, 80), &laws::OVER_READ, Some(32), |seen| {
        let mut shown: Vec<_> = seen.shown.iter().map(|(window, bytes)| (window, bytes.to_vec())).collect();
        let spare = shown.last_mut().unwrap();
        assert_eq!(spare.0.offset, 24);
        spare.1[8..16].copy_from_slice(&stamp);
        seen.shown.clear();
        shown.iter().for_each(|(window, bytes)| seen.shown.room(*window).copy_from_slice(bytes));
    });
}

#[test]
fn what_is_told_to_be_usable_is_the_programs() {
    let law = &laws::USABLE;
    let two = [malloc(A, 24), malloc(B, 40)];
    Bench::after(&two).diverges(&USABLE, law, Some(23), answers(Seen::Bytes(23)));
    Bench::after(&two).diverges(&USABLE, law, Some(33), answers(Seen::Bytes(33)));
    Bench::after(&two).diverges(&USABLE, law, Some(u64::MAX), answers(Seen::Bytes(u64::MAX)));
    let told = Bench::after(&two).agrees(&USABLE, answers(Seen::Bytes(32)));
    told.diverges(&alloc(Slot::new_folded(2), 4, 2), &laws::DISJOINT, Some(START), answers(Seen::Block(START + 28)));
    Bench::after(&two).agrees(&alloc(Slot::new_folded(2), 4, 2), answers(Seen::Block(START + 28)));
}

#[test]
fn what_is_freed_comes_back() {
    // The first time all that nothing was live there were 256 bytes.
    let once = [malloc(A, 8), FREE_ALL, largest(4)];
    Bench::after(&once).diverges(&largest(4), &laws::LEAK, Some(1), answers(Seen::Bytes(255)));
    Bench::after(&once).agrees(&largest(4), answers(Seen::Bytes(256)));
    let live = [&once[..], &[alloc(A, 1, 0)]].concat();
    Bench::after(&live).agrees(&largest(4), answers(Seen::Bytes(240)));
    let cycle = Op::Cycle { count: 4, size: Size(8), by: FreedBy::Owner };
    let held = |first, second| move |seen: &mut Outcome| seen.held = Some(Held { first, second });
    Bench::after(&[]).diverges(&cycle, &laws::BOUNDED, Some(0x3_0001), held(0x8_0000, 0xb_0001));
    Bench::after(&[]).agrees(&cycle, held(0x8_0000, 0xb_0000));
}

#[test]
fn states() {
    let used = || Bench::after(&[malloc(A, 24), malloc(B, 8)]);
    used().state_diverges(&laws::BOOKS, Some(3), |view| view.live_blocks = Some(3));
    used().state_diverges(&laws::REDZONE, Some(START - 9), |view| view.stray_byte = Some(START - 9));
    used().state_diverges(&laws::CONTENTS, Some(2), |view| {
        let (window, mut bytes) = view.shown.iter().next().map(|(window, bytes)| (window, bytes.to_vec())).unwrap();
        bytes[2] ^= 1;
        view.shown.clear();
        view.shown.room(window).copy_from_slice(&bytes);
    });
}
