//! An allocator without any cleverness: every block at an address of its own that is never used again, its bytes in a
//! vector beside it.

use super::super::super::{
    Alignment, Balance, HEADER_BYTES, Kind, MAX_SHOWN_BYTES, Op, Outcome, PAGE_BYTES, Protection, Route, Seen, Setup,
    Side, Slot, View, forged_header,
};
use crate::Payload;

#[derive(Debug, Clone)]
struct Held {
    /// The allocator's kind, or `None` for libc and foreign pages.
    kind: Option<Kind>,
    /// The protection of a foreign page.
    page: Option<Protection>,
    address: u64,
    size: u64,
    align: Alignment,
    bytes: Vec<u8>,
    length: usize,
    is_live: bool,
}

pub(super) struct Naive {
    setup: Setup,
    slots: Vec<Option<Held>>,
    /// Each block has a region of 2 MiB for itself.
    regions: u64,
    retired: Vec<u64>,
    books: [Balance; 6],
}

impl Naive {
    pub(super) fn new(setup: &Setup) -> Self {
        Naive {
            setup: setup.clone(),
            slots: vec![None; 64],
            regions: 0,
            retired: Vec::new(),
            books: Default::default(),
        }
    }

    pub(super) fn view(&self, view: &mut View) {
        for &(slot, length) in &view.wanted {
            let held = self.slots[usize::from(slot)].as_ref().unwrap();
            view.bytes.extend_from_slice(&held.bytes[..length as usize]);
        }
        view.books = Some(self.books);
    }

    fn live(&mut self, slot: Slot) -> Option<&mut Held> {
        self.slots[slot.index()].as_mut().filter(|held| held.is_live)
    }

    fn own(&mut self, slot: Slot) -> Option<&mut Held> {
        self.live(slot).filter(|held| held.kind.is_some())
    }

    fn put(&mut self, slot: Slot, kind: Option<Kind>, page: Option<Protection>, size: u64, align: Alignment) -> Seen {
        self.regions += 1;
        let address = (self.regions << 21) + 0x1_0000;
        let bytes = vec![0x77; size as usize];
        if let Some(kind) = kind {
            self.books[kind as usize].allocated += 1;
        }
        self.slots[slot.index()] = Some(Held { kind, page, address, size, align, bytes, length: 0, is_live: true });
        Seen::Block(address)
    }

    pub(super) fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        seen.result = match *op {
            Op::Alloc { slot, .. } | Op::LibcAlloc { slot, .. } if self.live(slot).is_some() => Seen::Idle,
            Op::Alloc { kind, size, align, .. } if !self.setup.serves(kind, size, align) => Seen::Null,
            Op::Alloc { slot, kind, size, align } => self.put(slot, Some(kind), None, size, align),
            Op::LibcAlloc { size, align, .. } if !self.setup.serves(Kind::Malloc, size, align) => Seen::Null,
            Op::LibcAlloc { slot, size, align } => self.put(slot, None, None, size, align),
            Op::Realloc { slot, size } => self.realloc(slot, size, seen),
            Op::UsableSize { slot } => self.own(slot).map_or(Seen::Idle, |held| Seen::Usable(held.size)),
            Op::Write { slot, seed, length } => match self.live(slot).filter(|held| held.is_writable()) {
                None => Seen::Idle,
                Some(held) => {
                    let length = (length.min(MAX_SHOWN_BYTES) as usize).min(held.bytes.len());
                    Payload { seed, length: length as u32 }.fill(0, &mut held.bytes[..length]);
                    held.length = held.length.max(length);
                    Seen::Done
                }
            },
            Op::Verify { slot } => match self.live(slot).filter(|held| held.page != Some(Protection::None)) {
                None => Seen::Idle,
                Some(held) => {
                    seen.show(held.length as u32).copy_from_slice(&held.bytes[..held.length]);
                    Seen::Done
                }
            },
            Op::Free { slot, delta, .. } => Seen::Freed(self.free(slot, delta)),
            Op::MapForeign { slot, .. } if self.live(slot).is_some_and(|held| held.page.is_none()) => Seen::Idle,
            Op::MapForeign { slot, .. } => {
                let page = Alignment::from_exponent_folded(12);
                self.put(slot, None, Some(Protection::ReadWrite), PAGE_BYTES, page)
            }
            Op::ProtectNeighbour { slot, side, protection } => match self.neighbour(slot, side) {
                None => Seen::Idle,
                Some(held) => {
                    held.page = Some(protection);
                    Seen::Done
                }
            },
            Op::UnmapNeighbour { slot, side } => match self.neighbour(slot, side) {
                None => Seen::Idle,
                Some(held) => {
                    held.is_live = false;
                    Seen::Done
                }
            },
            Op::Forge { slot, offset, method } => {
                let target = self.live(slot).filter(|held| held.is_writable() && u64::from(offset) < held.size);
                match target {
                    None => Seen::Idle,
                    Some(held) => {
                        let header = forged_header(method, held.address + u64::from(offset) + HEADER_BYTES);
                        for (place, byte) in held.bytes[offset as usize..].iter_mut().zip(header) {
                            *place = byte;
                        }
                        Seen::Done
                    }
                }
            }
            Op::RetireSuperslab { slot } => match self.slots[slot.index()].as_ref() {
                Some(held) if held.kind == Some(Kind::Tiny) => {
                    // Every block has a SuperSlab to itself.
                    let base = self.setup.superslab_base(held.address);
                    if held.is_live || self.retired.contains(&base) {
                        Seen::Kept
                    } else {
                        self.retired.push(base);
                        Seen::Done
                    }
                }
                Some(_) | None => Seen::Idle,
            },
            Op::Stats => {
                seen.books = self.books;
                Seen::Done
            }
        };
    }

    fn neighbour(&mut self, slot: Slot, side: Side) -> Option<&mut Held> {
        let held = self.live(slot)?;
        let byte = match side {
            Side::Before => held.address - 1,
            Side::After => held.address + held.size,
        };
        let page = byte & !(PAGE_BYTES - 1);
        let mut all = self.slots.iter_mut().flatten();
        all.find(|held| held.is_live && held.page.is_some() && held.address == page)
    }

    fn realloc(&mut self, slot: Slot, size: u64, seen: &mut Outcome) -> Seen {
        let Some(old) = self.own(slot).cloned() else { return Seen::Idle };
        let kind = old.kind.unwrap();
        let Some(new_kind) = self.setup.kind_after_realloc(kind, size, old.align) else { return Seen::Null };
        self.books[kind as usize].freed += 1;
        let result = self.put(slot, Some(new_kind), None, size, old.align);
        let held = self.slots[slot.index()].as_mut().unwrap();
        let kept = old.bytes.len().min(held.bytes.len());
        held.bytes[..kept].copy_from_slice(&old.bytes[..kept]);
        held.length = old.length.min(kept);
        seen.show(held.length as u32).copy_from_slice(&held.bytes[..held.length]);
        result
    }

    fn free(&mut self, slot: Slot, delta: u64) -> Route {
        let pointer = self.slots[slot.index()].as_ref().map_or(0, |held| held.address).wrapping_add(delta);
        let block = self.slots.iter_mut().flatten().find(|held| held.is_live && held.address == pointer);
        match block {
            _ if pointer == 0 => Route::Nothing,
            Some(held) if held.page.is_none() => {
                held.is_live = false;
                match held.kind {
                    None => Route::Libc,
                    Some(kind) => {
                        self.books[kind as usize].freed += 1;
                        Route::Owner(kind)
                    }
                }
            }
            Some(_) | None => Route::Refused,
        }
    }
}

impl Held {
    fn is_writable(&self) -> bool {
        !matches!(self.page, Some(Protection::None | Protection::Read))
    }
}
