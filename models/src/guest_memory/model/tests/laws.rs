//! The laws by hand: each with an outcome that breaks it, and the field and place that the divergence names.

use super::super::super::device::{DeviceCall, Direction, RegisterFile};
use super::super::super::{DeviceSetup, Error, GuestAddress, laws};
use super::super::*;
use super::naive::Naive;
use crate::{Contract as _, Divergence, Law};

const CPU: Owner = Owner::new_folded(0);
const OTHER_CPU: Owner = Owner::new_folded(1);

/// A model that has taken some agreed steps, beside the naive memory.
struct Bench {
    model: GuestMemoryModel,
    naive: Naive,
    seen: Outcome,
}

impl Bench {
    fn with_contract(setup: &Setup, contract: &GuestMemoryContract) -> Self {
        assert_eq!(setup.check(), Ok(()));
        Bench {
            model: GuestMemoryModel::new(setup, contract),
            naive: Naive::new(setup, contract),
            seen: Outcome::default(),
        }
    }

    fn new(setup: &Setup) -> Self {
        Self::with_contract(setup, &GuestMemoryContract::STRICT)
    }

    /// The steps that lead to the op in question.
    fn after(mut self, ops: &[Op]) -> Self {
        for op in ops {
            assert_eq!(self.verdict(op, |_| {}), Verdict::Agree, "{op:?}");
        }
        self
    }

    /// The verdict on the naive outcome of `op`, altered.
    fn verdict(&mut self, op: &Op, alter: impl FnOnce(&mut Outcome)) -> Verdict {
        self.model.arrange(op, &mut self.seen);
        self.naive.apply(op, &mut self.seen);
        alter(&mut self.seen);
        self.model.judge(op, &self.seen)
    }

    #[track_caller]
    fn diverges(&mut self, op: &Op, law: &Law, field: &str, place: Option<u64>, alter: impl FnOnce(&mut Outcome)) {
        let verdict = self.verdict(op, alter);
        let Verdict::Diverge(Divergence { law: seen_law, field: seen_field, place: seen_place }) = verdict else {
            panic!("{op:?}: {verdict:?}");
        };
        assert_eq!((seen_law, seen_field, seen_place), (law.name, field, place), "{op:?}");
    }
}

fn read(address: u64, size: u8) -> Op {
    Op::Read { owner: CPU, address: GuestAddress(address), size }
}

fn write(address: u64, value: u64, size: u8) -> Op {
    Op::Write { owner: CPU, address: GuestAddress(address), value, size }
}

fn read_bulk(address: u64, length: u64) -> Op {
    Op::ReadBulk { owner: CPU, address: GuestAddress(address), length: TransferLength::new_folded(length) }
}

fn write_bulk(address: u64, seed: u16, length: u64) -> Op {
    Op::WriteBulk { owner: CPU, address: GuestAddress(address), seed, length: TransferLength::new_folded(length) }
}

fn load_reserved(owner: Owner, address: u64, size: u8) -> Op {
    Op::LoadReserved { owner, address: GuestAddress(address), size }
}

fn store_conditional(owner: Owner, address: u64, size: u8) -> Op {
    Op::StoreConditional { owner, address: GuestAddress(address), value: 0x55, size }
}

fn restore(length: u32) -> Op {
    Op::Restore { owner: CPU, payload: Payload { seed: 9, length } }
}

fn answers(result: Seen) -> impl FnOnce(&mut Outcome) {
    move |seen| seen.result = result
}

/// One device in memory, one outside whose register 4 is faulty.
fn with_devices() -> Setup {
    let inside = DeviceSetup { base: 0x100, size: 0x20, faulty_register: None };
    let outside = DeviceSetup { base: 0x10_0000, size: 0x20, faulty_register: Some(4) };
    Setup { devices: vec![inside, outside], ..Setup::flat(0x1000) }
}

#[test]
fn bounds() {
    let mut bench = Bench::new(&with_devices());
    let law = &laws::BOUNDS;
    let fails = || answers(Seen::Error(Error::InvalidAddress));
    bench.diverges(&read(0xff8, 8), law, "result", None, fails());
    bench.diverges(&write(0xff8, 0, 8), law, "result", None, fails());
    bench.diverges(&read_bulk(0x1000, 0), law, "empty", None, fails());
    bench.diverges(&write_bulk(0x1000, 0, 0), law, "empty", None, fails());
    bench.diverges(&read(0x110, 8), law, "result", None, fails());
    bench.diverges(&read(0xff9, 8), law, "result", None, answers(Seen::Value(0)));
    bench.diverges(&read(0, 3), law, "result", None, answers(Seen::Value(0)));
    bench.diverges(&write_bulk(u64::MAX, 0, 2), law, "result", None, answers(Seen::Done));
    bench.diverges(&read(0xfc, 8), law, "result", None, answers(Seen::Value(0)));
    bench.diverges(&read(0x10_0004, 1), law, "result", None, answers(Seen::Value(0)));
    bench.diverges(&load_reserved(CPU, 0x100, 4), law, "result", None, answers(Seen::Value(0)));
    bench.diverges(&store_conditional(CPU, 0xffd, 4), law, "result", None, answers(Seen::Stored(false)));
}

#[test]
fn error_class() {
    let mut bench = Bench::new(&Setup { strict_alignment: true, ..with_devices() });
    let law = &laws::ERROR_CLASS;
    for error in [Error::PageFault, Error::Other, Error::Alignment] {
        bench.diverges(&read_bulk(0xfff, 2), law, "error", None, answers(Seen::Error(error)));
        bench.diverges(&write(u64::MAX, 0, 8), law, "error", None, answers(Seen::Error(error)));
    }
    for error in [Error::PageFault, Error::Other, Error::InvalidAddress] {
        bench.diverges(&read(u64::MAX, 5), law, "error", None, answers(Seen::Error(error)));
        bench.diverges(&read(0x101, 2), law, "error", None, answers(Seen::Error(error)));
    }
    for error in [Error::PageFault, Error::Other, Error::InvalidAddress, Error::Alignment] {
        assert!(bench.verdict(&read_bulk(0xff, 2), answers(Seen::Error(error))).is_agree());
        assert!(bench.verdict(&read_bulk(0x10_0003, 2), answers(Seen::Error(error))).is_agree());
    }
}

#[test]
fn flat_memory() {
    let mut bench = Bench::new(&Setup::flat(0x1_0000)).after(&[write(0x1ffe, 0x4433_2211, 4)]);
    let law = &laws::FLAT_MEMORY;
    bench.diverges(&read(0x1ffe, 4), law, "value", Some(0x2000), answers(Seen::Value(0x2211)));
    bench.diverges(&read(0x1ffe, 2), law, "value", Some(0x2000), answers(Seen::Value(0x4433_2211)));
    bench.diverges(&read_bulk(0x1f00, 0x200), law, "buffer", Some(0x2001), |seen| seen.whole_buffer()[0x101] = 0);
    bench.diverges(&read_bulk(0, 0x1_0000), law, "buffer", Some(0xffff), |seen| seen.whole_buffer()[0xffff] = 1);
}

#[test]
fn error_changes_nothing() {
    let law = &laws::ERROR_CHANGES_NOTHING;
    let mut bench = Bench::new(&with_devices());
    bench.diverges(&read_bulk(0xf80, 0x81), law, "buffer", Some(0x7f), |seen| seen.whole_buffer()[0x7f] = 0);
    bench.diverges(&read_bulk(0x10_0001, 8), law, "buffer", Some(0), |seen| seen.whole_buffer()[0] = 0x50);
    let op = write_bulk(0xf80, 1, 0x81);
    assert!(bench.verdict(&op, |_| {}).is_agree());
    bench.diverges(&read(0xf80, 1), &laws::FLAT_MEMORY, "value", Some(0xf80), answers(Seen::Value(0x77)));
}

#[test]
fn buffer_bounds() {
    let mut bench = Bench::new(&with_devices());
    let law = &laws::BUFFER_BOUNDS;
    for (address, length) in [(0, 16), (0x100, 4), (0xfff, 2), (0x2000, 0), (0, 0), (0x10_0003, 3)] {
        let place = length + 8;
        bench.diverges(&read_bulk(address, length), law, "buffer", Some(place), |seen| {
            seen.whole_buffer()[place as usize] = 0;
        });
    }
}

#[test]
fn device_calls() {
    let setup = with_devices();
    let law = &laws::DEVICE_CALLS;
    let stray = RegisterFile::new(0, &setup.devices[0]).call(Direction::Read, 0, 1, 0);
    let adds = |seen: &mut Outcome| seen.device_calls.push(stray);
    for (op, calls) in [(read(0, 4), 0), (read(0x100, 4), 1), (read_bulk(0x104, 5), 5), (read_bulk(0xff, 2), 0)] {
        Bench::new(&setup).diverges(&op, law, "device_calls", Some(calls), adds);
    }
    for op in [restore(0x1000), restore(1), Op::Dump { owner: CPU }, Op::MemorySize { owner: CPU }] {
        Bench::new(&setup).diverges(&op, law, "device_calls", Some(0), adds);
    }
    for (op, place) in [(write(0x104, 1, 2), 0), (write_bulk(0x104, 3, 5), 4), (write_bulk(0x10_0000, 3, 32), 4)] {
        Bench::new(&setup).diverges(&op, law, "device_calls", Some(place), |seen| {
            seen.device_calls.pop();
        });
    }
    // The upper bits of a value are cut off before the device sees it.
    Bench::new(&setup).diverges(&write(0x100, 0x1ff, 1), law, "device_calls", Some(0), |seen| {
        seen.device_calls[0] = DeviceCall { value: 0x1ff, ..seen.device_calls[0] };
    });
    Bench::new(&setup).diverges(&read(0x100, 4), law, "value", None, answers(Seen::Value(0)));
    Bench::new(&setup).diverges(&read_bulk(0x104, 9), law, "buffer", Some(0x10a), |seen| seen.whole_buffer()[6] ^= 1);
    // Memory instead of the device: the answer is right in form, so the missing call is seen first.
    Bench::new(&setup).diverges(&read(0x100, 4), law, "device_calls", Some(0), |seen| {
        seen.device_calls.clear();
        seen.result = Seen::Value(0);
    });
}

#[test]
fn reservation() {
    let law = &laws::RESERVATION;
    let lost = || answers(Seen::Stored(true));
    let killers = [
        write(0x3c, 1, 8),
        write_bulk(0, 1, 0x41),
        write_bulk(0x7f, 1, 1),
        store_conditional(CPU, 0x40, 4),
        store_conditional(CPU, 0x40, 8),
        store_conditional(CPU, 0x200, 4),
        restore(0x1000),
        Op::RestoreDump { owner: OTHER_CPU },
        Op::InvalidateReservation { owner: OTHER_CPU, address: GuestAddress(0x7f), size: 1 },
        load_reserved(CPU, 0x44, 4),
    ];
    for killer in killers {
        let mut bench = Bench::new(&with_devices()).after(&[load_reserved(CPU, 0x40, 4), killer]);
        bench.diverges(&store_conditional(CPU, 0x40, 4), law, "result", None, lost());
    }
    let bystanders = [
        write(0x38, 1, 8),
        write(0x80, 1, 8),
        write_bulk(0x40, 1, 0),
        write_bulk(0xfff, 1, 2),
        write(0x100, 1, 4),
        restore(5),
        store_conditional(OTHER_CPU, 0x40, 4),
        load_reserved(OTHER_CPU, 0x40, 4),
        load_reserved(CPU, 0x100, 4),
        Op::InvalidateReservation { owner: CPU, address: GuestAddress(0x40), size: 0 },
        Op::InvalidateReservation { owner: CPU, address: GuestAddress(0x80), size: 255 },
    ];
    for bystander in bystanders {
        let mut bench = Bench::new(&with_devices()).after(&[load_reserved(CPU, 0x40, 4), bystander]);
        bench.diverges(&store_conditional(CPU, 0x40, 4), law, "result", None, answers(Seen::Stored(false)));
    }
}

/// What cores and emulators may do, and say that they do.
#[test]
fn freedoms_of_reservations() {
    let strict = GuestMemoryContract::STRICT;
    let (stored, failed) = (Seen::Stored(true), Seen::Stored(false));
    let again = store_conditional(CPU, 0x40, 4);
    let cases = [
        (GuestMemoryContract { failed_sc_keeps: true, ..strict }, store_conditional(CPU, 0x200, 4), &again, stored),
        (GuestMemoryContract { sc_may_fail: true, ..strict }, read(0, 4), &again, failed),
        (GuestMemoryContract { sc_other_size: true, ..strict }, read(0, 4), &store_conditional(CPU, 0x40, 8), stored),
        (GuestMemoryContract { sc_line_wide: true, ..strict }, read(0, 4), &store_conditional(CPU, 0x7c, 4), stored),
        (GuestMemoryContract { own_store_keeps: true, ..strict }, write(0x40, 1, 4), &again, stored),
    ];
    for (contract, between, op, result) in cases {
        let ops = [load_reserved(CPU, 0x40, 4), between];
        let free = |result| Bench::with_contract(&with_devices(), &contract).after(&ops).verdict(op, answers(result));
        assert!(free(stored).is_agree() && free(failed).is_agree(), "{op:?}");
        let strictly = Bench::new(&with_devices()).after(&ops).verdict(op, answers(result));
        assert!(!strictly.is_agree(), "{op:?} is {result:?}");
    }
    let contract = GuestMemoryContract { sc_line_wide: true, own_store_keeps: true, ..strict };
    let foreign = Op::Write { owner: OTHER_CPU, address: GuestAddress(0x7c), value: 1, size: 4 };
    for ops in [&[load_reserved(CPU, 0x40, 4), foreign][..], &[load_reserved(CPU, 0x40, 4), again.clone()]] {
        let mut bench = Bench::with_contract(&with_devices(), &contract).after(ops);
        bench.diverges(&again, &laws::RESERVATION, "result", None, answers(stored));
    }
    // A trap may end it or not.
    let trapped = store_conditional(CPU, 0xf_ffff, 4);
    let bench = || Bench::new(&with_devices()).after(&[load_reserved(CPU, 0x40, 4), trapped.clone()]);
    assert!(bench().verdict(&again, answers(stored)).is_agree() && bench().verdict(&again, answers(failed)).is_agree());
}

#[test]
fn dump_and_restore() {
    let dump = Op::Dump { owner: CPU };
    let mut bench = Bench::new(&Setup::flat(0x1003)).after(&[restore(0x1003), dump.clone()]);
    bench.diverges(&dump, &laws::DUMP, "dump", Some(0x1002), |seen| seen.dump[0x1002] = 0);
    bench.diverges(&dump, &laws::DUMP, "length", None, |seen| seen.dump.truncate(0x1000));
    let fails = || answers(Seen::Error(Error::Other));
    bench.diverges(&restore(0x1003), &laws::RESTORE, "result", None, fails());
    bench.diverges(&Op::RestoreDump { owner: CPU }, &laws::RESTORE, "result", None, fails());
    bench.diverges(&restore(0x1002), &laws::RESTORE, "result", None, answers(Seen::Done));
    let mut empty = Bench::new(&Setup::flat(0)).after(&[restore(0), dump.clone(), Op::RestoreDump { owner: CPU }]);
    empty.diverges(&restore(1), &laws::RESTORE, "result", None, answers(Seen::Done));
}

#[test]
fn memory_size() {
    let mut bench = Bench::new(&Setup::flat(17));
    bench.diverges(&Op::MemorySize { owner: CPU }, &laws::MEMORY_SIZE, "value", None, answers(Seen::Value(16)));
}

#[test]
fn answer() {
    let law = &laws::ANSWER;
    let mut bench = Bench::new(&Setup::flat(0x1000));
    for op in [read(0, 4), write(0, 1, 4), read_bulk(0, 4), read(0x1000, 1), write_bulk(0, 0, 4), restore(0x1000)] {
        bench.diverges(&op, law, "result", None, answers(Seen::Skipped));
    }
    bench.diverges(&read(0, 4), law, "result", None, answers(Seen::Done));
    bench.diverges(&read(0x1000, 4), law, "result", None, answers(Seen::Stored(true)));
    bench.diverges(&write(0, 1, 4), law, "result", None, answers(Seen::Value(0)));
    bench.diverges(&store_conditional(CPU, 0, 4), law, "result", None, answers(Seen::Done));
    bench.diverges(&Op::MemorySize { owner: CPU }, law, "result", None, answers(Seen::Error(Error::Other)));
    let mut large = Bench::new(&Setup::flat(DUMP_LIMIT_BYTES + 1)).after(&[Op::Dump { owner: CPU }, restore(7)]);
    large.diverges(&Op::RestoreDump { owner: CPU }, law, "result", None, answers(Seen::Done));
    large.diverges(&restore(7), law, "result", None, answers(Seen::Error(Error::Other)));
}

#[test]
fn nothing_of_the_op_before_passes_for_an_answer() {
    let contract = GuestMemoryContract { no_reservations: true, no_dump: true, ..GuestMemoryContract::STRICT };
    for op in [read(0, 4), write(0, 1, 4), read_bulk(0, 64), read_bulk(0x1000, 1), Op::MemorySize { owner: CPU }] {
        let mut bench = Bench::with_contract(&Setup::flat(0x1000), &contract).after(std::slice::from_ref(&op));
        bench.model.arrange(&op, &mut bench.seen);
        assert_eq!(bench.model.judge(&op, &bench.seen), Verdict::diverge(&laws::ANSWER, "result"), "{op:?}");
    }
    let op = Op::Dump { owner: CPU };
    let mut bench = Bench::new(&Setup::flat(0x1000)).after(std::slice::from_ref(&op));
    bench.model.arrange(&op, &mut bench.seen);
    bench.seen.result = Seen::Done;
    assert_eq!(bench.model.judge(&op, &bench.seen), Verdict::diverge(&laws::DUMP, "length"));
    // A read that fills nothing shows poison, not the bytes of the read before.
    let op = read_bulk(0, 64);
    let mut bench = Bench::new(&Setup::flat(0x1000)).after(std::slice::from_ref(&op));
    bench.model.arrange(&op, &mut bench.seen);
    bench.seen.result = Seen::Done;
    assert_eq!(bench.model.judge(&op, &bench.seen), Verdict::diverge_at(&laws::FLAT_MEMORY, "buffer", 0));
}

#[test]
fn freedoms() {
    let strict = GuestMemoryContract::STRICT;
    let cases = [
        (GuestMemoryContract { zero_length_anywhere: true, ..strict }, read_bulk(0x2000, 0), Seen::Done),
        (
            GuestMemoryContract { range_error_is_page_fault: true, ..strict },
            read(u64::MAX, 8),
            Seen::Error(Error::PageFault),
        ),
        (GuestMemoryContract { no_reservations: true, ..strict }, load_reserved(CPU, 0, 4), Seen::Skipped),
        (GuestMemoryContract { no_dump: true, ..strict }, Op::RestoreDump { owner: CPU }, Seen::Skipped),
    ];
    for (contract, op, result) in cases {
        let mut free = Bench::with_contract(&Setup::flat(0x1000), &contract);
        assert_eq!(free.verdict(&op, answers(result)), Verdict::Agree, "{op:?}");
        assert_ne!(Bench::new(&Setup::flat(0x1000)).verdict(&op, answers(result)), Verdict::Agree, "{op:?}");
    }
    let contract = GuestMemoryContract { zero_length_anywhere: true, ..strict };
    let mut free = Bench::with_contract(&Setup::flat(0x1000), &contract);
    let op = write_bulk(u64::MAX, 0, 0);
    assert!(free.verdict(&op, answers(Seen::Error(Error::InvalidAddress))).is_agree());
    free.diverges(&op, &laws::ERROR_CLASS, "error", None, answers(Seen::Error(Error::Other)));
}

#[test]
fn audit_judges_what_is_shown() {
    let bench = Bench::new(&with_devices()).after(&[write(0x40, 1, 8), write(0x1ff, 1, 1)]);
    let mut view = View::default();
    bench.model.survey(Depth::Full, &mut view);
    assert!(view.dump_wanted && bench.model.audit(&view).is_agree());
    bench.naive.view(&mut view);
    assert!(bench.model.audit(&view).is_agree());
    view.dump.as_mut().unwrap()[0x41] = 1;
    assert_eq!(bench.model.audit(&view), Verdict::diverge_at(&laws::FLAT_MEMORY, "state", 0x41));
    view.dump.as_mut().unwrap().pop();
    assert_eq!(bench.model.audit(&view), Verdict::diverge(&laws::MEMORY_SIZE, "state"));
    view = View { memory_size: Some(0x1001), ..View::default() };
    assert_eq!(bench.model.audit(&view), Verdict::diverge(&laws::MEMORY_SIZE, "state"));
    bench.model.survey(Depth::Sample, &mut view);
    assert!(!view.dump_wanted && view.ranges_wanted.is_empty() && bench.model.audit(&view).is_agree());
}

#[test]
fn a_large_memory_is_audited_where_it_was_touched() {
    let device = DeviceSetup { base: 0x2_0010, size: 0x20, faulty_register: None };
    let setup = Setup { devices: vec![device], ..Setup::flat(0x10_0008) };
    let ops = [write(0x10_0000, 1, 8), write(0x2_0000, 1, 8), write(0x7_0fff, 1, 2), write(0x9_0000, 1, 1)];
    let bench = Bench::new(&setup).after(&ops);
    let mut view = View::default();
    bench.model.survey(Depth::Full, &mut view);
    let wanted = [(0x2_0000, 0x10), (0x2_0030, 0x50), (0x7_0f80, 0x100), (0x9_0000, 0x80), (0x10_0000, 8)];
    assert_eq!((view.dump_wanted, view.ranges_wanted.as_slice()), (false, wanted.as_slice()));
    bench.naive.view(&mut view);
    assert!(bench.model.audit(&view).is_agree());
    view.bytes[0x10 + 0x50 + 0x80] = 7;
    assert_eq!(bench.model.audit(&view), Verdict::diverge_at(&laws::FLAT_MEMORY, "state", 0x7_1000));
    view.bytes.truncate(3);
    assert_eq!(bench.model.audit(&view), Verdict::diverge_at(&laws::FLAT_MEMORY, "state", 0x2_0003));
}

#[test]
fn allowed_is_said_in_words() {
    let setup = Setup { memory_size: 0x1_0000, ..with_devices() };
    let model = Bench::new(&setup)
        .after(&[write(0x1ffe, 0x1122_3344, 4), load_reserved(OTHER_CPU, 0x80, 8), write_bulk(0x800, 5, 300)])
        .model;
    let said = |op: Op| model.allowed(&op);
    assert_eq!(said(read(0x1ffe, 4)), "Ok(0x11223344): the 4 bytes at 0x1ffe");
    assert_eq!(said(read(0, 3)), "Err(AlignmentFault): the size is 3");
    assert_eq!(said(read_bulk(0xffff, 2)), "Err(InvalidAddress): 0xffff + 2 bytes is beyond the memory's end 0x10000");
    assert_eq!(said(store_conditional(CPU, 0x40, 8)), "Ok(false): vCPU 0 has no reservation of 0x40 with size 8");
    assert_eq!(
        said(store_conditional(OTHER_CPU, 0x80, 4)),
        "Ok(false): vCPU 1 has no reservation of 0x80 with size 4, but one of 0x80 with size 8"
    );
    assert_eq!(
        said(read_bulk(0x1ffd, 18)),
        "Ok: 18 bytes at 0x1ffd, beginning 00 44 33 22 11 00 00 00 00 00 00 00 00 00 00 00"
    );
    assert_eq!(
        said(read(0xfe, 4)),
        "an error and no device call: the 4 bytes at 0xfe lie only partly in device 0 at 0x100 to 0x120"
    );
    assert_eq!(
        said(read_bulk(0x10_0003, 5)),
        "an error: the device fails the last of 2 reads of a byte each from offset 0x3 of device 1"
    );
    assert_eq!(said(restore(1)), "an error: 1 byte cannot replace a memory of 0x10000");
}

#[test]
fn atomic() {
    let exchange = |address, expected| Op::CompareExchange {
        owner: CPU,
        address: GuestAddress(address),
        expected,
        value: 7,
        size: 4,
    };
    let found = |before, stored| answers(Seen::Exchanged { before, stored });
    let bench = || Bench::new(&with_devices()).after(&[write(0x40, 0x1_0000_0005, 8)]);
    // Bits beyond the size say nothing.
    bench().diverges(&exchange(0x40, 0xff_0000_0005), &laws::ATOMIC, "result", None, found(5, false));
    bench().diverges(&exchange(0x40, 6), &laws::ATOMIC, "result", None, found(5, true));
    bench().diverges(&exchange(0x40, 6), &laws::FLAT_MEMORY, "value", Some(0x40), found(6, true));
    bench().diverges(&exchange(0x42, 0), &laws::BOUNDS, "result", None, found(0, true));
    bench().diverges(&exchange(0x100, 0), &laws::BOUNDS, "result", None, found(0, false));
    bench().diverges(&exchange(0x40, 5), &laws::ANSWER, "result", None, answers(Seen::Skipped));
    let load = load_reserved(OTHER_CPU, 0x40, 8);
    let store = store_conditional(OTHER_CPU, 0x40, 8);
    let law = &laws::RESERVATION;
    bench().after(&[load.clone(), exchange(0x44, 0)]).diverges(
        &store,
        law,
        "result",
        None,
        answers(Seen::Stored(false)),
    );
    bench().after(&[load, exchange(0x44, 1)]).diverges(&store, law, "result", None, answers(Seen::Stored(true)));
}

#[test]
fn alignment_in_the_host_decides_where_a_contract_says_so() {
    let contract = GuestMemoryContract { host_alignment: true, ..GuestMemoryContract::STRICT };
    let load = |address| Op::AtomicLoad { owner: CPU, address: GuestAddress(address), size: 8 };
    let mut bench = Bench::with_contract(&with_devices(), &contract);
    for result in [Seen::Value(0), Seen::Error(Error::Alignment)] {
        assert_eq!(bench.verdict(&load(0x40), answers(result)), Verdict::Agree);
        assert_eq!(bench.verdict(&load(0x41), answers(result)), Verdict::Agree);
    }
    bench.diverges(&load(0x40), &laws::BOUNDS, "result", None, answers(Seen::Error(Error::InvalidAddress)));
    bench.diverges(&load(0x2_0000), &laws::BOUNDS, "result", None, answers(Seen::Value(0)));
    let mut strict = Bench::new(&with_devices());
    strict.diverges(&load(0x41), &laws::BOUNDS, "result", None, answers(Seen::Value(0)));
    strict.diverges(&load(0x40), &laws::BOUNDS, "result", None, answers(Seen::Error(Error::Alignment)));
}
