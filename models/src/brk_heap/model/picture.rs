//! The model as a picture: the heap with its blocks, the program's slots, the kernel's books, and where the allocator's
//! locals live. Only explaining runs come here; nothing is judged.

use super::super::op::{Op, OpKind};
use super::super::operands::{BrkRequest, SLOTS, Slot};
use super::super::outcome::{Outcome, Seen};
use super::super::setup::{BSS_START, PAGE_BYTES, Setup, Storage};
use super::BrkHeapModel;
use crate::picture::{ByteRows, Layers, Mark, Panel, Picture, Row, Tone};

/// The state before an op.
pub(super) fn picture(model: &BrkHeapModel, op: Option<&Op>) -> Picture {
    Picture { panels: vec![heap(model, op), slots(model, op), kernel(model), locals(&model.setup)] }
}

/// The known bytes of the block that an op shows.
pub(super) fn byte_rows(model: &BrkHeapModel, op: &Op, seen: &Outcome) -> Option<ByteRows> {
    let size = match *op {
        Op::Verify { .. } | Op::VerifyEnd { .. } => (seen.result == Seen::Done).then_some(u64::MAX)?,
        Op::Realloc { size, .. } | Op::ReallocAligned { size, .. } => {
            matches!(seen.result, Seen::Block(_)).then_some(size.0)?
        }
        Op::Alloc { .. }
        | Op::AllocZeroed { .. }
        | Op::Dealloc { .. }
        | Op::Write { .. }
        | Op::WriteEnd { .. }
        | Op::PushString { .. }
        | Op::PushVec { .. }
        | Op::RawBrk { .. }
        | Op::VerifyRawBrk
        | Op::Fork
        | Op::Exec => return None,
    };
    let block = model.blocks.get(op.slot()?)?;
    let shown = seen.shown();
    let shown = &shown[..shown.len().min(usize::try_from(size).unwrap_or(usize::MAX))];
    let start = if matches!(op, Op::VerifyEnd { .. }) { block.size.saturating_sub(shown.len() as u64) } else { 0 };
    let allowed = block.known_bytes(start, shown);
    let seen = shown[..allowed.len()].to_vec();
    Some(ByteRows { start, allowed, seen })
}

fn heap(model: &BrkHeapModel, op: Option<&Op>) -> Panel {
    let (start, program_break) = (model.kernel.heap_start(), model.kernel.program_break());
    let mut layers = Layers::new("no heap is here");
    layers.lay(BSS_START, start - BSS_START, Tone::Guarded, "the allocator's words, head and end, and other data");
    layers.lay(start, program_break - start, Tone::Plain, "heap that no block has");
    for (index, block) in live(model) {
        layers.lay(block.address, block.size, Tone::Live, format!("the block of slot {index}, {} bytes", block.size));
    }
    let mut marks = vec![
        mark(start, "the heap begins", Tone::Plain),
        mark(program_break, "break, by the kernel's books", Tone::Plain),
    ];
    if model.granted_end != 0 && model.granted_end != program_break {
        marks.push(mark(model.granted_end, "end of what the allocator was granted", Tone::Plain));
    }
    match op {
        Some(Op::RawBrk { request }) => {
            let asked = match *request {
                BrkRequest::Grow(bytes) => Some(program_break.saturating_add(bytes.into())),
                BrkRequest::At(address) => Some(address.0),
                BrkRequest::Query | BrkRequest::GiveBack => None,
            };
            marks.extend(asked.map(|address| mark(address, "the break that another user asks for", Tone::Asked)));
        }
        Some(op) => {
            if let Some(block) = op.slot().and_then(|slot| model.blocks.get(slot)) {
                layers.ask(block.address, block.size, OpKind::NAMES[op.kind() as usize]);
            }
        }
        None => {}
    }
    layers.into_map("the program's memory", marks)
}

fn mark(at: u64, label: &str, tone: Tone) -> Mark {
    Mark { at, label: label.to_owned(), tone }
}

fn live(model: &BrkHeapModel) -> impl Iterator<Item = (u8, &super::Block)> {
    (0..SLOTS).filter_map(|index| Some((index, model.blocks.get(Slot::new_folded(index))?)))
}

fn slots(model: &BrkHeapModel, op: Option<&Op>) -> Panel {
    let asked = op.and_then(Op::slot).map(Slot::index);
    let rows = (0..SLOTS).filter_map(|index| {
        let is_asked = asked == Some(index.into());
        let name = format!("slot {index}");
        let Some(block) = model.blocks.get(Slot::new_folded(index)) else {
            let [gap, align, known] = Default::default();
            return is_asked.then(|| Row::new(Tone::Asked, [name, "empty".to_owned(), gap, align, known]));
        };
        let tone = if is_asked { Tone::Asked } else { Tone::Live };
        let cells = [
            name,
            format!("{:#x}", block.address),
            format!("{:#x}", block.size),
            block.align.to_string(),
            block.known().to_string(),
        ];
        Some(Row::new(tone, cells))
    });
    Panel::table("the program's slots", &["slot", "block at", "bytes", "aligned to", "known bytes"], rows.collect())
}

fn kernel(model: &BrkHeapModel) -> Panel {
    let frames = (model.kernel.program_break() - model.kernel.heap_start()).div_ceil(PAGE_BYTES);
    let rows = [
        ("break", format!("{:#x}", model.kernel.program_break())),
        ("pages below the break", format!("{frames}, of {} frames", model.setup.frames)),
        ("a refused brk answers", format!("{:#x}", model.kernel.refusal())),
    ];
    let rows = rows.map(|(what, value)| Row::new(Tone::Plain, [what.to_owned(), value]));
    Panel::table("the kernel's books", &["what", "value"], rows.into())
}

fn locals(setup: &Setup) -> Panel {
    let kept = &setup.placement;
    let locals = [
        ("size", kept.size),
        ("alignment less one", kept.mask),
        ("head", kept.head),
        ("new head", kept.new_head),
        ("new end", kept.new_end),
    ];
    let rows = locals.map(|(local, place)| {
        let (tone, place) = match place {
            Storage::Saved => (Tone::Plain, "the stack".to_owned()),
            Storage::X(number) => (Tone::Guarded, format!("register x{number}")),
        };
        Row::new(tone, [local.to_owned(), place])
    });
    Panel::table("the allocator's locals over a system call", &["local", "kept in"], rows.into())
}
