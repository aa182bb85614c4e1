//! The laws by hand: each with an outcome or a state that breaks it, and the field and place that the divergence names.

use super::super::super::{
    Alignment, BrkHeapContract, BrkRequest, GuestAddress, Op, Outcome, Seen, Setup, Size, Slot, SystemCall,
    SystemCallKind, View, laws,
};
use super::super::BrkHeapModel;
use super::naive::Naive;
use crate::{Contract as _, Divergence, Law, Model as _, Verdict};

const HEAP: u64 = 0x40_2000;
const A: Slot = Slot::new_folded(0);
const B: Slot = Slot::new_folded(1);

/// A model that has taken some agreed steps, beside the naive heap.
struct Bench {
    model: BrkHeapModel,
    naive: Naive,
    seen: Outcome,
}

impl Bench {
    fn after(ops: &[Op]) -> Self {
        let setup = Setup { frames: 32, ..Setup::reported(0) };
        let model = BrkHeapModel::new(&setup, &BrkHeapContract::STRICT);
        let mut bench = Bench { model, naive: Naive::new(&setup), seen: Outcome::default() };
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
    fn state_diverges(self, law: &Law, place: Option<u64>, alter: impl FnOnce(&mut View)) {
        let mut view = View::default();
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

fn alloc(slot: Slot, size: u64, exponent: u8) -> Op {
    Op::Alloc { slot, size: Size(size), align: Alignment::from_exponent_folded(exponent) }
}

fn zeroed(size: u64) -> Op {
    Op::AllocZeroed { slot: A, size: Size(size), align: Alignment::from_exponent_folded(0) }
}

fn answers(result: Seen) -> impl FnOnce(&mut Outcome) {
    move |seen| seen.result = result
}

fn brk(argument: u64, result: u64) -> SystemCall {
    SystemCall { kind: SystemCallKind::Brk, argument, length: 0, result }
}

fn at(address: u64) -> Op {
    Op::RawBrk { request: BrkRequest::At(GuestAddress(address)) }
}

#[test]
fn answer() {
    let law = &laws::ANSWER;
    Bench::after(&[]).diverges(&alloc(A, 8, 0), law, None, answers(Seen::Done));
    Bench::after(&[]).diverges(&alloc(A, 8, 0), law, None, answers(Seen::Skipped));
    Bench::after(&[]).diverges(&Op::Dealloc { slot: A }, law, None, answers(Seen::Done));
    Bench::after(&[alloc(A, 8, 0)]).diverges(&Op::Verify { slot: A }, law, None, |seen| seen.shown_bytes = 7);
    Bench::after(&[]).diverges(&at(0), law, None, |seen| seen.calls.clear());
}

#[test]
fn the_kernel_answers_by_its_books() {
    let law = &laws::BRK;
    let last_page = u64::MAX - 0xffe;
    Bench::after(&[]).diverges(&at(last_page), law, Some(last_page), |seen| {
        seen.calls[0].result = 0;
        seen.result = Seen::Break(0);
    });
    Bench::after(&[]).diverges(&alloc(A, 8, 0), law, Some(0), |seen| seen.calls[0].result += 1);
    Bench::after(&[]).diverges(&alloc(A, 8, 0), law, Some(1 << 29), |seen| seen.calls.push(brk(1 << 29, 1 << 29)));
    // In the 32 frames of the setup there are not 33 pages, and there are 32.
    Bench::after(&[]).diverges(&at(HEAP + 0x2_1000), law, Some(HEAP + 0x2_1000), answers(Seen::Break(HEAP)));
    assert_eq!(Bench::after(&[]).verdict(&at(HEAP + 0x2_0000), |_| {}), Verdict::Agree);
}

#[test]
fn null_needs_a_reason() {
    let law = &laws::REFUSAL;
    Bench::after(&[]).diverges(&alloc(A, 8, 0), law, None, answers(Seen::Null));
    Bench::after(&[]).diverges(&alloc(A, u64::MAX - 64, 0), law, None, answers(Seen::Block(HEAP)));
    Bench::after(&[]).diverges(&alloc(A, 1, 40), law, None, answers(Seen::Block(1 << 40)));
    assert_eq!(Bench::after(&[]).verdict(&alloc(A, 0x2_0001, 0), |_| {}), Verdict::Agree);
    assert_eq!(Bench::after(&[]).verdict(&alloc(A, 1 << 40, 0), |_| {}), Verdict::Agree);
}

#[test]
fn blocks_lie_right() {
    let first = [alloc(A, 24, 0)];
    let block = |address| answers(Seen::Block(address));
    Bench::after(&first).diverges(&alloc(B, 8, 0), &laws::INSIDE, Some(HEAP - 8), block(HEAP - 8));
    Bench::after(&first).diverges(&alloc(B, 8, 0), &laws::INSIDE, Some(0x3fff_0000), block(0x3fff_0000));
    Bench::after(&first).diverges(&alloc(B, 8, 3), &laws::ALIGNED, Some(HEAP + 28), block(HEAP + 28));
    Bench::after(&first).diverges(&alloc(B, 8, 3), &laws::DISJOINT, Some(HEAP), block(HEAP + 16));
    let two = [alloc(A, 24, 0), alloc(B, 8, 0)];
    let grow = Op::Realloc { slot: A, size: Size(25) };
    Bench::after(&two).diverges(&grow, &laws::DISJOINT, Some(HEAP + 24), block(HEAP));
}

#[test]
fn bytes_survive() {
    let written = [alloc(A, 24, 0), Op::Write { slot: A, seed: 5, length: 20 }];
    let verify = Op::Verify { slot: A };
    Bench::after(&written).diverges(&verify, &laws::CONTENTS, Some(19), |seen| seen.show(24)[19] ^= 1);
    let mut bench = Bench::after(&written);
    assert_eq!(bench.verdict(&verify, |seen| seen.show(24)[20] ^= 1), Verdict::Agree, "nobody wrote that byte");
    let grow = Op::Realloc { slot: A, size: Size(30) };
    Bench::after(&written).diverges(&grow, &laws::REALLOC, Some(3), |seen| seen.show(20)[3] ^= 1);
    Bench::after(&[]).diverges(&zeroed(24), &laws::ZEROED, Some(7), |seen| seen.nonzero = Some(7));
    let pushed = [zeroed(4), Op::PushString { slot: A, seed: 9, length: 6 }];
    Bench::after(&pushed).diverges(&verify, &laws::CONTENTS, Some(2), |seen| seen.show(10)[2] = 1);
    Bench::after(&pushed).diverges(&verify, &laws::CONTENTS, Some(9), |seen| seen.show(10)[9] ^= 1);
    let ended = [alloc(A, 24, 0), Op::WriteEnd { slot: A, seed: 7, length: 20 }];
    let end = Op::VerifyEnd { slot: A };
    Bench::after(&ended).diverges(&end, &laws::CONTENTS, Some(4), |seen| seen.show(24)[4] ^= 1);
    Bench::after(&ended).diverges(&grow, &laws::REALLOC, Some(23), |seen| seen.show(24)[23] ^= 1);
    let large = [alloc(A, 0x1_0041, 0), Op::WriteEnd { slot: A, seed: 7, length: 64 }];
    Bench::after(&[&large[..], &[verify.clone(), end.clone()]].concat());
    let mut bench = Bench::after(&ended);
    assert_eq!(bench.verdict(&end, |seen| seen.show(24)[3] ^= 1), Verdict::Agree, "nobody wrote that byte");
    let shrink = Op::Realloc { slot: A, size: Size(8) };
    Bench::after(&written).diverges(&shrink, &laws::REDZONE, Some(HEAP), |seen| seen.stray_byte = Some(HEAP));
    let mut bench = Bench::after(&[]);
    let contract = BrkHeapContract { books_in_heap: true, ..BrkHeapContract::STRICT };
    bench.model = BrkHeapModel::new(&Setup { frames: 32, ..Setup::reported(0) }, &contract);
    assert_eq!(bench.verdict(&alloc(A, 24, 0), |seen| seen.stray_byte = Some(HEAP + 24)), Verdict::Agree);
}

#[test]
fn states() {
    let used = || Bench::after(&[alloc(A, 24, 0)]);
    let end = HEAP + 0x1_0000;
    used().state_diverges(&laws::WORDS, None, |view| view.changed_words = Some((0, 0)));
    used().state_diverges(&laws::REGISTERS, Some(9), |view| view.clobbered_register = Some(9));
    used().state_diverges(&laws::ORDER, Some(0), |view| view.words = Some((HEAP + 24, 0)));
    used().state_diverges(&laws::ORDER, Some(end), |view| view.words = Some((HEAP + 24, end + 1)));
    used().state_diverges(&laws::INSIDE, Some(HEAP), |view| view.words = Some((HEAP + 8, HEAP + 16)));
    used().state_diverges(&laws::MAPPED, Some(HEAP), |view| view.unmapped_page = Some(HEAP));
    used().state_diverges(&laws::LEAK, None, |view| view.mmapped_pages = Some(1));
}

#[test]
fn what_another_user_takes_from_a_live_heap_makes_the_rest_moot() {
    let mut bench = Bench::after(&[alloc(A, 24, 0)]);
    assert!(matches!(bench.verdict(&at(HEAP + 0x1000), |_| {}), Verdict::Moot(_)));
    let grown = [alloc(A, 24, 0), Op::RawBrk { request: BrkRequest::Grow(5000) }];
    let give_back = Op::RawBrk { request: BrkRequest::GiveBack };
    assert_eq!(Bench::after(&grown).verdict(&give_back, |_| {}), Verdict::Agree);
}

#[test]
fn what_another_user_of_brk_got_stays_his() {
    let alloc = Op::Alloc { slot: A, size: Size(64), align: Alignment::from_exponent_folded(0) };
    let grow = Op::RawBrk { request: BrkRequest::Grow(0x2000) };
    let theirs = HEAP + 0x1_0000;
    let more = Op::Alloc { slot: B, size: Size(0x40), align: Alignment::from_exponent_folded(0) };
    let bench = || Bench::after(&[alloc.clone(), grow.clone()]);
    bench().diverges(&more, &laws::NEIGHBOUR, Some(theirs + 0x10), |seen| seen.result = Seen::Block(theirs + 0x10));
    bench().diverges(&more, &laws::NEIGHBOUR, Some(theirs), |seen| {
        let kind = SystemCallKind::Brk;
        seen.calls.push(SystemCall { kind, argument: theirs, length: 0, result: theirs });
    });
    bench().diverges(&Op::VerifyRawBrk, &laws::NEIGHBOUR, Some(theirs), |seen| seen.foreign_byte = Some(theirs));
    bench().state_diverges(&laws::NEIGHBOUR, Some(theirs), |view| view.foreign_byte = Some(theirs));
    let alone = BrkHeapContract { sole_user_of_brk: true, ..BrkHeapContract::STRICT };
    let mut model = BrkHeapModel::new(&Setup::reported(0), &alone);
    let mut seen = Outcome::default();
    (seen.result, seen.foreign_byte) = (Seen::Done, Some(theirs));
    assert_eq!(model.judge(&Op::VerifyRawBrk, &seen), Verdict::Agree);
    seen.result = Seen::Skipped;
    assert!(matches!(model.judge(&Op::Fork, &seen), Verdict::Diverge(divergence) if divergence.law == "answer"));
}

#[test]
fn the_kernel_keeps_its_promises_above_the_break_and_of_fresh_pages() {
    Bench::after(&[]).state_diverges(&laws::UNMAPPED, Some(0x50_0000), |view| view.mapped_page = Some(0x50_0000));
    Bench::after(&[]).state_diverges(&laws::BRK, None, |view| view.program_break = Some(HEAP + 0x1000));
    let grow = Op::RawBrk { request: BrkRequest::Grow(0x2000) };
    Bench::after(&[]).diverges(&grow, &laws::FRESH, Some(HEAP), |seen| seen.dirty_byte = Some(HEAP));
}

#[test]
fn a_child_goes_on_and_a_new_image_begins_anew() {
    let alloc = Op::Alloc { slot: A, size: Size(64), align: Alignment::from_exponent_folded(0) };
    let mut bench = Bench::after(&[alloc.clone(), Op::Fork, Op::Verify { slot: A }, Op::Exec]);
    assert_eq!(bench.verdict(&Op::Verify { slot: A }, |_| {}), Verdict::Agree);
    assert_eq!(bench.seen.result, Seen::Vacant);
    assert_eq!(bench.verdict(&alloc, |_| {}), Verdict::Agree);
    assert_eq!(bench.seen.result, Seen::Block(HEAP));
}

#[test]
fn a_heap_that_asks_for_too_little_is_told_so() {
    let alloc = Op::Alloc { slot: A, size: Size(64), align: Alignment::from_exponent_folded(0) };
    let verdict = Bench::after(&[]).verdict(&alloc, |seen| seen.result = Seen::Null);
    assert!(matches!(verdict, Verdict::Diverge(Divergence { law: "refusal", field: "growth", .. })), "{verdict:?}");
}
