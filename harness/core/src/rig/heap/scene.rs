//! What a person should see of a heap's divergence: which block it is about, and how far the place lies from its begin
//! and its end. Blocks are told by their numbers; addresses only where they are an arena's.

use super::diagnosis;
use super::words::{count, is_nominal};
use crate::rig::{Explain, Incident, Scene};
use memtwin_models::heap::model::{HeapModel, ToldBlock};
use memtwin_models::heap::{Heap, Op, Seen, Shown, Size, laws};

impl Explain for Heap {
    fn scene(scene: &Scene<'_, Heap>) -> Vec<String> {
        let place = scene.divergence.place.unwrap_or(0);
        let is = |law: &memtwin_models::Law| scene.divergence.law == law.name;
        let shown = scene.view.map_or(&scene.seen.shown, |view| &view.shown);
        if is(&laws::CONTENTS) || is(&laws::KEPT) {
            other_bytes(scene.model, shown)
        } else if is(&laws::OVER_READ) {
            neighbour_bytes(scene, place)
        } else if is(&laws::ZEROED) {
            let size = scene.ops.last().and_then(Op::asked_bytes).unwrap_or(0);
            vec![format!("byte {} of the block's {} is not zero", Size(place), Size(size))]
        } else if is(&laws::ALIGNED) {
            vec![alignment(place, scene.ops.last())]
        } else if is(&laws::INSIDE) {
            beyond_regions(scene, place)
        } else if is(&laws::DISJOINT) {
            overlaps(scene, place)
        } else if is(&laws::USABLE) {
            behind(scene, place)
        } else if is(&laws::REDZONE) {
            around(scene.model, place)
        } else if is(&laws::REFUSAL) {
            room(scene)
        } else if is(&laws::LEAK) {
            vec![format!("{} less than the first time that nothing was live again", count(place))]
        } else {
            Vec::new()
        }
    }

    /// What the audit saw.
    fn state_words(scene: &Scene<'_, Heap>) -> String {
        let Some(view) = scene.view else { return String::new() };
        if scene.divergence.law == laws::BOOKS.name {
            let (books, live) = (view.live_blocks.unwrap_or(0), scene.model.live_blocks().len());
            return format!("by the allocator's books {books} blocks are live; the program holds {live}");
        }
        if scene.divergence.law == laws::REDZONE.name {
            return "a byte outside of the arena's memory has changed".to_owned();
        }
        match scene.model.first_other(&view.shown) {
            Some((block, offset)) => format!("byte {} of {} is another", Size(offset), name(&block)),
            None => String::new(),
        }
    }

    fn diagnose(incident: &Incident<'_, Heap>) -> Option<String> {
        diagnosis::diagnose(incident)
    }
}

fn name(block: &ToldBlock) -> String {
    let told = if block.size < block.granted { format!(", {} usable", Size(block.granted)) } else { String::new() };
    format!("block {} ({}, {}{told})", block.number, block.slot, count(block.size))
}

/// Where an offset lies in a block.
fn place_in(block: &ToldBlock, offset: u64) -> String {
    let behind = offset.checked_sub(block.granted);
    match behind {
        Some(0) => format!("right behind the end of {}", name(block)),
        Some(behind) => format!("{} behind the end of {}", count(behind), name(block)),
        None => format!(
            "{} after the begin of {}, {} before its end",
            count(offset),
            name(block),
            Size(block.granted - offset)
        ),
    }
}

/// Which byte is another, and which block begins with the bytes that are there now.
fn other_bytes(model: &HeapModel, shown: &Shown) -> Vec<String> {
    let Some((block, offset)) = model.first_other(shown) else { return Vec::new() };
    let mut lines = vec![place_in(&block, offset)];
    let bytes = shown.iter().filter(|(window, _)| window.slot == block.slot).find_map(|(window, bytes)| {
        let start = usize::try_from(offset.checked_sub(window.offset)?).ok()?;
        bytes.get(start..)
    });
    if let Some(bytes) = bytes {
        if bytes.len() > 1 && bytes.iter().all(|byte| *byte == 0) {
            lines.push("from there on there are zeros".to_owned());
        }
        let begin = bytes.first_chunk().and_then(|bytes| model.beginning_with(*bytes));
        lines.extend(begin.map(|other| format!("the bytes there are those that {} begins with", name(&other))));
    }
    lines
}

fn neighbour_bytes(scene: &Scene<'_, Heap>, place: u64) -> Vec<String> {
    let slot = scene.ops.last().and_then(Op::slot);
    let shown = scene.seen.shown.iter().filter(|(window, _)| Some(window.slot) == slot);
    let bytes = shown.filter_map(|(window, bytes)| {
        let start = usize::try_from(place.checked_sub(window.offset)?).ok()?;
        bytes.get(start..)?.first_chunk()
    });
    let neighbour = bytes.last().and_then(|bytes| scene.model.beginning_with(*bytes));
    neighbour
        .map(|block| {
            format!(
                "byte {} and those behind it are the first of {}, which lay behind the old place",
                Size(place),
                name(&block)
            )
        })
        .into_iter()
        .collect()
}

fn alignment(address: u64, op: Option<&Op>) -> String {
    let at = if is_nominal(address) { format!("{address:#x}") } else { "the block".to_owned() };
    match op.and_then(Op::asked_align).filter(|align| align.is_power_of_two()) {
        Some(align) => format!("{at} lies {} beyond a multiple of {}", count(address % align), Size(align)),
        None => format!("{at} lies {} beyond a multiple of 16", count(address % 16)),
    }
}

/// The addresses that were answered, each with the size that was asked for.
fn answered(scene: &Scene<'_, Heap>) -> Vec<(u64, u64)> {
    let op = scene.ops.last();
    let size = op.and_then(Op::asked_bytes).unwrap_or(1).max(1);
    match scene.seen.result {
        Seen::Block(address) => vec![(address, size)],
        Seen::Skipped
        | Seen::Unaskable
        | Seen::Null
        | Seen::Invalid
        | Seen::Done
        | Seen::Vacant
        | Seen::Bytes(_)
        | Seen::Refused => scene.seen.batch.iter().map(|address| (*address, size)).collect(),
    }
}

/// How the block that was answered lies to a live one that it shares bytes with.
fn overlaps(scene: &Scene<'_, Heap>, place: u64) -> Vec<String> {
    let moving = scene.ops.last().filter(|op| changes(op)).and_then(Op::slot);
    let blocks = scene.model.live_blocks();
    let mut others = blocks.iter().filter(|block| block.address == place && Some(block.slot) != moving);
    let Some(other) = others.next() else { return Vec::new() };
    let end = other.address.saturating_add(other.granted);
    let meets = |(address, size): &(u64, u64)| *address <= end && other.address <= address.saturating_add(*size);
    let mut lines = vec![format!("it shares bytes with {}", name(other))];
    if let Some((address, size)) = answered(scene).into_iter().rev().find(meets) {
        lines.push(match address.checked_sub(other.address) {
            Some(0) => "both begin at one address".to_owned(),
            Some(inside) => format!(
                "it begins {} after the begin of that block, {} before its end",
                count(inside),
                Size(end.saturating_sub(address))
            ),
            None => format!(
                "it begins {} before that block and reaches {} into it",
                count(other.address - address),
                count(address.saturating_add(size).saturating_sub(other.address))
            ),
        });
    }
    lines
}

/// Whether the op gives a block another size.
fn changes(op: &Op) -> bool {
    matches!(
        op,
        Op::Realloc { .. }
            | Op::Reallocarray { .. }
            | Op::Relayout { .. }
            | Op::PushString { .. }
            | Op::PushVec { .. }
            | Op::UsableSize { .. }
    )
}

fn beyond_regions(scene: &Scene<'_, Heap>, address: u64) -> Vec<String> {
    let size = answered(scene).iter().find(|(answered, _)| *answered == address).map_or(1, |(_, size)| *size);
    let end = address.saturating_add(size);
    let lines = (1..).zip(scene.model.regions()).map(|(number, (start, limit))| {
        if limit <= address {
            format!("it begins {} behind the end of region {number}", count(address - limit))
        } else if end <= start {
            format!("it ends {} before region {number}", count(start - end))
        } else if address < start {
            format!("it begins {} before region {number}", count(start - address))
        } else {
            format!("it ends {} behind the end of region {number}", count(end.saturating_sub(limit)))
        }
    });
    lines.collect()
}

/// What lies behind a block whose usable size was told.
fn behind(scene: &Scene<'_, Heap>, usable: u64) -> Vec<String> {
    let block = scene.ops.last().and_then(Op::slot).and_then(|slot| scene.model.block_of(slot));
    let Some(block) = block else { return Vec::new() };
    if usable < block.size {
        return vec![format!("{} was asked for with {}", name(&block), count(block.size))];
    }
    let blocks = scene.model.live_blocks();
    let next = blocks.iter().find(|other| block.address < other.address);
    let next =
        next.map(|next| format!("{} begins {} after its begin", name(next), count(next.address - block.address)));
    let region = scene.model.regions().find(|(start, end)| (*start..*end).contains(&block.address));
    let region = region.map(|(_, end)| format!("its region ends {} after its begin", count(end - block.address)));
    next.into_iter().chain(region).collect()
}

/// Which region and which block are nearest to a byte outside of the regions.
fn around(model: &HeapModel, place: u64) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, (start, end)) in (1..).zip(model.regions()) {
        match (place.checked_sub(end), start.checked_sub(place)) {
            (Some(0), _) => lines.push(format!("right behind the end of region {number}")),
            (Some(behind), _) => lines.push(format!("{} behind the end of region {number}", count(behind))),
            (None, Some(before)) => lines.push(format!("{} before region {number}", count(before))),
            (None, None) => lines.push(format!("within region {number}")),
        }
    }
    let blocks = model.live_blocks();
    let before = blocks.iter().rfind(|block| block.address <= place);
    lines.extend(before.map(|block| place_in(block, place - block.address)));
    let behind = blocks.iter().find(|block| place < block.address);
    lines.extend(behind.map(|block| format!("{} before {}", count(block.address - place), name(block))));
    lines
}

/// What there is for a request that was refused.
fn room(scene: &Scene<'_, Heap>) -> Vec<String> {
    let live = scene.model.live_blocks();
    let bytes: u64 = live.iter().fold(0, |sum, block| sum.saturating_add(block.size));
    let mut lines = vec![format!("live blocks: {}, with {} together", live.len(), count(bytes))];
    let gap = scene.model.largest_gap();
    lines.extend(gap.map(|gap| format!("the largest gap has {}", count(gap))));
    lines
}
