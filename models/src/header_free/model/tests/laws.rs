//! The laws by hand: each with an outcome or a state that breaks it, and the place that the divergence names.

use super::super::super::{
    Alignment, HeaderFreeContract, Kind, Libc, MincorePlan, Mode, Op, Outcome, Protection, Route, Seen, Setup, Side,
    Slot, Thread, View, laws,
};
use super::super::HeaderFreeModel;
use super::naive::Naive;
use crate::{Contract as _, Depth, Divergence, Law, Model as _, Verdict};

const A: Slot = Slot::new_folded(0);
const B: Slot = Slot::new_folded(1);
/// Where the naive allocator has its first and its second block.
const FIRST: u64 = 0x21_0000;
const SECOND: u64 = 0x41_0000;

const SETUP: Setup = Setup {
    mode: Mode::LdPreload,
    superslab_log2: 21,
    registry_log2: 1,
    tiny_header: false,
    mincore: MincorePlan::None,
    libc: Libc::Ledger,
};

/// A model that has taken some agreed steps, beside the naive allocator.
struct Bench {
    model: HeaderFreeModel,
    naive: Naive,
    seen: Outcome,
}

impl Bench {
    fn after(ops: &[Op]) -> Self {
        Self::of(&SETUP, ops)
    }

    fn of(setup: &Setup, ops: &[Op]) -> Self {
        let model = HeaderFreeModel::new(setup, &HeaderFreeContract::STRICT);
        let mut bench = Bench { model, naive: Naive::new(setup), seen: Outcome::default() };
        for op in ops {
            assert_eq!(bench.verdict(op, |_| {}), Verdict::Agree, "{op:?}");
        }
        bench
    }

    fn verdict(&mut self, op: &Op, alter: impl FnOnce(&mut Outcome)) -> Verdict {
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
    fn agrees(mut self, op: &Op, result: Seen) -> Self {
        assert_eq!(self.verdict(op, |seen| seen.result = result), Verdict::Agree);
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

fn alloc(slot: Slot, kind: Kind, size: u64) -> Op {
    Op::Alloc { slot, kind, size, align: Alignment::from_exponent_folded(4) }
}

fn free(slot: Slot, delta: u64) -> Op {
    Op::Free { slot, delta, thread: Thread::default() }
}

fn libc_alloc(slot: Slot) -> Op {
    Op::LibcAlloc { slot, size: 64, align: Alignment::from_exponent_folded(4) }
}

#[test]
fn requests() {
    let mid = alloc(A, Kind::Mid, 100);
    Bench::after(&[]).diverges(&mid, &laws::ANSWER, None, |seen| seen.result = Seen::Done);
    Bench::after(&[]).diverges(&mid, &laws::REFUSAL, None, |seen| seen.result = Seen::Null);
    Bench::after(&[]).diverges(&mid, &laws::ALIGNED, Some(0), |seen| seen.result = Seen::Block(0));
    Bench::after(&[]).diverges(&mid, &laws::ALIGNED, Some(8), |seen| seen.result = Seen::Block(8));
    let second = alloc(B, Kind::Malloc, 100);
    for overlap in [FIRST, FIRST + 96, FIRST - 96] {
        Bench::after(std::slice::from_ref(&mid)).diverges(&second, &laws::DISJOINT, Some(FIRST), |seen| {
            seen.result = Seen::Block(overlap);
        });
    }
    for size in [8193, u64::MAX, 1 << 63] {
        Bench::after(&[]).diverges(&alloc(A, Kind::Mid, size), &laws::REFUSAL, None, |seen| {
            seen.result = Seen::Block(FIRST);
        });
    }
    let empty = alloc(A, Kind::Tiny, 0);
    Bench::after(&[empty]).diverges(&alloc(B, Kind::Tiny, 0), &laws::DISJOINT, Some(FIRST), |seen| {
        seen.result = Seen::Block(FIRST);
    });
    let busy = Bench::after(std::slice::from_ref(&mid));
    busy.diverges(&mid, &laws::ANSWER, None, |seen| seen.result = Seen::Block(SECOND));
}

#[test]
fn a_tiny_refusal_needs_a_full_registry_without_room() {
    let one = [alloc(A, Kind::Tiny, 1024)];
    let two = [alloc(A, Kind::Tiny, 1024), alloc(B, Kind::Tiny, 512)];
    let third = |size| alloc(Slot::new_folded(2), Kind::Tiny, size);
    Bench::after(&one).diverges(&third(256), &laws::REFUSAL, None, |seen| seen.result = Seen::Null);
    Bench::after(&two).agrees(&third(256), Seen::Null);
    Bench::after(&two).diverges(&third(1024), &laws::REFUSAL, None, |seen| seen.result = Seen::Null);
}

#[test]
fn other_refusals_need_as_many_blocks_as_there_is_room_for() {
    let blocks =
        |kind, count: u8| -> Vec<Op> { (0..count).map(|index| alloc(Slot::new_folded(index), kind, 64)).collect() };
    for (kind, count) in [(Kind::Mid, 16), (Kind::L25, 8), (Kind::Mmap, 8), (Kind::BigCache, 8), (Kind::Malloc, 32)] {
        let next = alloc(Slot::new_folded(60), kind, 64);
        Bench::after(&blocks(kind, count)).agrees(&next, Seen::Null);
        let bench = Bench::after(&blocks(kind, count - 1));
        bench.diverges(&next, &laws::REFUSAL, None, |seen| seen.result = Seen::Null);
    }
}

#[test]
fn frees() {
    for kind in Kind::ALL {
        let held = || Bench::after(&[alloc(A, kind, 64)]);
        for route in [Route::Refused, Route::Libc, Route::LibcRefused, Route::Nothing] {
            held().diverges(&free(A, 0), &laws::ROUTE, Some(FIRST), |seen| seen.result = Seen::Freed(route));
        }
        let other = Route::Owner(if kind == Kind::Mid { Kind::Tiny } else { Kind::Mid });
        held().diverges(&free(A, 0), &laws::ROUTE, Some(FIRST), |seen| seen.result = Seen::Freed(other));
        held().diverges(&free(A, 0), &laws::ERRNO, None, |seen| seen.errno_kept = false);
        for delta in [1, 32, 63, 64, u64::MAX, 32_u64.wrapping_neg()] {
            held().diverges(&free(A, delta), &laws::INVALID, Some(FIRST.wrapping_add(delta)), |seen| {
                seen.result = Seen::Freed(Route::Owner(kind));
            });
        }
        let freed = Bench::after(&[alloc(A, kind, 64), free(A, 0)]);
        freed.diverges(&free(A, 0), &laws::INVALID, Some(FIRST), |seen| seen.result = Seen::Freed(Route::Owner(kind)));
    }
    Bench::after(&[]).diverges(&free(A, 0), &laws::ROUTE, Some(0), |seen| seen.result = Seen::Freed(Route::Refused));
    Bench::after(&[]).diverges(&free(A, 8), &laws::INVALID, Some(8), |seen| seen.result = Seen::Freed(Route::Libc));
}

#[test]
fn blocks_of_libc_go_to_libc() {
    let held = [libc_alloc(A)];
    let raw = Route::Owner(Kind::Malloc);
    for route in [Route::Refused, Route::Fallback, Route::LibcRefused, raw] {
        Bench::after(&held).diverges(&free(A, 0), &laws::ROUTE, Some(FIRST), |seen| seen.result = Seen::Freed(route));
    }
    let linked = Setup { mode: Mode::Direct1, ..SETUP };
    // Refused, it is still there.
    let refused = Bench::of(&linked, &held).agrees(&free(A, 0), Seen::Freed(Route::Refused));
    refused.agrees(&free(A, 0), Seen::Freed(Route::Libc));
    Bench::of(&linked, &held).diverges(&free(A, 0), &laws::ROUTE, Some(FIRST), |seen| seen.result = Seen::Freed(raw));
}

#[test]
fn what_is_ignored_shows_in_the_books() {
    let bench = Bench::after(&[alloc(A, Kind::Malloc, 64), alloc(B, Kind::Mid, 64)]);
    let bench = bench.agrees(&free(A, 0), Seen::Freed(Route::Fallback));
    // The naive allocator freed it all the same; a real one has not.
    bench.state_diverges(&laws::LEAK, Some(5), |view| view.books.as_mut().unwrap()[5].freed = 0);
}

#[test]
fn foreign_pages_belong_to_nobody() {
    let foreign = [Op::MapForeign { slot: A, beside: A }];
    for route in [Route::Libc, Route::Owner(Kind::Tiny), Route::Owner(Kind::Mmap)] {
        Bench::after(&foreign).diverges(&free(A, 0), &laws::INVALID, Some(FIRST), |seen| {
            seen.result = Seen::Freed(route);
        });
    }
    Bench::after(&foreign).agrees(&free(A, 0), Seen::Freed(Route::LibcRefused));
    let protect = Op::ProtectNeighbour { slot: A, side: Side::Before, protection: Protection::None };
    Bench::after(&foreign).diverges(&protect, &laws::ANSWER, None, |seen| seen.result = Seen::Done);
}

#[test]
fn bytes_and_sizes() {
    let written = [alloc(A, Kind::Mid, 600), Op::Write { slot: A, seed: 3, length: 100 }];
    let verify = Op::Verify { slot: A };
    Bench::after(&written).diverges(&verify, &laws::CONTENTS, Some(99), |seen| seen.show(100)[99] ^= 1);
    Bench::after(&written).diverges(&verify, &laws::ANSWER, None, |seen| {
        seen.show(99);
    });
    let grow = Op::Realloc { slot: A, size: 4000 };
    Bench::after(&written).diverges(&grow, &laws::REALLOC, Some(0), |seen| seen.show(100)[0] ^= 1);
    Bench::after(&written).diverges(&grow, &laws::REFUSAL, None, |seen| seen.result = Seen::Null);
    Bench::after(&written).state_diverges(&laws::CONTENTS, Some(FIRST + 7), |view| view.bytes[7] ^= 1);
    let usable = Op::UsableSize { slot: A };
    Bench::after(&written).diverges(&usable, &laws::USABLE, Some(599), |seen| seen.result = Seen::Usable(599));
    let two = [alloc(A, Kind::Mid, 600), alloc(B, Kind::Mid, 600)];
    Bench::after(&two).diverges(&usable, &laws::USABLE, Some(SECOND), |seen| {
        seen.result = Seen::Usable(SECOND - FIRST + 1);
    });
}

#[test]
fn superslabs() {
    let tiny = alloc(A, Kind::Tiny, 64);
    let retire = Op::RetireSuperslab { slot: A };
    let base = Some(0x20_0000);
    let held = Bench::after(std::slice::from_ref(&tiny));
    held.diverges(&retire, &laws::RETIRE, base, |seen| seen.result = Seen::Done);
    let freed = [tiny, free(A, 0)];
    Bench::after(&freed).diverges(&retire, &laws::RETIRE, base, |seen| seen.result = Seen::Kept);
    Bench::after(&freed).state_diverges(&laws::REGISTERED, None, |view| view.superslabs = Some((1, 0)));
    Bench::after(&freed).state_diverges(&laws::REGISTERED, None, |view| view.superslabs = Some((2, 2)));
}

#[test]
fn books() {
    let held = [alloc(A, Kind::L25, 64)];
    Bench::after(&held).diverges(&Op::Stats, &laws::BALANCE, Some(2), |seen| seen.books[2].freed = 1);
    Bench::after(&held).diverges(&Op::Stats, &laws::BALANCE, Some(0), |seen| seen.books[0].freed = 1);
    Bench::after(&held).state_diverges(&laws::LEAK, Some(2), |view| view.books.as_mut().unwrap()[2].allocated = 2);
    Bench::after(&held).state_diverges(&laws::LEAK, Some(3), |view| view.mappings = Some(1));
    Bench::after(&held).state_diverges(&laws::LEAK, Some(5), |view| view.libc_blocks = Some(1));
}
