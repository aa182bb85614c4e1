//! The model as a picture: an arena's regions with their blocks, and the program's slots. Only explaining runs come
//! here; nothing is judged. Addresses of heaps with memory of their own are not drawn: they differ from run to run.

use super::super::op::{Op, OpKind};
use super::super::operands::Slot;
use super::super::outcome::{Outcome, Seen};
use super::super::shown::Shown;
use super::HeapModel;
use super::blocks::Block;
use crate::allocation::Size;
use crate::picture::{ByteRows, Layers, Mark, Panel, Picture, Row, Tone};

/// The state before an op.
pub(super) fn picture(model: &HeapModel, op: Option<&Op>) -> Picture {
    Picture { panels: vec![regions(model, op), slots(model, op)] }
}

/// What the op shows of a block, beside what the program wrote.
pub(super) fn byte_rows(model: &HeapModel, op: &Op, seen: &Outcome) -> Option<ByteRows> {
    let changes = matches!(op, Op::Realloc { .. } | Op::Reallocarray { .. } | Op::Relayout { .. });
    let first = || {
        let (window, shown) = seen.shown.iter().next()?;
        let block = model.blocks.get(window.slot)?;
        Some(ByteRows { start: window.offset, allowed: block.allowed(window, shown), seen: shown.to_vec() })
    };
    if changes {
        // The kept bytes are shown at the new place, where they have the offsets that they had.
        return matches!(seen.result, Seen::Block(_) | Seen::Null).then(first)?;
    }
    different_rows(model, &seen.shown).or_else(first)
}

/// The first window with a byte that is not what the program wrote.
pub(super) fn different_rows(model: &HeapModel, shown: &Shown) -> Option<ByteRows> {
    shown.iter().find_map(|(window, shown)| {
        let block = model.blocks.get(window.slot)?;
        block.first_difference(window, shown)?;
        Some(ByteRows { start: window.offset, allowed: block.allowed(window, shown), seen: shown.to_vec() })
    })
}

fn regions(model: &HeapModel, op: Option<&Op>) -> Panel {
    let mut layers = Layers::new("no region is here");
    let mut marks = Vec::new();
    if !model.contract.own_memory {
        for (index, (start, end)) in (1..).zip(model.regions.ranges()) {
            layers.lay(start, end - start, Tone::Plain, "memory of the arena that no block has");
            marks.push(Mark { at: start, label: format!("region {index} begins"), tone: Tone::Plain });
            marks.push(Mark { at: end, label: format!("region {index} ends"), tone: Tone::Plain });
        }
        for (slot, block) in live(model) {
            let label = format!("block {} of {slot}, {} bytes", block.number, block.size);
            layers.lay(block.address, block.size, Tone::Live, label);
        }
        if let Some((op, block)) = op.and_then(|op| Some((op, model.blocks.get(op.slot()?)?))) {
            layers.ask(block.address, block.size, OpKind::NAMES[op.kind() as usize]);
        }
    }
    layers.into_map("the arena's memory", marks)
}

/// The live blocks by their slots.
fn live(model: &HeapModel) -> Vec<(Slot, Block)> {
    let mut live: Vec<(Slot, Block)> = model.blocks.iter().map(|(slot, block)| (slot, *block)).collect();
    live.sort_by_key(|(slot, _)| *slot);
    live
}

fn slots(model: &HeapModel, op: Option<&Op>) -> Panel {
    let asked = op.and_then(Op::slot);
    let mut rows: Vec<Row> = Vec::new();
    if let Some(slot) = asked.filter(|slot| model.blocks.get(*slot).is_none()) {
        rows.push(Row::new(Tone::Asked, [slot.to_string(), "empty".into(), "".into(), "".into(), "".into()]));
    }
    rows.extend(live(model).into_iter().map(|(slot, block)| {
        let tone = if asked == Some(slot) { Tone::Asked } else { Tone::Live };
        let place =
            if model.contract.own_memory { "the system's memory".to_owned() } else { format!("{:#x}", block.address) };
        let told = if block.granted == block.size { String::new() } else { Size(block.granted).to_string() };
        Row::new(tone, [slot.to_string(), format!("block {}", block.number), place, Size(block.size).to_string(), told])
    }));
    Panel::table("the program's slots", &["slot", "holds", "at", "bytes", "usable bytes told"], rows)
}
