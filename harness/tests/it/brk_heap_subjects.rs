//! The brk heap's subjects: the report's addresses come out of the arithmetic of its gate, with the system calls that
//! go with them, and the hardened heap is as good after a reset as it was when new.

use memtwin::finding::{Cause, Ending, Failure, Step};
use memtwin::isolate::Isolation;
use memtwin::lockstep::Audits;
use memtwin::models::brk_heap::{
    Alignment, BrkHeap, CopyOrder, Op, Outcome, Placement, Seen, Setup, Size, Slot, Storage, View,
};
use memtwin::models::{Health, Subject};
use memtwin::subjects::brk_heap::defects::bh_01_gate_loses_x9::Bh01;
use memtwin::subjects::brk_heap::subject::Program;
use memtwin::subjects::brk_heap::{Hardened, Original};
use memtwin::trace::Trace;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const A: Slot = Slot::new_folded(0);
const B: Slot = Slot::new_folded(1);

fn alloc(slot: Slot, size: u64) -> Op {
    Op::Alloc { slot, size: Size(size), align: Alignment::from_exponent_folded(0) }
}

fn write(length: u32) -> Op {
    Op::Write { slot: B, seed: 0, length }
}

/// The layouts of the report: as it is, and with one more page of .bss. The frames suffice for any break that it asks
/// for.
fn layouts() -> [Setup; 2] {
    [0, 1].map(|more_pages| Setup { frames: 2048, ..Setup::reported(more_pages) })
}

/// Blocks and the arguments of the system calls.
fn blocks_and_calls<S: Subject<BrkHeap>>(setup: &Setup, ops: &[Op]) -> (Vec<u64>, Vec<u64>) {
    let mut subject = S::new(setup).unwrap();
    let mut seen = Outcome::default();
    let (mut blocks, mut arguments) = (Vec::new(), Vec::new());
    for op in ops {
        subject.apply(op, &mut seen);
        if let Seen::Block(block) = seen.result {
            blocks.push(block);
        }
        arguments.extend(seen.calls.iter().map(|call| call.argument));
    }
    (blocks, arguments)
}

fn ending(subject: &str, setup: &Setup, ops: &[Op]) -> Ending {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_memtwin"));
    let mut isolation = Isolation::start_from(program, Arc::new(AtomicBool::new(false))).unwrap();
    let index = memtwin::built_in().index_of("brk_heap", subject).unwrap();
    let wire = Trace::<BrkHeap>::new(setup.clone(), ops.to_vec()).to_wire();
    isolation.replay(index, &wire, Audits::Full).unwrap().unwrap()
}

/// The address of the fault at the copy to the second block; `None` where nothing faults.
fn fault_address(subject: &str, setup: &Setup, length: u32) -> Option<u64> {
    match ending(subject, setup, &[alloc(A, 64), alloc(B, 64), write(length)]) {
        Ending::Failed(Failure { step: Step::Op(2), cause: Cause::Fault(fault) }) => fault.address,
        Ending::Failed(Failure { step: Step::Audit, cause: Cause::Law { law, .. } }) if law == "registers" => None,
        other @ (Ending::Agreed | Ending::Moot { .. } | Ending::Unsupported(_) | Ending::Failed(_)) => {
            panic!("{subject} on {setup:?}: {other:?}")
        }
    }
}

#[test]
fn the_reported_system_calls_and_blocks_come_out_of_the_arithmetic() {
    for setup in layouts() {
        let start = setup.heap_start();
        let bad = 2 * start + 0x1_0000;
        let expected = (vec![start, bad], vec![0, start + 0x1_0000, bad, bad + 0x1000]);
        let ops = [alloc(A, 64), alloc(B, 64)];
        assert_eq!(blocks_and_calls::<Original>(&setup, &ops), expected);
        // Whether the kernel maps or refuses makes no difference to where the blocks are. This allocator asks for the
        // break before it moves it.
        let expected = (vec![start, bad], vec![0, start + 0x1_0000, 0, bad, 0, bad + 0x1000]);
        assert_eq!(blocks_and_calls::<Program<Bh01>>(&setup, &ops), expected);
        assert_eq!(blocks_and_calls::<Program<Bh01>>(&Setup { frames: 64, ..setup.clone() }, &ops), expected);
        let right = (vec![start, start + 64], vec![0, start + 0x1_0000]);
        assert_eq!(blocks_and_calls::<Hardened>(&setup, &ops), right);
    }
}

#[test]
fn the_reported_addresses_fault() {
    let few = |setup: &Setup| Setup { frames: 64, ..setup.clone() };
    for (setup, address) in layouts().iter().zip([0x81_4003, 0x81_6003]) {
        assert_eq!(fault_address("original", setup, 16), Some(address));
        assert_eq!(fault_address("BH-01", &few(setup), 16), Some(address));
        assert_eq!(fault_address("original", setup, 4), Some(address));
        // A copy shorter than a group begins at its beginning, and so does one that stores in order.
        assert_eq!(fault_address("original", setup, 3), Some(address - 3));
        let ascending = Setup { copy_order: CopyOrder::Ascending, ..few(setup) };
        assert_eq!(fault_address("BH-01", &ascending, 16), Some(address - 3));
    }
}

#[test]
fn with_the_size_in_another_register_nothing_faults_under_the_same_gate() {
    for setup in layouts() {
        let placement = Placement { size: Storage::X(19), ..Placement::REPORTED };
        assert_eq!(fault_address("BH-01", &Setup { placement, frames: 64, ..setup.clone() }, 16), None);
        let saved = Placement::default();
        assert_eq!(fault_address("BH-01", &Setup { placement: saved, frames: 64, ..setup }, 16), None);
    }
}

#[test]
fn hardened_claims_nothing() {
    let registry = memtwin::built_in();
    let target = registry.index_of("brk_heap", "hardened").and_then(|index| registry.get(index)).unwrap();
    assert_eq!(target.health(), Health::Sound);
    assert_eq!(target.claimed(), Vec::<&str>::new());
}

#[test]
fn a_reset_gives_back_what_was_mapped_and_touched() {
    let setup = Setup { frames: 64, dirty_pages: true, ..Setup::reported(0) };
    let mut subject = Hardened::new(&setup).unwrap();
    let mut seen = Outcome::default();
    for op in [alloc(A, 0x2_0000), Op::Write { slot: A, seed: 3, length: 0x1_0000 }] {
        subject.apply(&op, &mut seen);
    }
    assert!(subject.reset(&setup));
    let mut view = View::default();
    subject.view(&mut view);
    assert_eq!((view.words, view.program_break), (Some((0, 0)), Some(setup.heap_start())));
    subject.apply(&alloc(A, 0x2_0000), &mut seen);
    subject.apply(&Op::Verify { slot: A }, &mut seen);
    assert!(seen.shown().iter().all(|&byte| byte == 0), "bytes of the trace before");
}
