//! The program: it carries out ops on its slots, maps pages beside the allocator's, and shows what it sees. Does not
//! judge.

use super::allocator::Allocator;
use super::deviation::Deviation;
use super::layout::{FOREIGN, is_free_for_all};
use memtwin_models::header_free::{
    Alignment, HEADER_BYTES, HeaderFree, HeaderFreeContract, Kind, MAX_SHOWN_BYTES, Op, Outcome, PAGE_BYTES,
    Protection, Route, SLOTS, Seen, Setup, Side, Slot, View, forged_header,
};
use memtwin_models::{Health, Payload, Subject, Unsupported};

/// errno before each call: the number of no error.
const ERRNO: i32 = 4095;
/// libc's largest block in bytes, as the program asks for them.
const LIBC_LIMIT_BYTES: u64 = Kind::Malloc.limit_bytes();

/// Where the program has a pointer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Tiny blocks can be asked to give their SuperSlab back.
    Allocator(Kind),
    Libc,
    Foreign,
}

/// A variable that holds a pointer.
#[derive(Debug, Clone, Copy)]
struct Held {
    origin: Origin,
    pointer: u64,
    size: u64,
    granted: u64,
    align: Alignment,
    /// How many bytes the program has put there.
    length: u64,
    is_live: bool,
}

/// The subject made of an allocator with the deviation `D`.
#[derive(Debug)]
pub struct Program<D: Deviation> {
    allocator: Allocator<D>,
    setup: Setup,
    slots: [Option<Held>; SLOTS as usize],
}

impl<D: Deviation> Subject<HeaderFree> for Program<D> {
    const NAME: &'static str = D::NAME;
    const HEALTH: Health = D::HEALTH;
    const CONTRACT: HeaderFreeContract = D::CONTRACT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Program { allocator: Allocator::new(setup)?, setup: setup.clone(), slots: [None; SLOTS as usize] })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        if self.setup != *setup {
            return false;
        }
        self.allocator.reset();
        self.slots = [None; SLOTS as usize];
        true
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        self.allocator.memory.errno = ERRNO;
        seen.result = self.carry_out(op, seen);
        seen.errno_kept = self.allocator.memory.errno == ERRNO;
    }

    fn view(&mut self, view: &mut View) {
        for &(slot, length) in &view.wanted {
            let Some(held) = self.slots[Slot::new_folded(slot).index()] else { continue };
            let start = view.bytes.len();
            view.bytes.resize(start + length as usize, 0);
            self.allocator.memory.load(held.pointer, &mut view.bytes[start..]);
        }
        view.books = Some(self.allocator.books);
        view.libc_blocks = Some(self.allocator.memory.libc.live());
        view.mappings = Some(self.allocator.mappings);
        view.superslabs = Some(self.allocator.tiny.census());
    }
}

impl<D: Deviation> Program<D> {
    #[inline]
    fn live(&self, slot: Slot) -> Option<Held> {
        self.slots[slot.index()].filter(|held| held.is_live)
    }

    /// A live block of the allocator's.
    fn own(&self, slot: Slot) -> Option<(Kind, Held)> {
        let held = self.live(slot)?;
        match held.origin {
            Origin::Allocator(kind) => Some((kind, held)),
            Origin::Libc | Origin::Foreign => None,
        }
    }

    fn carry_out(&mut self, op: &Op, seen: &mut Outcome) -> Seen {
        match *op {
            Op::Alloc { slot, kind, size, align } => {
                if self.live(slot).is_some() {
                    return Seen::Idle;
                }
                let block = self.allocator.alloc(kind, size, align, slot.thread());
                self.hold(slot, Origin::Allocator(kind), block, size, align)
            }
            Op::Realloc { slot, size } => self.realloc(slot, size, seen),
            Op::UsableSize { slot } => {
                let Some((_, held)) = self.own(slot) else { return Seen::Idle };
                let usable = self.allocator.usable_bytes(held.pointer).unwrap_or(0);
                self.slots[slot.index()] = Some(Held { granted: held.granted.max(usable), ..held });
                Seen::Usable(usable)
            }
            Op::Write { slot, seed, length } => self.write(slot, seed, length),
            Op::Verify { slot } => {
                let Some(held) = self.live(slot) else { return Seen::Idle };
                if self.allocator.memory.map.get(held.pointer) == Some(Protection::None) {
                    return Seen::Idle;
                }
                self.allocator.memory.load(held.pointer, seen.show(shown(held.length)));
                Seen::Done
            }
            Op::Free { slot, delta, thread } => {
                let pointer = self.slots[slot.index()].map_or(0, |held| held.pointer).wrapping_add(delta);
                let route = self.allocator.free(pointer, thread);
                self.note_freed(slot, pointer, route);
                Seen::Freed(route)
            }
            Op::LibcAlloc { slot, size, align } => {
                if self.live(slot).is_some() {
                    return Seen::Idle;
                }
                let serves = size <= LIBC_LIMIT_BYTES && align.bytes() <= PAGE_BYTES;
                let block = if serves { self.allocator.memory.libc.alloc(size, align.bytes()) } else { None };
                self.hold(slot, Origin::Libc, block, size, align)
            }
            Op::MapForeign { slot, beside } => self.map_foreign(slot, beside),
            Op::ProtectNeighbour { slot, side, protection } => match self.foreign_neighbour(slot, side) {
                None => Seen::Idle,
                Some(neighbour) => {
                    if let Some(held) = self.slots[neighbour] {
                        self.allocator.memory.protect_page(held.pointer, protection);
                    }
                    Seen::Done
                }
            },
            Op::UnmapNeighbour { slot, side } => match self.foreign_neighbour(slot, side) {
                None => Seen::Idle,
                Some(neighbour) => {
                    self.unmap_foreign(neighbour);
                    Seen::Done
                }
            },
            Op::Forge { slot, offset, method } => self.forge(slot, u64::from(offset), method),
            Op::RetireSuperslab { slot } => match self.slots[slot.index()] {
                Some(Held { origin: Origin::Allocator(Kind::Tiny), pointer, .. }) => {
                    let Allocator { tiny, memory, .. } = &mut self.allocator;
                    if tiny.retire(memory, pointer) { Seen::Done } else { Seen::Kept }
                }
                Some(_) | None => Seen::Idle,
            },
            Op::Stats => {
                seen.books = self.allocator.books;
                Seen::Done
            }
        }
    }

    fn hold(&mut self, slot: Slot, origin: Origin, block: Option<u64>, size: u64, align: Alignment) -> Seen {
        let Some(pointer) = block else { return Seen::Null };
        let held = Held { origin, pointer, size, granted: size, align, length: 0, is_live: true };
        self.slots[slot.index()] = Some(held);
        Seen::Block(pointer)
    }

    fn realloc(&mut self, slot: Slot, size: u64, seen: &mut Outcome) -> Seen {
        let Some((kind, held)) = self.own(slot) else { return Seen::Idle };
        let Some(pointer) = self.allocator.realloc(held.pointer, size, held.align, slot.thread()) else {
            return Seen::Null;
        };
        let kind = self.setup.kind_after_realloc(kind, size, held.align).unwrap_or(kind);
        let length = held.length.min(held.size.min(size));
        let origin = Origin::Allocator(kind);
        self.slots[slot.index()] = Some(Held { origin, pointer, size, granted: size, length, ..held });
        self.allocator.memory.load(pointer, seen.show(shown(length)));
        Seen::Block(pointer)
    }

    /// Whether the program can write to what a slot holds: foreign pages may be protected.
    fn is_writable(&self, held: &Held) -> bool {
        held.origin != Origin::Foreign || self.allocator.memory.map.is_writable(held.pointer, 1)
    }

    fn write(&mut self, slot: Slot, seed: u16, length: u32) -> Seen {
        let Some(held) = self.live(slot).filter(|held| self.is_writable(held)) else { return Seen::Idle };
        let payload = Payload { seed, length: length.min(MAX_SHOWN_BYTES) };
        let fitting = u64::from(payload.length).min(held.granted);
        let bytes = payload.bytes().unwrap_or_default();
        self.allocator.memory.store(held.pointer, &bytes[..shown(fitting) as usize]);
        self.slots[slot.index()] = Some(Held { length: held.length.max(fitting), ..held });
        Seen::Done
    }

    fn forge(&mut self, slot: Slot, offset: u64, method: Kind) -> Seen {
        let held = self.live(slot).filter(|held| self.is_writable(held) && offset < held.granted);
        let Some(held) = held else { return Seen::Idle };
        let place = held.pointer.wrapping_add(offset);
        let header = forged_header(method, place.wrapping_add(HEADER_BYTES));
        let fitting = (held.granted - offset).min(HEADER_BYTES);
        self.allocator.memory.store(place, &header[..shown(fitting) as usize]);
        Seen::Done
    }

    /// After a free the pointer is stale, wherever the program has it.
    fn note_freed(&mut self, slot: Slot, pointer: u64, route: Route) {
        let is_at = |held: &Held| held.is_live && held.pointer == pointer;
        let own = self.slots[slot.index()].as_ref().filter(|held| is_at(held)).map(|_| slot.index());
        let block = own.or_else(|| self.slots.iter().position(|held| held.as_ref().is_some_and(is_at)));
        let Some(held) = block.and_then(|block| self.slots[block].as_mut()) else { return };
        let is_freed = match (held.origin, route) {
            (Origin::Allocator(_), Route::Owner(_) | Route::Fallback) | (Origin::Libc, Route::Libc) => true,
            (Origin::Allocator(_) | Origin::Libc | Origin::Foreign, _) => false,
        };
        held.is_live = !is_freed;
    }

    fn map_foreign(&mut self, slot: Slot, beside: Slot) -> Seen {
        if let Some(held) = self.live(slot) {
            if held.origin != Origin::Foreign {
                return Seen::Idle;
            }
            self.unmap_foreign(slot.index());
        }
        let log2 = self.setup.superslab_log2;
        let before = self.live(beside).map(|held| (held.pointer & !(PAGE_BYTES - 1)).wrapping_sub(PAGE_BYTES));
        let is_free = |page: &u64| is_free_for_all(*page, log2) && self.allocator.memory.map.get(*page).is_none();
        let alone = FOREIGN.memory(u32::from(u8::from(slot))) - 2 * PAGE_BYTES;
        // There are more pages than slots, so one of them is free.
        let others = (FOREIGN.start..FOREIGN.end()).step_by(4096);
        let mut pages = before.into_iter().chain([alone]).chain(others);
        let Some(page) = pages.find(is_free) else { return Seen::Null };
        self.allocator.memory.map(page, page + PAGE_BYTES);
        self.hold(slot, Origin::Foreign, Some(page), PAGE_BYTES, Alignment::from_exponent_folded(12))
    }

    fn unmap_foreign(&mut self, index: usize) {
        if let Some(held) = &mut self.slots[index] {
            held.is_live = false;
            let page = held.pointer;
            self.allocator.memory.unmap(page, page + PAGE_BYTES);
        }
    }

    /// The slot that holds the foreign page on this side of what another slot holds.
    fn foreign_neighbour(&self, slot: Slot, side: Side) -> Option<usize> {
        let held = self.live(slot)?;
        let byte = match side {
            Side::Before => held.pointer.wrapping_sub(1),
            Side::After => held.pointer.wrapping_add(held.size),
        };
        let page = byte & !(PAGE_BYTES - 1);
        let is_it = |held: &Held| held.is_live && held.origin == Origin::Foreign && held.pointer == page;
        self.slots.iter().position(|held| held.as_ref().is_some_and(is_it))
    }
}

/// A number of bytes that the program looks at or writes: at most [`MAX_SHOWN_BYTES`].
fn shown(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(MAX_SHOWN_BYTES).min(MAX_SHOWN_BYTES)
}
