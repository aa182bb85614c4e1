//! The reservations that load-reserved leaves and stores kill. Does not know whether an access was allowed.

use super::super::contract::GuestMemoryContract;
use super::super::op::{OWNERS, Owner};

const LINE_BYTES_LOG2: u32 = 6;

/// The 64-byte lines that a range touches, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lines {
    first: u64,
    last: u64,
}

impl Lines {
    /// The lines of the `length` bytes at `address`, saturating at the end of the address space; `None` for no bytes.
    #[inline]
    pub(super) fn touched(address: u64, length: u64) -> Option<Lines> {
        let last_byte = address.saturating_add(length.checked_sub(1)?);
        Some(Lines { first: address >> LINE_BYTES_LOG2, last: last_byte >> LINE_BYTES_LOG2 })
    }

    #[inline]
    fn meet(self, other: Lines) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    #[inline]
    fn contain(self, other: Lines) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// A reservation: the address and the size of its load-reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reservation {
    /// The guest physical address.
    pub(super) address: u64,
    /// The size in bytes.
    pub(super) size: u8,
    lines: Lines,
}

/// A set of owners, one bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Owners(u8);

impl Owners {
    pub(super) const NONE: Owners = Owners(0);

    #[inline]
    pub(super) fn contains(self, owner: Owner) -> bool {
        self.0 & bit(owner) != 0
    }

    #[inline]
    pub(super) fn contains_others(self, owner: Owner) -> bool {
        self.0 & !bit(owner) != 0
    }

    #[inline]
    pub(super) fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

/// What a store-conditional may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answers {
    /// It may say that it stored.
    pub(super) may_store: bool,
    /// It may say that it did not.
    pub(super) may_fail: bool,
}

/// At most one live reservation for each owner.
#[derive(Debug, Clone, Default)]
pub(super) struct Reservations {
    live: Owners,
    /// Those of the live that may have ended, because the contract does not say.
    unsure: Owners,
    entries: [Reservation; OWNERS as usize],
}

impl Reservations {
    /// Whose reservations are live.
    #[inline]
    pub(super) fn live(&self) -> Owners {
        self.live
    }

    /// The owner's live reservation.
    #[inline]
    pub(super) fn of(&self, owner: Owner) -> Option<Reservation> {
        self.live.contains(owner).then(|| self.entries[owner.index()])
    }

    /// Reserves the `size` bytes at `address`, which drops the owner's older reservation.
    #[inline]
    pub(super) fn reserve(&mut self, owner: Owner, address: u64, size: u8) {
        let lines = Lines::touched(address, u64::from(size)).unwrap_or_default();
        self.entries[owner.index()] = Reservation { address, size, lines };
        self.live.0 |= bit(owner);
        self.unsure.0 &= !bit(owner);
    }

    /// What a store-conditional of the owner's may answer.
    #[inline]
    pub(super) fn answers(&self, contract: &GuestMemoryContract, owner: Owner, address: u64, size: u8) -> Answers {
        let Some(held) = self.of(owner) else { return Answers { may_store: false, may_fail: true } };
        let is_same = held.address == address && held.size == size;
        let lines = Lines::touched(address, u64::from(size));
        let may_store = is_same
            || contract.sc_other_size && held.address == address
            || contract.sc_line_wide && lines.is_some_and(|lines| held.lines.contain(lines));
        Answers { may_store, may_fail: !is_same || contract.sc_may_fail || self.unsure.contains(owner) }
    }

    /// The owner's reservation is over.
    #[inline]
    pub(super) fn end(&mut self, owner: Owner) {
        self.live.0 &= !bit(owner);
    }

    /// Reservations of any of these lines may be over.
    pub(super) fn doubt_touching(&mut self, lines: Option<Lines>) {
        self.unsure.0 |= self.touching(lines).0;
    }

    /// Any reservation may be over.
    pub(super) fn doubt_all(&mut self) {
        self.unsure = self.live;
    }

    /// The owner's reservation, if it is live, may be over.
    #[inline]
    pub(super) fn doubt(&mut self, owner: Owner) {
        self.unsure.0 |= bit(owner);
    }

    /// The owners that reserve any of these lines.
    #[inline]
    pub(super) fn touching(&self, lines: Option<Lines>) -> Owners {
        // Most stores come while none is live: they cost this one comparison.
        if self.live == Owners::NONE { Owners::NONE } else { self.touching_live(lines) }
    }

    /// Kills every reservation of any of these lines, and says whose they were.
    #[inline]
    pub(super) fn kill(&mut self, lines: Option<Lines>) -> Owners {
        let killed = self.touching(lines);
        self.live.0 &= !killed.0;
        killed
    }

    /// Kills every reservation, and says whose they were.
    pub(super) fn kill_all(&mut self) -> Owners {
        std::mem::take(&mut self.live)
    }

    fn touching_live(&self, lines: Option<Lines>) -> Owners {
        let Some(lines) = lines else { return Owners::NONE };
        let met = self
            .entries
            .iter()
            .enumerate()
            .fold(0, |met, (owner, held)| met | u8::from(held.lines.meet(lines)) << owner);
        Owners(met & self.live.0)
    }
}

#[inline]
fn bit(owner: Owner) -> u8 {
    1 << owner.index()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_over_two_lines_kills_the_reservations_of_both() {
        let (first, second) = (Owner::new_folded(0), Owner::new_folded(1));
        let mut reservations = Reservations::default();
        reservations.reserve(first, 0x38, 8);
        reservations.reserve(second, 0x40, 8);
        assert_eq!(reservations.kill(Lines::touched(0x80, 8)), Owners::NONE);
        assert_eq!(reservations.kill(Lines::touched(0x3c, 0)), Owners::NONE);
        assert_eq!(reservations.kill(Lines::touched(0x3c, 8)).count(), 2);
        assert_eq!(reservations.live(), Owners::NONE);
    }

    #[test]
    fn lines_saturate_at_the_end_of_the_address_space() {
        let lines = Lines::touched(u64::MAX - 1, 255);
        assert_eq!(lines, Some(Lines { first: u64::MAX >> 6, last: u64::MAX >> 6 }));
    }
}
