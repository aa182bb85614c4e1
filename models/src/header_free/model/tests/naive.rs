//! An allocator without any cleverness: every block at an address of its own that is never used again, its bytes in a
//! vector beside it.

use super::super::super::{
    Alignment, BOOT_BLOCKS, BOOT_LIMIT_BYTES, Balance, HEADER_BYTES, Kind, MAX_END_BYTES, MAX_SHOWN_BYTES, Mode, Op,
    Outcome, PAGE_BYTES, Protection, Route, Seen, Setup, Side, Slot, View, forged_header,
};
use crate::Payload;

#[derive(Debug, Clone)]
struct Held {
    /// The allocator's kind, or `None` for libc, the pool from before, and foreign pages.
    kind: Option<Kind>,
    is_boot: bool,
    /// The protection of a foreign page.
    page: Option<Protection>,
    address: u64,
    size: u64,
    align: Alignment,
    bytes: Vec<u8>,
    length: usize,
    /// What was written at the end, where that is beyond the length.
    tail: std::ops::Range<usize>,
    is_live: bool,
}

pub(super) struct Naive {
    setup: Setup,
    slots: Vec<Option<Held>>,
    /// Each block has a region of 2 MiB for itself.
    regions: u64,
    retired: Vec<u64>,
    is_up: bool,
    boot_taken: u32,
    books: [Balance; 6],
}

impl Naive {
    pub(super) fn new(setup: &Setup) -> Self {
        Naive {
            setup: setup.clone(),
            slots: vec![None; 64],
            regions: 0,
            retired: Vec::new(),
            is_up: false,
            boot_taken: 0,
            books: Default::default(),
        }
    }

    pub(super) fn view(&self, view: &mut View) {
        for window in &view.wanted {
            let held = self.slots[usize::from(window.slot)].as_ref().unwrap();
            view.bytes.extend_from_slice(&held.bytes[window.offset as usize..][..window.length as usize]);
        }
        view.books = Some(self.books);
    }

    fn live(&mut self, slot: Slot) -> Option<&mut Held> {
        self.slots[slot.index()].as_mut().filter(|held| held.is_live)
    }

    /// The pointer in a slot, and a distance.
    fn pointer(&self, slot: Slot, delta: u64) -> u64 {
        self.slots[slot.index()].as_ref().map_or(0, |held| held.address).wrapping_add(delta)
    }

    /// The slot of the block, no foreign page, that begins at exactly this address.
    fn block_at(&self, pointer: u64) -> Option<usize> {
        let is_it = |held: &Held| held.is_live && held.page.is_none() && held.address == pointer;
        self.slots.iter().position(|held| held.as_ref().is_some_and(is_it))
    }

    fn put(&mut self, slot: Slot, kind: Option<Kind>, page: Option<Protection>, size: u64, align: Alignment) -> Seen {
        self.regions += 1;
        let address = (self.regions << 21) + 0x1_0000;
        let bytes = vec![0x77; size as usize];
        if let Some(kind) = kind {
            self.books[kind as usize].allocated += 1;
        }
        let (is_boot, length, tail) = (false, 0, 0..0);
        let held = Held { kind, is_boot, page, address, size, align, bytes, length, tail, is_live: true };
        self.slots[slot.index()] = Some(held);
        Seen::Block(address)
    }

    pub(super) fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        seen.result = match *op {
            Op::Alloc { slot, .. } | Op::LibcAlloc { slot, .. } if self.live(slot).is_some() => Seen::Idle,
            Op::Alloc { slot, kind, size, align } => {
                self.is_up = true;
                let serves = self.setup.serves(kind, size, align);
                if serves { self.put(slot, Some(kind), None, size, align) } else { Seen::Null }
            }
            Op::BootAlloc { slot, .. } if self.is_up || self.live(slot).is_some() => Seen::Idle,
            Op::BootAlloc { size, .. } if BOOT_LIMIT_BYTES < size || BOOT_BLOCKS <= self.boot_taken => Seen::Null,
            Op::BootAlloc { slot, size } => {
                self.boot_taken += 1;
                let block = self.put(slot, None, None, size, Alignment::from_exponent_folded(4));
                self.slots[slot.index()].as_mut().unwrap().is_boot = true;
                block
            }
            Op::ThreadExit { .. } => Seen::Done,
            Op::LibcAlloc { size, align, .. } if !self.setup.serves(Kind::Malloc, size, align) => Seen::Null,
            Op::LibcAlloc { slot, size, align } => self.put(slot, None, None, size, align),
            Op::Realloc { slot, size, delta } => self.realloc(slot, delta, size, seen),
            Op::UsableSize { slot, delta } => match self.pointer(slot, delta) {
                0 => Seen::Idle,
                pointer => self
                    .block_at(pointer)
                    .and_then(|block| self.slots[block].as_ref())
                    .map_or(Seen::Refused, |held| Seen::Usable(held.size)),
            },
            Op::Write { slot, seed, length } => match self.live(slot).filter(|held| held.is_writable()) {
                None => Seen::Idle,
                Some(held) => {
                    let length = (length.min(MAX_SHOWN_BYTES) as usize).min(held.bytes.len());
                    Payload { seed, length: length as u32 }.fill(0, &mut held.bytes[..length]);
                    held.length = held.length.max(length);
                    held.join();
                    Seen::Done
                }
            },
            Op::WriteEnd { slot, seed, length } => match self.live(slot).filter(|held| held.is_writable()) {
                None => Seen::Idle,
                Some(held) => {
                    let end = held.bytes.len();
                    let length = (length.min(MAX_END_BYTES) as usize).min(end);
                    Payload { seed, length: length as u32 }.fill(0, &mut held.bytes[end - length..]);
                    if length != 0 {
                        held.tail = end - length..end;
                        held.join();
                    }
                    Seen::Done
                }
            },
            Op::Verify { slot } => match self.live(slot).filter(|held| held.page != Some(Protection::None)) {
                None => Seen::Idle,
                Some(held) => {
                    held.show(seen);
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

    fn realloc(&mut self, slot: Slot, delta: u64, size: u64, seen: &mut Outcome) -> Seen {
        let pointer = self.pointer(slot, delta);
        if pointer == 0 {
            return Seen::Idle;
        }
        let Some(block) = self.block_at(pointer) else { return Seen::Refused };
        let old = self.slots[block].clone().unwrap();
        self.is_up |= old.is_boot;
        if old.kind.is_none() && !old.is_boot && self.setup.mode != Mode::LdPreload {
            return Seen::Refused;
        }
        let (new_kind, serves) = match old.kind {
            None if !old.is_boot => (None, self.setup.serves(Kind::Malloc, size, Alignment::from_exponent_folded(4))),
            kind => {
                let kind = self.setup.kind_after_realloc(kind.unwrap_or(Kind::Tiny), size, old.align);
                (kind, kind.is_some())
            }
        };
        if !serves {
            return Seen::Null;
        }
        if let Some(kind) = old.kind {
            self.books[kind as usize].freed += 1;
        }
        let result = self.put(Slot::new_folded(block as u8), new_kind, None, size, old.align);
        let held = self.slots[block].as_mut().unwrap();
        let kept = old.bytes.len().min(held.bytes.len());
        held.bytes[..kept].copy_from_slice(&old.bytes[..kept]);
        held.length = old.length.min(kept);
        held.tail = old.tail.start.min(kept)..old.tail.end.min(kept);
        held.show(seen);
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
                    None if held.is_boot => Route::Boot,
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
    /// A start that comes up to what was written at the end takes it in.
    fn join(&mut self) {
        if !self.tail.is_empty() && self.tail.start <= self.length {
            self.length = self.length.max(self.tail.end);
            self.tail = 0..0;
        }
    }

    fn show(&self, seen: &mut Outcome) {
        let bytes = [&self.bytes[..self.length], &self.bytes[self.tail.clone()]].concat();
        seen.show(bytes.len() as u32).copy_from_slice(&bytes);
    }

    fn is_writable(&self) -> bool {
        !matches!(self.page, Some(Protection::None | Protection::Read))
    }
}
