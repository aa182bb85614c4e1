//! What the model saw, as feature numbers for the state map. Does not judge.
//!
//! The numbers fall into three parts:
//!
//! | numbers | what they tell apart | made of |
//! |---|---|---|
//! | 0 to 4095 | ops | kind (5 bits), outcome class (3), size class (3), [`Position`] (4), folded to 12 bits |
//! | 4096 to 6143 | orders of ops | kind and class of the op before (8 bits) and of this one (8), folded to 11 bits |
//! | 6144 to 8191 | reservations | kind (5 bits), live ones after the op (3), [`ReservationEvent`] (4), likewise |
//!
//! The first op of a trace follows a kind of its own. The third part is hit only by ops that met reservations.

use super::super::op::{Op, OpKind, Owner};
use super::super::outcome::{Outcome, Seen};
use super::access::Layout;
use super::reservations::{Lines, Owners, Reservations};
use crate::StateMap;

const ORDERS: usize = 4096;
const RESERVATIONS: usize = 6144;
const _: () = assert!(RESERVATIONS + 2048 == StateMap::SIZE);

/// What an op did with the reservations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ReservationEvent {
    /// Nothing: no reservation was live, or the op has nothing to do with them.
    Untouched,
    /// A first reservation, on lines that nobody else reserves.
    Reserved,
    /// A reservation in place of the owner's older one.
    ReservedAnew,
    /// A first reservation, on a line that another owner reserves too.
    ReservedBesideForeign,
    /// A store-conditional at the owner's reservation.
    Hit,
    /// A store-conditional at the address of the owner's reservation, with another size.
    OtherSize,
    /// A store-conditional on the lines of the owner's reservation.
    SameLine,
    /// A store-conditional away from the owner's reservation.
    Elsewhere,
    /// A store-conditional without a reservation, where another owner has one.
    OnlyForeign,
    /// A store-conditional without a reservation.
    NoneHeld,
    /// A store or invalidate that left all live reservations.
    KilledNone,
    /// A store or invalidate that killed the owner's own reservation.
    KilledOwn,
    /// A store or invalidate that killed reservations of others.
    KilledForeign,
    /// A store or invalidate that killed its own and others.
    KilledBoth,
}

impl ReservationEvent {
    /// The event of a load-reserved, before it takes its reservation.
    pub(super) fn of_load(reservations: &Reservations, owner: Owner, address: u64, size: u8) -> Self {
        let touching = reservations.touching(Lines::touched(address, u64::from(size)));
        if reservations.live().contains(owner) {
            ReservationEvent::ReservedAnew
        } else if touching.contains_others(owner) {
            ReservationEvent::ReservedBesideForeign
        } else {
            ReservationEvent::Reserved
        }
    }

    /// The event of a store-conditional, before it stores.
    pub(super) fn of_store_conditional(reservations: &Reservations, owner: Owner, address: u64, size: u8) -> Self {
        let touching = reservations.touching(Lines::touched(address, u64::from(size)));
        match reservations.of(owner) {
            Some(held) if held.address == address && held.size == size => ReservationEvent::Hit,
            Some(held) if held.address == address => ReservationEvent::OtherSize,
            Some(_) if touching.contains(owner) => ReservationEvent::SameLine,
            Some(_) => ReservationEvent::Elsewhere,
            None if touching.contains_others(owner) => ReservationEvent::OnlyForeign,
            None => ReservationEvent::NoneHeld,
        }
    }

    /// The event of a store or an invalidate that killed these reservations and left those.
    #[inline]
    pub(super) fn of_kill(owner: Owner, killed: Owners, left: Owners) -> Self {
        match (killed.contains(owner), killed.contains_others(owner)) {
            (false, false) if left == Owners::NONE => ReservationEvent::Untouched,
            (false, false) => ReservationEvent::KilledNone,
            (true, false) => ReservationEvent::KilledOwn,
            (false, true) => ReservationEvent::KilledForeign,
            (true, true) => ReservationEvent::KilledBoth,
        }
    }
}

/// What the model remembers of the ops for features: this one and the one before. A step is a kind and a class in 8
/// bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct History {
    before: u8,
    now: u8,
    event: ReservationEvent,
}

/// Stands for the time before the first op: a kind that no op has.
const NO_STEP: u8 = 31 << 3;
const _: () = assert!(OpKind::ALL.len() <= 31 && Seen::Done.class() == 0);

impl History {
    pub(super) const EMPTY: History = History { before: NO_STEP, now: NO_STEP, event: ReservationEvent::Untouched };

    /// Notes the op before its judging.
    #[inline]
    pub(super) fn begin(&mut self, kind: OpKind, result: Seen) {
        self.begin_success(kind);
        #[allow(clippy::cast_possible_truncation)] // 3 bits
        let class = result.class() as u8;
        self.now |= class;
    }

    /// The same for an op that did what it was asked to do, whose class is 0: no jump by the form of the answer.
    #[inline]
    pub(super) fn begin_success(&mut self, kind: OpKind) {
        self.before = self.now;
        self.now = (kind as u8) << 3;
        self.event = ReservationEvent::Untouched;
    }

    #[inline]
    pub(super) fn meet(&mut self, event: ReservationEvent) {
        self.event = event;
    }
}

/// Where the range of an op lies, by the nearest edge that it meets. The first that fits, in this order, is the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Position {
    /// The op has no range.
    Everywhere,
    /// The end is beyond the address space, or in its last page.
    AddressSpaceEnd,
    /// Wholly in a device.
    InDevice,
    /// In a device and outside of it.
    AcrossDevice,
    /// Right before or right after a device.
    BesideDevice,
    /// Below all RAM, or more than a page beyond the end of a run of it.
    FarBeyondEnd,
    /// Begins at the end of a run or up to a page beyond.
    BeyondEnd,
    /// Begins in a run and ends beyond it.
    AcrossEnd,
    /// Ends where a run ends.
    AtEnd,
    /// Over two shard borders or more.
    AcrossShards,
    /// Over one shard border.
    AcrossShardBorder,
    /// Begins or ends at a shard border.
    AtShardBorder,
    /// Over a page border.
    AcrossPageBorder,
    /// Over a border of lines.
    AcrossLineBorder,
    /// Begins at address 0.
    AtZero,
    /// None of these.
    Inside,
}

/// Notes a step that was agreed on.
#[inline]
pub(super) fn note(op: &Op, layout: &Layout, history: &History, reservations: &Reservations, sink: &mut StateMap<'_>) {
    let step = usize::from(history.now);
    let (place, size_class) = match op.range() {
        Some((address, length)) => (place(layout, address, length), size_class(length)),
        None => (Position::Everywhere, 0),
    };
    sink.hit(folded(step << 7 | size_class << 4 | place as usize, 12));
    sink.hit(ORDERS + folded(usize::from(history.before) << 8 | step, 11));
    if history.event != ReservationEvent::Untouched {
        let kind = step >> 3;
        sink.hit(RESERVATIONS + folded(kind << 7 | reservations.live().count() << 4 | history.event as usize, 11));
    }
}

/// Notes how many pages the log showed, and whether an image refused one.
#[inline]
pub(super) fn note_log(op: &Op, seen: &Outcome, sink: &mut StateMap<'_>) {
    if let Op::DirtyLog { .. } | Op::TakeDirtyLog { .. } | Op::DumpDirty { .. } = op {
        let count = size_class((seen.pages.len() + seen.page_writes.len()) as u64);
        let is_refused = seen.page_writes.iter().any(|write| write.refused);
        sink.hit(RESERVATIONS + folded((op.kind() as usize) << 7 | count << 4 | usize::from(is_refused), 11));
    }
}

/// Fibonacci hashing: neighbouring numbers spread well, and the numbers here are dense.
#[inline]
fn folded(number: usize, bits: u32) -> usize {
    let product = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    #[allow(clippy::cast_possible_truncation)] // at most 12 bits are left
    let folded = (product >> (64 - bits)) as usize;
    folded
}

/// 0, 1, 2, 4, 8, 16, 64 and 4096 bytes or more. By table, because a jump by the size is mispredicted often.
#[inline]
fn size_class(length: u64) -> usize {
    const BY_BITS: [u8; 14] = [0, 1, 2, 3, 4, 5, 5, 6, 6, 6, 6, 6, 6, 7];
    let bits = 64 - length.leading_zeros() as usize;
    usize::from(BY_BITS[bits.min(13)])
}

#[inline]
fn place(layout: &Layout, address: u64, length: u64) -> Position {
    let Some(end) = address.checked_add(length).filter(|&end| end <= u64::MAX - 4096) else {
        return Position::AddressSpaceEnd;
    };
    for device in &layout.devices {
        if address <= device.end() && device.base <= end && device.size != 0 {
            return if device.base <= address && end <= device.end() {
                Position::InDevice
            } else if address < device.end() && device.base < end {
                Position::AcrossDevice
            } else {
                Position::BesideDevice
            };
        }
    }
    let Some(run) = layout.ram.run_from_below(address) else { return Position::FarBeyondEnd };
    if run.end() <= end {
        return place_at_end(run.end(), address, end);
    }
    let from_border = layout.offset_in_shard(run.offset + (address - run.base));
    let past_border = from_border + length;
    if layout.shard_size < past_border {
        return if 2 * layout.shard_size < past_border { Position::AcrossShards } else { Position::AcrossShardBorder };
    }
    let borders = address ^ (end - u64::from(length != 0));
    let at_border = past_border == layout.shard_size || from_border == 0 && address != 0;
    // The last four places are common and follow no pattern: chosen without a branch, the weakest first.
    let place = if address == 0 { Position::AtZero } else { Position::Inside };
    let place = if borders >> 6 == 0 { place } else { Position::AcrossLineBorder };
    let place = if borders >> 12 == 0 { place } else { Position::AcrossPageBorder };
    if at_border { Position::AtShardBorder } else { place }
}

fn place_at_end(run_end: u64, address: u64, end: u64) -> Position {
    if end == run_end {
        Position::AtEnd
    } else if address < run_end {
        Position::AcrossEnd
    } else if address - run_end <= 4096 {
        Position::BeyondEnd
    } else {
        Position::FarBeyondEnd
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::setup::{DeviceSetup, Setup};
    use super::*;
    use crate::Contract as _;
    use crate::guest_memory::GuestMemoryContract;

    #[test]
    fn places_are_told_apart() {
        let device = DeviceSetup { base: 0x8000, size: 0x40, faulty_register: None };
        let setup = Setup { devices: vec![device], ..Setup::flat(0x2_0000) };
        let layout = Layout::new(&setup, &GuestMemoryContract::STRICT);
        let cases = [
            (u64::MAX, 1, Position::AddressSpaceEnd),
            (0x8000, 0x40, Position::InDevice),
            (0x7fff, 2, Position::AcrossDevice),
            (0x8040, 8, Position::BesideDevice),
            (0x2_1001, 1, Position::FarBeyondEnd),
            (0x2_0000, 1, Position::BeyondEnd),
            (0x1_ffff, 2, Position::AcrossEnd),
            (0x1_ffff, 1, Position::AtEnd),
            (0x1fff, 0x3000, Position::AcrossShards),
            (0x1fff, 2, Position::AcrossShardBorder),
            (0x1ffe, 2, Position::AtShardBorder),
            (0x2000, 2, Position::AtShardBorder),
            (0x0fff, 2, Position::AcrossPageBorder),
            (0x003f, 2, Position::AcrossLineBorder),
            (0, 8, Position::AtZero),
            (0x0040, 8, Position::Inside),
        ];
        for (address, length, expected) in cases {
            assert_eq!(place(&layout, address, length), expected, "{length:#x} bytes at {address:#x}");
        }
    }

    #[test]
    fn the_three_parts_do_not_overlap() {
        assert!((0..1 << 15).all(|number| folded(number, 12) < ORDERS));
        assert!((0..1 << 16).all(|number| ORDERS + folded(number, 11) < RESERVATIONS));
    }
}
