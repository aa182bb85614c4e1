//! What a person reads of the model: sentences and nothing else. Only explaining runs come here; nothing is judged.

use super::super::op::{Kind, MAX_END_BYTES, Op, Slot};
use super::super::setup::{BOOT_BLOCKS, BOOT_LIMIT_BYTES, Mode};
use super::HeaderFreeModel;
use super::ledger::Owner;

/// What the model allows for an op in its present state.
pub(super) fn allowed(model: &HeaderFreeModel, op: &Op) -> String {
    match *op {
        Op::Alloc { slot, kind, size, align } if model.ledger.get(slot).is_none() => {
            block(model.setup.serves(kind, size, align), model.is_exhausted(kind, size, align), size)
        }
        Op::LibcAlloc { slot, size, align } if model.ledger.get(slot).is_none() => {
            block(model.setup.serves(Kind::Malloc, size, align), model.is_libc_full(), size)
        }
        Op::Alloc { .. } | Op::LibcAlloc { .. } => "nothing: the slot is in use".to_owned(),
        Op::Realloc { slot, size, delta } => realloc(model, slot, delta, size),
        Op::UsableSize { slot, delta } => usable_size(model, slot, delta),
        Op::BootAlloc { slot, .. } if model.is_up || model.ledger.get(slot).is_some() => {
            "nothing: the allocator is up, or the slot is in use".to_owned()
        }
        Op::BootAlloc { size, .. } => block(size <= BOOT_LIMIT_BYTES, BOOT_BLOCKS <= model.boot_taken, size),
        Op::ThreadExit { .. } => "done: nothing else changes".to_owned(),
        Op::WriteEnd { slot, .. } => match model.ledger.get(slot).filter(|held| held.can_write()) {
            Some(held) => {
                let end = held.address.wrapping_add(held.granted);
                format!(
                    "done: the last {} bytes before {end:#x} are the program's",
                    held.granted.min(MAX_END_BYTES.into())
                )
            }
            None => nothing(),
        },
        Op::Write { slot, .. } | Op::Forge { slot, .. } => match model.ledger.get(slot).filter(|held| held.can_write())
        {
            Some(held) => format!("done: the {} bytes at {:#x} are the program's", held.granted, held.address),
            None => nothing(),
        },
        Op::Verify { slot } => match model.ledger.get(slot) {
            Some(held) => format!("the {} bytes that the program put there", held.known.length()),
            None => nothing(),
        },
        Op::Free { slot, delta, .. } => free(model, slot, delta),
        Op::MapForeign { .. } => "a page of its own".to_owned(),
        Op::ProtectNeighbour { .. } | Op::UnmapNeighbour { .. } => "done if a foreign page is there".to_owned(),
        Op::RetireSuperslab { slot } => match model.retirable(slot) {
            None => nothing(),
            Some(base) => match model.superslabs.live_blocks(base) {
                Some(0) => format!("done: no block lives in the SuperSlab at {base:#x}; kept if the kernel refuses it"),
                Some(live) => format!("kept: {live} blocks live in the SuperSlab at {base:#x}"),
                None => format!("kept: there is no SuperSlab at {base:#x}"),
            },
        },
        Op::Stats => "books that cover every live block".to_owned(),
    }
}

fn nothing() -> String {
    "nothing: the slot does not hold what that needs".to_owned()
}

fn block(serves: bool, may_refuse: bool, size: u64) -> String {
    match (serves, may_refuse) {
        (false, _) => format!("null: such a request of {size:#x} bytes is not served"),
        (true, false) => format!("a block of {size} bytes"),
        (true, true) => format!("a block of {size} bytes, or null: there may be no room left"),
    }
}

fn realloc(model: &HeaderFreeModel, slot: Slot, delta: u64, size: u64) -> String {
    let pointer = model.ledger.pointer(slot).wrapping_add(delta);
    if pointer == 0 {
        return nothing();
    }
    let Some(held) = model.ledger.owner_of(pointer, slot).and_then(|slot| model.ledger.get(slot)) else {
        return nobodys(pointer);
    };
    let kind = match held.owner {
        Owner::Kind(kind) => kind,
        Owner::Boot => Kind::Tiny,
        Owner::Libc if model.setup.mode == Mode::LdPreload => {
            return format!("{pointer:#x} is a live block of libc's: what libc answers, a block with the bytes kept");
        }
        Owner::Libc => return format!("{pointer:#x} is a live block of libc's: what libc answers, or a refusal"),
        Owner::Foreign(_) => return foreign(pointer),
    };
    match model.setup.kind_after_realloc(kind, size, held.align) {
        Some(kind) => format!(
            "{}, a {} block, with the bytes that were kept",
            block(true, model.is_exhausted(kind, size, held.align), size),
            kind.name()
        ),
        None => block(false, false, size),
    }
}

fn usable_size(model: &HeaderFreeModel, slot: Slot, delta: u64) -> String {
    let pointer = model.ledger.pointer(slot).wrapping_add(delta);
    if pointer == 0 {
        return nothing();
    }
    match model.ledger.owner_of(pointer, slot).and_then(|slot| model.ledger.get(slot)) {
        None => nobodys(pointer),
        Some(held) if matches!(held.owner, Owner::Foreign(_)) => foreign(pointer),
        Some(held) => {
            let or_refused =
                if held.owner == Owner::Libc && model.setup.mode != Mode::LdPreload { ", or a refusal" } else { "" };
            format!("at least {} bytes, none of which is anybody else's{or_refused}", held.size)
        }
    }
}

fn nobodys(pointer: u64) -> String {
    format!("a refusal: no live block begins at {pointer:#x}")
}

fn foreign(pointer: u64) -> String {
    format!("a refusal: {pointer:#x} is a foreign page, nobody's block")
}

fn free(model: &HeaderFreeModel, slot: Slot, delta: u64) -> String {
    let pointer = model.ledger.pointer(slot).wrapping_add(delta);
    if pointer == 0 {
        return "nothing: the pointer is null".to_owned();
    }
    let owner = model.ledger.owner_of(pointer, slot).and_then(|slot| model.ledger.get(slot));
    match owner.map(|held| held.owner) {
        Some(Owner::Kind(kind)) => format!("{pointer:#x} is a live {} block: it takes the {0} route", kind.name()),
        Some(Owner::Libc) => match model.setup.mode {
            Mode::LdPreload => format!("{pointer:#x} is a live block of libc's: it goes to libc"),
            Mode::Direct0 | Mode::Direct1 => {
                format!("{pointer:#x} is a live block of libc's: it goes to libc or is refused")
            }
        },
        Some(Owner::Boot) => format!("{pointer:#x} is from before the allocator was up: nothing is to be done"),
        Some(Owner::Foreign(_)) => foreign(pointer),
        None => nobodys(pointer),
    }
}
