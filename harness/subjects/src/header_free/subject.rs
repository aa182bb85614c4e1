//! The program: it carries out ops on its slots, maps pages beside the allocator's, and shows what it sees. Does not
//! judge.

use super::allocator::{Allocator, Resized};
use super::deviation::Deviation;
use super::layout::{FOREIGN, is_free_for_all};
use memtwin_models::header_free::{
    Alignment, HEADER_BYTES, HeaderFree, HeaderFreeContract, Kind, MAX_END_BYTES, MAX_SHOWN_BYTES, Op, Outcome,
    PAGE_BYTES, Protection, Route, SLOTS, Seen, Setup, Side, Slot, View, forged_header,
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
    /// The pool from before the allocator is up.
    Boot,
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
    /// How many bytes the program has put there, from the start on.
    length: u64,
    /// What it has put at the end, where that is beyond the length.
    tail: (u64, u64),
    is_live: bool,
}

/// The subject made of an allocator with the deviation `D`.
#[derive(Debug)]
pub struct Program<D: Deviation> {
    allocator: Allocator<D>,
    setup: Setup,
    slots: [Option<Held>; SLOTS as usize],
    /// Whether the allocator was asked for a block.
    is_up: bool,
}

impl<D: Deviation> Subject<HeaderFree> for Program<D> {
    const NAME: &'static str = D::NAME;
    const HEALTH: Health = D::HEALTH;
    const CONTRACT: HeaderFreeContract = D::CONTRACT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let (allocator, setup) = (Allocator::new(setup)?, setup.clone());
        Ok(Program { allocator, setup, slots: [None; SLOTS as usize], is_up: false })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        if self.setup != *setup {
            return false;
        }
        self.allocator.reset();
        self.slots = [None; SLOTS as usize];
        self.is_up = false;
        true
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        self.allocator.memory.errno = ERRNO;
        seen.result = self.carry_out(op, seen);
        seen.errno_kept = self.allocator.memory.errno == ERRNO;
        seen.munmap_failed = self.allocator.memory.take_munmap_failed();
    }

    fn view(&mut self, view: &mut View) {
        for window in &view.wanted {
            let Some(held) = self.slots[Slot::new_folded(window.slot).index()] else { continue };
            let start = view.bytes.len();
            view.bytes.resize(start + window.length as usize, 0);
            let place = held.pointer.wrapping_add(u64::from(window.offset));
            self.allocator.memory.load(place, &mut view.bytes[start..]);
        }
        view.books = Some(self.allocator.books);
        view.libc_blocks = Some(self.allocator.memory.libc_blocks());
        view.libc_damage = self.allocator.memory.libc_damage();
        view.mappings = Some(self.allocator.mappings());
        view.superslabs = Some(self.allocator.tiny.census(&self.allocator.memory));
    }
}

impl<D: Deviation> Program<D> {
    #[inline]
    fn live(&self, slot: Slot) -> Option<Held> {
        self.slots[slot.index()].filter(|held| held.is_live)
    }

    /// The pointer in a slot, fresh or stale or null, and a distance.
    #[inline]
    fn pointer(&self, slot: Slot, delta: u64) -> u64 {
        self.slots[slot.index()].map_or(0, |held| held.pointer).wrapping_add(delta)
    }

    /// Where the program has what begins at exactly this address, if that lives: this slot before others.
    fn holder(&self, slot: Slot, pointer: u64) -> Option<usize> {
        let is_at = |held: &Held| held.is_live && held.pointer == pointer;
        let own = self.slots[slot.index()].as_ref().filter(|held| is_at(held)).map(|_| slot.index());
        own.or_else(|| self.slots.iter().position(|held| held.as_ref().is_some_and(is_at)))
    }

    fn carry_out(&mut self, op: &Op, seen: &mut Outcome) -> Seen {
        match *op {
            Op::Alloc { slot, kind, size, align } => {
                if self.live(slot).is_some() {
                    return Seen::Idle;
                }
                self.is_up = true;
                let block = self.allocator.alloc(kind, size, align, slot.thread());
                self.hold(slot, Origin::Allocator(kind), block, size, align)
            }
            Op::Realloc { slot, size, delta } => self.realloc(slot, self.pointer(slot, delta), size, seen),
            Op::UsableSize { slot, delta } => self.usable_size(slot, self.pointer(slot, delta)),
            Op::BootAlloc { slot, size } => {
                if self.is_up || self.live(slot).is_some() {
                    return Seen::Idle;
                }
                let block = self.allocator.boot_alloc(size);
                self.hold(slot, Origin::Boot, block, size, Alignment::from_exponent_folded(4))
            }
            Op::ThreadExit { thread } => {
                self.allocator.thread_exit(thread);
                Seen::Done
            }
            Op::WriteEnd { slot, seed, length } => self.write_end(slot, seed, length),
            Op::Write { slot, seed, length } => self.write(slot, seed, length),
            Op::Verify { slot } => {
                let Some(held) = self.live(slot) else { return Seen::Idle };
                if self.allocator.memory.map.get(held.pointer) == Some(Protection::None) {
                    return Seen::Idle;
                }
                self.show(&held, seen);
                Seen::Done
            }
            Op::Free { slot, delta, thread } => {
                let pointer = self.pointer(slot, delta);
                let route = self.allocator.free(pointer, thread);
                self.note_freed(slot, pointer, route);
                Seen::Freed(route)
            }
            Op::LibcAlloc { slot, size, align } => {
                if self.live(slot).is_some() {
                    return Seen::Idle;
                }
                let serves = size <= LIBC_LIMIT_BYTES && align.bytes() <= PAGE_BYTES;
                let block = if serves { self.allocator.memory.libc_alloc(size, align.bytes()) } else { None };
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
        let held = Held { origin, pointer, size, granted: size, align, length: 0, tail: (0, 0), is_live: true };
        self.slots[slot.index()] = Some(held);
        Seen::Block(pointer)
    }

    fn realloc(&mut self, slot: Slot, pointer: u64, size: u64, seen: &mut Outcome) -> Seen {
        if pointer == 0 {
            return Seen::Idle;
        }
        let holder = self.holder(slot, pointer);
        let held = holder.and_then(|holder| self.slots[holder]);
        // The allocator is up once it was asked for a block, be it for one that is copied out of the pool.
        self.is_up |= held.is_some_and(|held| held.origin == Origin::Boot);
        let (thread, align) = match (holder, held) {
            (Some(holder), Some(held)) => (slot_of(holder).thread(), held.align),
            (None, _) | (_, None) => (slot.thread(), Alignment::from_exponent_folded(0)),
        };
        let new = match self.allocator.realloc(pointer, size, align, thread) {
            Resized::Block(new) => new,
            Resized::Null => return Seen::Null,
            Resized::Refused => return Seen::Refused,
        };
        if let (Some(holder), Some(held)) = (holder, held) {
            let kept = if D::CONTRACT.realloc_forgets_granted { held.size } else { held.granted }.min(size);
            let tail = if held.tail.0 < kept { (held.tail.0, held.tail.1.min(kept)) } else { (0, 0) };
            let origin = self.origin_after_realloc(&held, size);
            let length = held.length.min(kept);
            let held = Held { origin, pointer: new, size, granted: size, length, tail, ..held };
            self.slots[holder] = Some(held);
            self.show(&held, seen);
        }
        Seen::Block(new)
    }

    fn origin_after_realloc(&self, held: &Held, size: u64) -> Origin {
        let kind = match held.origin {
            Origin::Allocator(kind) => kind,
            Origin::Boot => Kind::Tiny,
            Origin::Libc | Origin::Foreign => return held.origin,
        };
        Origin::Allocator(self.setup.kind_after_realloc(kind, size, held.align).unwrap_or(kind))
    }

    fn usable_size(&mut self, slot: Slot, pointer: u64) -> Seen {
        if pointer == 0 {
            return Seen::Idle;
        }
        let Some(usable) = self.allocator.usable_size(pointer) else { return Seen::Refused };
        if let Some(held) = self.holder(slot, pointer).and_then(|holder| self.slots[holder].as_mut()) {
            held.granted = held.granted.max(usable);
        }
        Seen::Usable(usable)
    }

    /// The program looks at the bytes that it has put there.
    fn show(&self, held: &Held, seen: &mut Outcome) {
        let (tail_start, tail_end) = held.tail;
        let shown = seen.show(shown(held.length + (tail_end - tail_start)));
        let (head, tail) = shown.split_at_mut(shown.len().min(usize::try_from(held.length).unwrap_or(usize::MAX)));
        self.allocator.memory.load(held.pointer, head);
        self.allocator.memory.load(held.pointer.wrapping_add(tail_start), tail);
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
        self.slots[slot.index()] = Some(Held { length: held.length.max(fitting), ..held }.joined());
        Seen::Done
    }

    fn write_end(&mut self, slot: Slot, seed: u16, length: u32) -> Seen {
        let Some(held) = self.live(slot).filter(|held| self.is_writable(held)) else { return Seen::Idle };
        let payload = Payload { seed, length: length.min(MAX_END_BYTES) };
        let fitting = u64::from(payload.length).min(held.granted);
        if 0 < fitting {
            let start = held.granted - fitting;
            let bytes = payload.bytes().unwrap_or_default();
            self.allocator.memory.store(held.pointer.wrapping_add(start), &bytes[..shown(fitting) as usize]);
            self.slots[slot.index()] = Some(Held { tail: (start, held.granted), ..held }.joined());
        }
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
        let block = self.holder(slot, pointer);
        let Some(held) = block.and_then(|block| self.slots[block].as_mut()) else { return };
        let is_freed = match (held.origin, route) {
            (Origin::Allocator(_), Route::Owner(_) | Route::Fallback)
            | (Origin::Libc, Route::Libc)
            | (Origin::Boot, Route::Boot) => true,
            (Origin::Allocator(_) | Origin::Libc | Origin::Boot | Origin::Foreign, _) => false,
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
        let before = self.live(beside).map(|held| (held.pointer & !(PAGE_BYTES - 1)).wrapping_sub(PAGE_BYTES));
        let is_free =
            |page: &u64| is_free_for_all(*page, &self.setup) && self.allocator.memory.map.get(*page).is_none();
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

impl Held {
    /// A start that comes up to what was put at the end takes it in.
    fn joined(self) -> Held {
        let (tail_start, tail_end) = self.tail;
        if tail_start < tail_end && tail_start <= self.length {
            Held { length: self.length.max(tail_end), tail: (0, 0), ..self }
        } else {
            self
        }
    }
}

/// The slot with this index, below 64.
#[allow(clippy::cast_possible_truncation)]
const fn slot_of(index: usize) -> Slot {
    Slot::new_folded(index as u8)
}

/// A number of bytes that the program looks at or writes: at most [`MAX_SHOWN_BYTES`].
fn shown(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(MAX_SHOWN_BYTES).min(MAX_SHOWN_BYTES)
}
