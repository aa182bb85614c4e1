//! The ownership ledger: what each slot of the program points to, who owns it, and what the program put there.

use super::super::op::{Kind, Protection, SLOTS, Side, Slot};
use super::super::setup::PAGE_BYTES;
use super::known::Known;
use crate::allocation::Alignment;

/// The one true owner of what a pointer points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The allocator.
    Kind(Kind),
    /// libc.
    Libc,
    /// The static pool from before the allocator was up.
    Boot,
    /// Somebody who mapped a page, with its protection.
    Foreign(Protection),
}

/// What a slot points to, or pointed to.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) owner: Owner,
    pub(super) address: u64,
    /// What was asked for, in bytes.
    pub(super) size: u64,
    /// What the program may use, in bytes: at least the size.
    pub(super) granted: u64,
    pub(super) align: Alignment,
    /// The bytes that the program put there.
    pub(super) known: Known,
}

impl Held {
    const EMPTY: Held = Held {
        owner: Owner::Libc,
        address: 0,
        size: 0,
        granted: 0,
        align: Alignment::from_exponent_folded(0),
        known: Known::NOTHING,
    };

    fn end(&self) -> u64 {
        self.address.saturating_add(self.granted.max(1))
    }

    pub(super) fn can_write(&self) -> bool {
        !matches!(self.owner, Owner::Foreign(Protection::None | Protection::Read))
    }

    pub(super) fn can_read(&self) -> bool {
        self.owner != Owner::Foreign(Protection::None)
    }
}

/// The slots.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    held: Vec<Held>,
    /// A bit for each slot that holds something live.
    live: u64,
    /// A bit for each slot that was ever used.
    used: u64,
    /// Live blocks of each kind.
    pub(super) blocks: [u32; 6],
    /// Live blocks that the program has from libc directly.
    pub(super) libc_blocks: u32,
    boot_blocks: u32,
    foreign_pages: u32,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Ledger {
            held: vec![Held::EMPTY; SLOTS.into()],
            live: 0,
            used: 0,
            blocks: [0; 6],
            libc_blocks: 0,
            boot_blocks: 0,
            foreign_pages: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        for index in bits(self.used) {
            self.held[index].address = 0;
            self.held[index].known.clear();
        }
        (self.live, self.used, self.blocks) = (0, 0, [0; 6]);
        (self.libc_blocks, self.boot_blocks, self.foreign_pages) = (0, 0, 0);
    }

    /// The pointer in a slot, fresh or stale; null in one that was never used.
    #[inline]
    pub(super) fn pointer(&self, slot: Slot) -> u64 {
        self.held[slot.index()].address
    }

    /// What a slot pointed to last, if it was ever used.
    #[inline]
    pub(super) fn last(&self, slot: Slot) -> Option<&Held> {
        (self.used >> slot.index() & 1 != 0).then(|| &self.held[slot.index()])
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&Held> {
        (self.live >> slot.index() & 1 != 0).then(|| &self.held[slot.index()])
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Held> {
        (self.live >> slot.index() & 1 != 0).then(|| &mut self.held[slot.index()])
    }

    /// The live things, with their slots.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Held)> {
        bits(self.live).map(|index| (slot_of(index), &self.held[index]))
    }

    pub(super) const fn live(&self) -> u32 {
        self.live.count_ones()
    }

    /// The live thing that begins at exactly this address.
    #[inline]
    pub(super) fn owner_of(&self, pointer: u64, hint: Slot) -> Option<Slot> {
        if self.get(hint).is_some_and(|held| held.address == pointer) {
            return Some(hint);
        }
        self.iter().find(|(_, held)| held.address == pointer).map(|(slot, _)| slot)
    }

    /// A live thing that shares a byte with these, other than the one in `besides`.
    #[inline]
    pub(super) fn overlapping(&self, address: u64, granted: u64, besides: Slot) -> Option<u64> {
        let end = address.saturating_add(granted.max(1));
        let mut others = self.iter().filter(|(slot, _)| *slot != besides);
        others.find(|(_, held)| held.address < end && address < held.end()).map(|(_, held)| held.address)
    }

    /// The foreign page at this address.
    pub(super) fn foreign_page(&self, page: u64) -> Option<Slot> {
        let mut pages = self.iter().filter(|(_, held)| matches!(held.owner, Owner::Foreign(_)));
        pages.find(|(_, held)| held.address == page).map(|(slot, _)| slot)
    }

    pub(super) fn put(&mut self, slot: Slot, owner: Owner, address: u64, size: u64, align: Alignment) {
        self.used |= 1 << slot.index();
        self.live |= 1 << slot.index();
        *self.count(owner) += 1;
        let held = &mut self.held[slot.index()];
        (held.owner, held.address, held.size, held.granted, held.align) = (owner, address, size, size, align);
        held.known.clear();
    }

    /// The block in the slot is another one now, with so many of its bytes.
    pub(super) fn resize(&mut self, slot: Slot, owner: Owner, address: u64, size: u64, kept: u64) {
        let before = self.held[slot.index()].owner;
        *self.count(before) -= 1;
        *self.count(owner) += 1;
        let held = &mut self.held[slot.index()];
        held.known.keep(kept);
        (held.owner, held.address, held.size, held.granted) = (owner, address, size, size);
    }

    pub(super) fn free(&mut self, slot: Slot) {
        self.live &= !(1 << slot.index());
        let owner = self.held[slot.index()].owner;
        *self.count(owner) -= 1;
    }

    /// The page of a foreign neighbour of what the slot holds.
    pub(super) fn neighbour(held: &Held, side: Side) -> u64 {
        let byte = match side {
            Side::Before => held.address.wrapping_sub(1),
            Side::After => held.address.wrapping_add(held.size),
        };
        byte & !(PAGE_BYTES - 1)
    }

    fn count(&mut self, owner: Owner) -> &mut u32 {
        match owner {
            Owner::Kind(kind) => &mut self.blocks[kind as usize],
            Owner::Libc => &mut self.libc_blocks,
            Owner::Boot => &mut self.boot_blocks,
            Owner::Foreign(_) => &mut self.foreign_pages,
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // below 64
fn slot_of(index: usize) -> Slot {
    Slot::new_folded(index as u8)
}

fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let index = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (index < 64).then_some(index as usize)
    })
}
