//! The laws by hand: each with an outcome or a state that breaks it, and the place that the divergence names.

use super::super::super::{
    Alignment, FaultPlan, HeaderFreeContract, Kind, Mode, Op, Outcome, Protection, Route, Seen, Setup, Side, Slot,
    Thread, View, laws,
};
use super::super::HeaderFreeModel;
use super::naive::Naive;
use crate::{Contract as _, Depth, Divergence, Law, Model as _, Verdict};

const A: Slot = Slot::new_folded(0);
const B: Slot = Slot::new_folded(1);
/// Where the naive allocator has its first and its second block.
const FIRST: u64 = 0x21_0000;
const SECOND: u64 = 0x41_0000;

const SETUP: Setup = Setup { registry_log2: 1, ..Setup::PRELOADED };

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
        Self::claiming(&HeaderFreeContract::STRICT, setup, ops)
    }

    fn claiming(contract: &HeaderFreeContract, setup: &Setup, ops: &[Op]) -> Self {
        let model = HeaderFreeModel::new(setup, contract);
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
    let grow = Op::Realloc { slot: A, size: 4000, delta: 0 };
    Bench::after(&written).diverges(&grow, &laws::REALLOC, Some(0), |seen| seen.show(100)[0] ^= 1);
    Bench::after(&written).diverges(&grow, &laws::REFUSAL, None, |seen| seen.result = Seen::Null);
    Bench::after(&written).state_diverges(&laws::CONTENTS, Some(FIRST + 7), |view| view.bytes[7] ^= 1);
    let usable = Op::UsableSize { slot: A, delta: 0 };
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

#[test]
fn a_reallocation_keeps_what_was_granted() {
    let ops =
        [alloc(A, Kind::Mid, 100), Op::UsableSize { slot: A, delta: 0 }, Op::Write { slot: A, seed: 3, length: 200 }];
    let grow = Op::Realloc { slot: A, size: 0x9000, delta: 0 };
    let granted = |contract: &HeaderFreeContract| {
        let mut bench = Bench::claiming(contract, &SETUP, &ops[..1]);
        assert_eq!(bench.verdict(&ops[1], |seen| seen.result = Seen::Usable(4096)), Verdict::Agree);
        assert_eq!(bench.verdict(&ops[2], |_| {}), Verdict::Agree);
        bench
    };
    let payload = crate::Payload { seed: 3, length: 200 };
    let show = |seen: &mut Outcome, length: u32| payload.fill(0, seen.show(length));
    let strict = HeaderFreeContract::STRICT;
    assert_eq!(granted(&strict).verdict(&grow, |seen| show(seen, 200)), Verdict::Agree);
    granted(&strict).diverges(&grow, &laws::REALLOC, Some(150), |seen| {
        show(seen, 200);
        seen.show(200)[150] = 0;
    });
    granted(&strict).diverges(&grow, &laws::ANSWER, None, |seen| show(seen, 100));
    let forgets = HeaderFreeContract { realloc_forgets_granted: true, ..strict };
    assert_eq!(granted(&forgets).verdict(&grow, |seen| show(seen, 100)), Verdict::Agree);
}

#[test]
fn what_is_nobodys_is_refused_by_all_that_take_a_pointer() {
    let freed = [alloc(A, Kind::Mid, 64), free(A, 0)];
    let foreign = [Op::MapForeign { slot: A, beside: A }];
    let held = [alloc(A, Kind::Mid, 64)];
    for (ops, delta) in [(&freed[..], 0), (&foreign[..], 0), (&held[..], 16), (&[][..], 8)] {
        let (realloc, ask) = (Op::Realloc { slot: A, size: 9, delta }, Op::UsableSize { slot: A, delta });
        let pointer = if ops.is_empty() { 8 } else { FIRST + delta };
        for op in [&realloc, &ask] {
            Bench::after(ops).diverges(op, &laws::ANSWER, None, |seen| seen.result = Seen::Idle);
            Bench::after(ops).agrees(op, Seen::Refused);
        }
        Bench::after(ops).diverges(&realloc, &laws::INVALID, Some(pointer), |seen| seen.result = Seen::Block(SECOND));
        Bench::after(ops).diverges(&ask, &laws::INVALID, Some(pointer), |seen| seen.result = Seen::Usable(1));
        Bench::after(ops).agrees(&realloc, Seen::Null);
        Bench::after(ops).agrees(&ask, Seen::Usable(0));
    }
}

#[test]
fn libc_answers_for_its_own_blocks() {
    let held = [libc_alloc(A), Op::Write { slot: A, seed: 1, length: 9 }];
    let (realloc, ask) = (Op::Realloc { slot: A, size: 30, delta: 0 }, Op::UsableSize { slot: A, delta: 0 });
    for op in [&realloc, &ask] {
        Bench::after(&held).diverges(op, &laws::ROUTE, Some(FIRST), |seen| seen.result = Seen::Refused);
        let linked = Setup { mode: Mode::Direct1, ..SETUP };
        Bench::of(&linked, &held).agrees(op, Seen::Refused).agrees(&free(A, 0), Seen::Freed(Route::Libc));
    }
    Bench::after(&held).diverges(&realloc, &laws::REALLOC, Some(8), |seen| seen.show(9)[8] ^= 1);
    Bench::after(&held).diverges(&realloc, &laws::REFUSAL, None, |seen| seen.result = Seen::Null);
    Bench::after(&held).diverges(&ask, &laws::USABLE, Some(63), |seen| seen.result = Seen::Usable(63));
}

#[test]
fn blocks_from_before_stay_and_are_copied_out() {
    let early = Op::BootAlloc { slot: A, size: 64 };
    let held = [early.clone(), Op::Write { slot: A, seed: 1, length: 9 }];
    for route in [Route::Refused, Route::Libc, Route::LibcRefused, Route::Owner(Kind::Tiny)] {
        Bench::after(&held).diverges(&free(A, 0), &laws::BOOT, Some(FIRST), |seen| seen.result = Seen::Freed(route));
    }
    let (realloc, ask) = (Op::Realloc { slot: A, size: 30, delta: 0 }, Op::UsableSize { slot: A, delta: 0 });
    for op in [&realloc, &ask] {
        Bench::after(&held).diverges(op, &laws::BOOT, Some(FIRST), |seen| seen.result = Seen::Refused);
    }
    Bench::after(&held).diverges(&realloc, &laws::REALLOC, Some(8), |seen| seen.show(9)[8] ^= 1);
    Bench::after(&[early.clone(), free(A, 0)]).agrees(&free(A, 0), Seen::Freed(Route::Boot));
    Bench::after(&[early.clone(), realloc, free(A, 0)]).diverges(&early, &laws::ANSWER, None, |seen| {
        seen.result = Seen::Block(FIRST);
    });
    // Rooms of the pool are never used again.
    let used: Vec<Op> = (0..8).flat_map(|_| [early.clone(), free(A, 0)]).collect();
    Bench::after(&used[..14]).diverges(&early, &laws::REFUSAL, None, |seen| seen.result = Seen::Null);
    Bench::after(&used).agrees(&early, Seen::Null);
    let large = Op::BootAlloc { slot: A, size: 513 };
    Bench::after(&[]).diverges(&large, &laws::REFUSAL, None, |seen| seen.result = Seen::Block(FIRST));
}

#[test]
fn what_a_thread_left_serves_on() {
    let exit = Op::ThreadExit { thread: Thread::default() };
    let ops = [alloc(A, Kind::Tiny, 1024), Op::Write { slot: A, seed: 1, length: 64 }, exit.clone()];
    Bench::after(&ops).diverges(&alloc(B, Kind::Tiny, 1024), &laws::ORPHANS, None, |seen| seen.result = Seen::Null);
    Bench::after(&ops).diverges(&Op::Verify { slot: A }, &laws::CONTENTS, Some(0), |seen| seen.show(64)[0] ^= 1);
    Bench::after(&ops).diverges(&exit, &laws::ANSWER, None, |seen| seen.result = Seen::Idle);
}

#[test]
fn a_call_that_succeeds_leaves_errno_as_it_was() {
    let mid = alloc(A, Kind::Mid, 64);
    let held = [mid.clone()];
    let calls = [(&[][..], &mid), (&held[..], &Op::Realloc { slot: A, size: 65, delta: 0 })];
    let more = [alloc(A, Kind::Tiny, 64), free(A, 0)];
    let calls = calls.into_iter().chain([(&more[..], &Op::RetireSuperslab { slot: A })]);
    let ask = Op::UsableSize { slot: A, delta: 0 };
    let lenient = HeaderFreeContract { errno_of_success: true, ..HeaderFreeContract::STRICT };
    for (ops, op) in calls.chain([(&held[..], &ask)]) {
        Bench::after(ops).diverges(op, &laws::ERRNO, None, |seen| seen.errno_kept = false);
        let mut bench = Bench::claiming(&lenient, &SETUP, ops);
        assert_eq!(bench.verdict(op, |seen| seen.errno_kept = false), Verdict::Agree, "{op:?}");
    }
    let bench = Bench::claiming(&lenient, &SETUP, &held);
    bench.diverges(&free(A, 0), &laws::ERRNO, None, |seen| seen.errno_kept = false);
}

#[test]
fn what_the_kernel_does_not_take_stays() {
    let refuses = Setup { munmap: FaultPlan::Always, ..SETUP };
    let tiny = [alloc(A, Kind::Tiny, 64), free(A, 0)];
    let retire = Op::RetireSuperslab { slot: A };
    let mut bench = Bench::of(&refuses, &tiny);
    let kept = |seen: &mut Outcome| (seen.result, seen.munmap_failed) = (Seen::Kept, true);
    assert_eq!(bench.verdict(&retire, kept), Verdict::Agree);
    Bench::of(&refuses, &tiny).diverges(&retire, &laws::RETIRE, Some(0x20_0000), |seen| {
        (seen.result, seen.munmap_failed) = (Seen::Done, true);
    });
    bench.diverges(&retire, &laws::RETIRE, Some(0x20_0000), |seen| seen.result = Seen::Kept);
    let mut bench = Bench::of(&refuses, &[alloc(A, Kind::Mmap, 64)]);
    assert_eq!(bench.verdict(&free(A, 0), |seen| seen.munmap_failed = true), Verdict::Agree);
    let mut view = View { mappings: Some(1), ..View::default() };
    assert_eq!(bench.model.audit(&view), Verdict::Agree);
    // It may take up room, too.
    let slots = || (1..8).map(Slot::new_folded);
    for slot in slots() {
        assert_eq!(bench.verdict(&alloc(slot, Kind::Mmap, 64), |_| {}), Verdict::Agree);
    }
    let mut bench = bench.agrees(&alloc(A, Kind::Mmap, 64), Seen::Null);
    for slot in slots() {
        assert_eq!(bench.verdict(&free(slot, 0), |_| {}), Verdict::Agree);
    }
    view.mappings = Some(2);
    expect(bench.model.audit(&view), &laws::LEAK, Some(3));
}

#[test]
fn ends_are_looked_at_as_starts_are() {
    let written = [alloc(A, Kind::Mid, 600), Op::WriteEnd { slot: A, seed: 3, length: 16 }];
    let verify = Op::Verify { slot: A };
    Bench::after(&written).diverges(&verify, &laws::CONTENTS, Some(599), |seen| seen.show(16)[15] ^= 1);
    Bench::after(&written).state_diverges(&laws::CONTENTS, Some(FIRST + 584), |view| view.bytes[0] ^= 1);
    let both = [&written[..], &[Op::Write { slot: A, seed: 1, length: 8 }]].concat();
    let shrink = Op::Realloc { slot: A, size: 590, delta: 0 };
    Bench::after(&both).diverges(&shrink, &laws::REALLOC, Some(584), |seen| seen.show(14)[8] ^= 1);
    Bench::after(&both).state_diverges(&laws::CONTENTS, Some(FIRST + 599), |view| view.bytes[23] ^= 1);
}

#[test]
fn nobody_writes_beside_blocks_of_libc() {
    Bench::after(&[libc_alloc(A)]).state_diverges(&laws::BESIDE, Some(7), |view| view.libc_damage = Some(7));
}
