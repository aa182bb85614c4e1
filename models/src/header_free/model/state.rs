//! The state that an audit asks for, and how it is judged. A full audit asks for all that a sample does, and for bytes.

use super::super::laws::{BESIDE, CONTENTS, LEAK, REGISTERED};
use super::super::{Kind, Slot, View, Window};
use super::{HeaderFreeModel, Judged};
use crate::{Depth, Verdict};

pub(super) fn survey(model: &HeaderFreeModel, depth: Depth, view: &mut View) {
    view.wanted.clear();
    view.bytes.clear();
    (view.books, view.libc_blocks, view.mappings, view.superslabs) = (None, None, None, None);
    view.libc_damage = None;
    if depth != Depth::Full {
        return;
    }
    for (slot, held) in model.ledger.iter().filter(|(_, held)| held.can_read()) {
        let (tail_start, tail) = held.known.tail();
        for (offset, length) in [(0, held.known.head().len()), (tail_start, tail.len())] {
            if length != 0 {
                view.wanted.push(Window { slot: slot.into(), offset: number(offset), length: number(length) });
            }
        }
    }
}

pub(super) fn judge(model: &HeaderFreeModel, view: &View) -> Judged {
    let mut bytes = view.bytes.as_slice();
    for window in &view.wanted {
        let (Some(known), Some(held)) = (known(model, window), model.ledger.get(Slot::new_folded(window.slot))) else {
            continue;
        };
        // A subject that shows nothing is not held against it; one that shows something shows it all.
        let Some((shown, rest)) = bytes.split_at_checked(window.length as usize) else { break };
        if let Some(offset) = shown.iter().zip(known).position(|(seen, known)| seen != known) {
            let place = held.address.wrapping_add(u64::from(window.offset)).wrapping_add(offset as u64);
            return Err(Verdict::diverge_at(&CONTENTS, "state", place));
        }
        bytes = rest;
    }
    if let Some(books) = &view.books {
        for ((kind, book), live) in (0..).zip(books).zip(model.ledger.blocks) {
            if book.live() != u64::from(live) {
                return Err(Verdict::diverge_at(&LEAK, "books", kind));
            }
        }
    }
    if let Some(byte) = view.libc_damage {
        return Err(Verdict::diverge_at(&BESIDE, "libc", byte));
    }
    let malloc_blocks = model.ledger.blocks[Kind::Malloc as usize];
    let libc_blocks = u64::from(model.ledger.libc_blocks + malloc_blocks);
    if view.libc_blocks.is_some_and(|blocks| blocks != libc_blocks) {
        return Err(Verdict::diverge_at(&LEAK, "libc", Kind::Malloc as u64));
    }
    // What the kernel did not take may stay, or serve again.
    let live = model.ledger.blocks[Kind::Mmap as usize];
    let held = u64::from(live)..=u64::from(live + model.kept_mappings);
    if view.mappings.is_some_and(|mappings| !held.contains(&mappings)) {
        return Err(Verdict::diverge_at(&LEAK, "mappings", Kind::Mmap as u64));
    }
    match view.superslabs {
        Some((mapped, registered)) if mapped != registered => Err(Verdict::diverge(&REGISTERED, "superslabs")),
        Some((mapped, _)) if mapped != model.superslabs.count() as u64 => {
            Err(Verdict::diverge(&REGISTERED, "superslabs"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The bytes that the program put into a window.
pub(super) fn known<'a>(model: &'a HeaderFreeModel, window: &Window) -> Option<&'a [u8]> {
    let known = &model.ledger.get(Slot::new_folded(window.slot))?.known;
    let (tail_start, tail) = known.tail();
    if window.offset == 0 && !known.head().is_empty() {
        Some(known.head())
    } else {
        (window.offset == number(tail_start)).then_some(tail)
    }
}

fn number(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
