//! Refused transfers that moved a part of what fits, where a contract says that they may.

use super::super::super::{DeviceSetup, Error, GuestAddress, POISON, laws};
use super::super::*;
use crate::{Contract as _, Divergence, Law};

const CPU: Owner = Owner::new_folded(0);
const REFUSED: Seen = Seen::Error(Error::InvalidAddress);

/// Thirty-two bytes of memory, the last eight behind a device.
fn model(partial_bulk: bool) -> GuestMemoryModel {
    let device = DeviceSetup { base: 24, size: 8, faulty_register: None };
    let setup = Setup { devices: vec![device], ..Setup::flat(32) };
    GuestMemoryModel::new(&setup, &GuestMemoryContract { partial_bulk, ..GuestMemoryContract::STRICT })
}

fn write(address: u64, length: u64) -> Op {
    Op::WriteBulk { owner: CPU, address: GuestAddress(address), seed: 3, length: TransferLength::new_folded(length) }
}

fn read(address: u64, length: u64) -> Op {
    Op::ReadBulk { owner: CPU, address: GuestAddress(address), length: TransferLength::new_folded(length) }
}

/// The verdict on a step that answers so, with these bytes in its buffer.
fn step(model: &mut GuestMemoryModel, op: &Op, result: Seen, buffer: &[u8]) -> Verdict {
    let mut seen = Outcome::default();
    model.arrange(op, &mut seen);
    seen.result = result;
    seen.whole_buffer()[..buffer.len()].copy_from_slice(buffer);
    model.judge(op, &seen)
}

fn diverges(verdict: Verdict, law: &Law, field: &str, place: Option<u64>) -> bool {
    matches!(verdict, Verdict::Diverge(Divergence { law: name, field: seen, place: at })
        if name == law.name && seen == field && at == place)
}

fn pattern(count: usize) -> &'static [u8] {
    &payload_of(3, TransferLength::new_folded(32))[..count]
}

#[test]
fn what_fits_was_written_or_not_as_the_next_read_shows() {
    for written in 0..=4 {
        let mut model = model(true);
        assert_eq!(step(&mut model, &write(20, 6), Seen::Error(Error::Other), &[]), Verdict::Agree);
        let mut shown = pattern(4).to_vec();
        shown[written..].fill(0);
        let mut again = model.clone();
        assert_eq!(step(&mut model, &read(20, 4), Seen::Done, &shown), Verdict::Agree);
        // What was seen once stays.
        let other = pattern(4).iter().zip(&shown).position(|(new, seen)| new != seen).unwrap_or(0);
        shown[other] = if shown[other] == 0 { pattern(4)[other] } else { 0 };
        let verdict = step(&mut model, &read(20, 4), Seen::Done, &shown);
        assert!(diverges(verdict, &laws::FLAT_MEMORY, "buffer", Some(20 + other as u64)), "{verdict:?}");
        shown[other] = 0x5a;
        let verdict = step(&mut again, &read(20, 4), Seen::Done, &shown);
        assert!(diverges(verdict, &laws::FLAT_MEMORY, "buffer", Some(20 + other as u64)), "{verdict:?}");
    }
}

#[test]
fn a_store_settles_what_a_refused_transfer_left_open() {
    let mut model = model(true);
    assert_eq!(step(&mut model, &write(20, 6), Seen::Error(Error::Other), &[]), Verdict::Agree);
    let store = Op::Write { owner: CPU, address: GuestAddress(20), value: 0, size: 4 };
    assert_eq!(step(&mut model, &store, Seen::Done, &[]), Verdict::Agree);
    let read = Op::Read { owner: CPU, address: GuestAddress(20), size: 4 };
    let value = u64::from(u32::from_le_bytes(pattern(4).try_into().unwrap()));
    assert!(diverges(step(&mut model, &read, Seen::Value(value), &[]), &laws::FLAT_MEMORY, "value", Some(20)));
}

#[test]
fn a_count_says_what_was_moved() {
    let fresh = || model(true);
    let mut model = fresh();
    assert_eq!(step(&mut model, &write(20, 6), Seen::Moved(3), &[]), Verdict::Agree);
    let mut shown = pattern(4).to_vec();
    assert!(diverges(
        step(&mut model.clone(), &read(20, 4), Seen::Done, &shown),
        &laws::FLAT_MEMORY,
        "buffer",
        Some(23)
    ));
    shown[3] = 0;
    assert_eq!(step(&mut model, &read(20, 6), Seen::Moved(4), &shown), Verdict::Agree);
    assert!(diverges(
        step(&mut model, &read(20, 6), Seen::Moved(3), &shown),
        &laws::ERROR_CHANGES_NOTHING,
        "buffer",
        Some(3)
    ));
    // No more than fits, no less than one byte, and nothing of what begins in a device or beyond memory.
    for (address, count) in [(20, 5), (20, 0), (24, 1), (32, 1)] {
        let verdict = step(&mut fresh(), &write(address, 9), Seen::Moved(count), &[]);
        assert!(matches!(verdict, Verdict::Diverge(_)), "{count} of 9 bytes at {address}: {verdict:?}");
    }
    // What can be done whole is done whole.
    assert!(diverges(step(&mut fresh(), &write(0, 9), Seen::Moved(8), &[]), &laws::BOUNDS, "result", None));
}

#[test]
fn a_refused_read_may_have_filled_what_fits_and_no_more() {
    let mut model = model(true);
    assert_eq!(step(&mut model, &write(16, 8), Seen::Done, &[]), Verdict::Agree);
    let mut shown = pattern(8).to_vec();
    assert_eq!(step(&mut model, &read(16, 12), Seen::Error(Error::Other), &shown), Verdict::Agree);
    shown[5] = POISON;
    assert_eq!(step(&mut model, &read(16, 12), Seen::Error(Error::Other), &shown), Verdict::Agree);
    shown[5] = 0x5a;
    let verdict = step(&mut model, &read(16, 12), Seen::Error(Error::Other), &shown);
    assert!(diverges(verdict, &laws::FLAT_MEMORY, "buffer", Some(21)), "{verdict:?}");
    shown[5] = POISON;
    shown.push(0);
    let verdict = step(&mut model, &read(16, 12), Seen::Error(Error::Other), &shown);
    assert!(diverges(verdict, &laws::ERROR_CHANGES_NOTHING, "buffer", Some(8)), "{verdict:?}");
}

#[test]
fn nothing_fits_at_the_end_of_the_address_space() {
    for address in [u64::MAX, u64::MAX - 3, 32] {
        assert_eq!(step(&mut model(true), &read(address, 16), REFUSED, &[]), Verdict::Agree);
        assert_eq!(step(&mut model(true), &write(address, 16), REFUSED, &[]), Verdict::Agree);
        let verdict = step(&mut model(true), &read(address, 16), REFUSED, &[0]);
        assert!(diverges(verdict, &laws::ERROR_CHANGES_NOTHING, "buffer", Some(0)), "{verdict:?}");
    }
}

#[test]
fn strictly_a_refused_transfer_moves_nothing() {
    assert!(matches!(step(&mut model(false), &write(20, 6), Seen::Moved(4), &[]), Verdict::Diverge(_)));
    let mut strict = model(false);
    assert_eq!(step(&mut strict, &write(28, 8), REFUSED, &[]), Verdict::Agree);
    assert_eq!(step(&mut strict, &write(20, 6), Seen::Error(Error::Other), &[]), Verdict::Agree);
    let verdict = step(&mut strict, &read(20, 4), Seen::Done, pattern(4));
    assert!(diverges(verdict, &laws::FLAT_MEMORY, "buffer", Some(20)), "{verdict:?}");
}

#[test]
fn a_refused_transfer_may_have_ended_reservations() {
    for stored in [false, true] {
        let mut model = model(true);
        let load = Op::LoadReserved { owner: CPU, address: GuestAddress(0), size: 8 };
        assert_eq!(step(&mut model, &load, Seen::Value(0), &[]), Verdict::Agree);
        assert_eq!(step(&mut model, &write(20, 6), Seen::Error(Error::Other), &[]), Verdict::Agree);
        let store = Op::StoreConditional { owner: CPU, address: GuestAddress(0), value: 1, size: 8 };
        assert_eq!(step(&mut model, &store, Seen::Stored(stored), &[]), Verdict::Agree);
    }
}
