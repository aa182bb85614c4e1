//! The model as a picture: who owns which range, what lies before a freed pointer, the SuperSlabs and the books. Only
//! explaining runs come here; nothing is judged.

use super::super::op::{Kind, Op, OpKind, Protection, SLOTS, Slot};
use super::super::outcome::{Outcome, Seen, View};
use super::super::setup::{HEADER_BYTES, TINY_CLASSES_BYTES};
use super::HeaderFreeModel;
use super::ledger::{Held, Owner};
use crate::picture::{ByteRows, Layers, Mark, Panel, Picture, Row, Tone};

/// The state before an op.
pub(super) fn picture(model: &HeaderFreeModel, op: Option<&Op>) -> Picture {
    Picture { panels: vec![memory(model, op), slots(model, op), superslabs(model), books(model)] }
}

/// The bytes that the program put into a block, where an op shows them.
pub(super) fn byte_rows(model: &HeaderFreeModel, op: &Op, seen: &Outcome) -> Option<ByteRows> {
    let (slot, size) = match *op {
        Op::Verify { slot } if seen.result == Seen::Done => (slot, u64::MAX),
        Op::Realloc { slot, size, delta: 0 } if matches!(seen.result, Seen::Block(_)) => (slot, size),
        Op::Verify { .. }
        | Op::Realloc { .. }
        | Op::Alloc { .. }
        | Op::UsableSize { .. }
        | Op::Write { .. }
        | Op::Free { .. }
        | Op::LibcAlloc { .. }
        | Op::MapForeign { .. }
        | Op::ProtectNeighbour { .. }
        | Op::UnmapNeighbour { .. }
        | Op::Forge { .. }
        | Op::RetireSuperslab { .. }
        | Op::Stats
        | Op::BootAlloc { .. }
        | Op::ThreadExit { .. }
        | Op::WriteEnd { .. } => return None,
    };
    let held = model.ledger.get(slot)?;
    let mut known = held.known.clone();
    known.keep(if size == u64::MAX { size } else { held.granted.min(size) });
    let (head, tail) = seen.shown().split_at_checked(known.head().len())?;
    let (tail_start, known_tail) = known.tail();
    // The end is told where the start is as it should be.
    if head == known.head() && !known_tail.is_empty() {
        let seen = tail[..tail.len().min(known_tail.len())].to_vec();
        return Some(ByteRows { start: tail_start as u64, allowed: known_tail[..seen.len()].to_vec(), seen });
    }
    Some(ByteRows { start: 0, allowed: known.head().to_vec(), seen: head.to_vec() })
}

/// The bytes of the state that differ.
pub(super) fn state_rows(model: &HeaderFreeModel, view: &View) -> Option<ByteRows> {
    let mut shown = view.bytes.as_slice();
    view.wanted.iter().find_map(|window| {
        let held = model.ledger.get(Slot::new_folded(window.slot))?;
        let (bytes, rest) = shown.split_at_checked(window.length as usize)?;
        shown = rest;
        let allowed = super::state::known(model, window)?.to_vec();
        let rows = ByteRows { start: held.address + u64::from(window.offset), allowed, seen: bytes.to_vec() };
        (rows.allowed != rows.seen).then_some(rows)
    })
}

/// What the slots point to, SuperSlabs beneath, and where a free looks.
fn memory(model: &HeaderFreeModel, op: Option<&Op>) -> Panel {
    let mut layers = Layers::new("no slot points here");
    for (base, _, _) in model.superslabs.each() {
        layers.lay(base, 1 << model.setup.superslab_log2, Tone::Plain, "SuperSlab");
    }
    for (slot, held) in model.ledger.iter() {
        let (tone, owner) = owner_words(held.owner);
        layers.lay(held.address, held.granted.max(1), tone, format!("slot {}, {owner}", u8::from(slot)));
    }
    let mut marks = Vec::new();
    let is_free = matches!(op, Some(Op::Free { .. }));
    match op {
        Some(
            Op::Free { slot, delta, .. }
            | Op::Realloc { slot, delta: delta @ 1.., .. }
            | Op::UsableSize { slot, delta: delta @ 1.., .. },
        ) => {
            let pointer = model.ledger.pointer(*slot).wrapping_add(*delta);
            if HEADER_BYTES <= pointer {
                layers.ask(pointer - HEADER_BYTES, HEADER_BYTES, "where a header would be");
            }
            marks.push(Mark {
                at: pointer,
                label: if is_free { "the pointer that is freed" } else { "the pointer" }.to_owned(),
                tone: Tone::Asked,
            });
        }
        Some(op) => {
            if let Some(held) = op.slot().and_then(|slot| model.ledger.get(slot)) {
                layers.ask(held.address, held.granted.max(1), OpKind::NAMES[op.kind() as usize]);
            }
        }
        None => {}
    }
    layers.into_map("what the program's slots point to", marks)
}

fn owner_words(owner: Owner) -> (Tone, String) {
    match owner {
        Owner::Kind(kind) => (Tone::Live, format!("a {} block of the allocator's", kind.name())),
        Owner::Libc => (Tone::Live, "a block of libc's".to_owned()),
        Owner::Boot => (Tone::Live, "a block from before the allocator was up".to_owned()),
        Owner::Foreign(Protection::ReadWrite) => (Tone::Guarded, "a foreign page".to_owned()),
        Owner::Foreign(Protection::Read) => (Tone::Guarded, "a foreign page, read-only".to_owned()),
        Owner::Foreign(Protection::None) => (Tone::Absent, "a foreign page without access".to_owned()),
    }
}

fn slots(model: &HeaderFreeModel, op: Option<&Op>) -> Panel {
    let asked = op.and_then(Op::slot);
    let rows = (0..SLOTS).map(Slot::new_folded).filter_map(|slot| {
        let is_asked = asked == Some(slot);
        let tone = if is_asked { Tone::Asked } else { Tone::Live };
        let name = format!("slot {}", u8::from(slot));
        let row = |owner, held: &Held| {
            let name = name.clone();
            let cells = [name, owner, format!("{:#x}", held.address), held.size.to_string(), held.granted.to_string()];
            Row::new(tone, cells)
        };
        match (model.ledger.get(slot), model.ledger.last(slot)) {
            (Some(held), _) => Some(row(owner_words(held.owner).1, held)),
            (None, Some(held)) if is_asked => Some(row("a stale pointer: freed before".to_owned(), held)),
            (None, None) if is_asked => {
                let [size, granted] = Default::default();
                Some(Row::new(tone, [name, "empty: never used".to_owned(), "null".to_owned(), size, granted]))
            }
            (None, _) => None,
        }
    });
    Panel::table("the program's slots", &["slot", "owner", "address", "bytes", "usable"], rows.collect())
}

fn superslabs(model: &HeaderFreeModel) -> Panel {
    let rows = model.superslabs.each().map(|(base, class, live)| {
        let tone = if live == 0 { Tone::Plain } else { Tone::Live };
        Row::new(tone, [format!("{base:#x}"), TINY_CLASSES_BYTES[class].to_string(), live.to_string()])
    });
    Panel::table("SuperSlabs", &["begins at", "bytes a block", "live blocks"], rows.collect())
}

fn books(model: &HeaderFreeModel) -> Panel {
    let rows = Kind::ALL.map(|kind| {
        let (live, ignored) = (model.ledger.blocks[kind as usize], model.ignored[kind as usize]);
        let tone = match (live, ignored) {
            (_, 1..) => Tone::Wrong,
            (0, 0) => Tone::Absent,
            (1.., 0) => Tone::Live,
        };
        Row::new(tone, [kind.name().to_owned(), live.to_string(), ignored.to_string()])
    });
    Panel::table("the books", &["kind", "live blocks", "frees that were ignored"], rows.into())
}
