//! What a person should see of a header_free divergence: what the program's slots held, and the books.

use super::diagnosis;
use super::words;
use crate::rig::{Explain, Incident, Scene};
use memtwin_models::header_free::{HeaderFree, Kind, Op, Slot, laws};

/// Slots that are shown.
const SHOWN_SLOTS: usize = 8;

impl Explain for HeaderFree {
    fn scene(scene: &Scene<'_, HeaderFree>) -> Vec<String> {
        let mut lines: Vec<String> = holders(scene.ops, scene.succeeded)
            .into_iter()
            .take(SHOWN_SLOTS)
            .map(|(slot, what)| format!("slot {:<3} {what}", slot.index()))
            .collect();
        if let Some(view) = scene.view {
            for (kind, book) in Kind::ALL.iter().zip(view.books.iter().flatten()) {
                if book.allocated != 0 {
                    let live = book.live();
                    lines.push(format!(
                        "{:<9} {} allocated, {} freed: {live} live by the books",
                        kind.name(),
                        book.allocated,
                        book.freed
                    ));
                }
            }
            if let Some((mapped, registered)) = view.superslabs.filter(|(mapped, _)| *mapped != 0) {
                lines.push(format!("SuperSlabs: {mapped} mapped, {registered} in the registry"));
            }
        }
        if lines.is_empty() { vec!["no slot holds anything".to_owned()] } else { lines }
    }

    /// What the audit saw.
    fn state_words(scene: &Scene<'_, HeaderFree>) -> String {
        let (law, field) = (scene.divergence.law, scene.divergence.field);
        let place = scene.divergence.place.unwrap_or(0);
        let kind =
            usize::try_from(place).ok().and_then(|index| Kind::ALL.get(index)).map_or("some", |kind| kind.name());
        match (scene.view, field) {
            (_, "state") => format!("the byte at {place:#x} is not the one that the program put there"),
            (_, "books") => format!("by the books other {kind} blocks live than the program has"),
            (_, "libc") if law == laws::BESIDE.name => format!("the byte at {place:#x} is libc's, and was written"),
            (Some(view), "libc") => format!("libc holds {} blocks", view.libc_blocks.unwrap_or(0)),
            (Some(view), "mappings") => {
                format!("the kernel holds {} mappings for mmap blocks", view.mappings.unwrap_or(0))
            }
            (Some(view), "superslabs") => {
                let (mapped, registered) = view.superslabs.unwrap_or_default();
                format!("{mapped} SuperSlabs are mapped, {registered} are in the registry")
            }
            _ => format!("what the {law} law forbids"),
        }
    }

    fn diagnose(incident: &Incident<'_, HeaderFree>) -> Option<String> {
        diagnosis::diagnose(incident)
    }
}

/// What the slots held before the last op, in the order in which they got it.
pub(super) fn holders(ops: &[Op], succeeded: &[bool]) -> Vec<(Slot, String)> {
    let mut holders: Vec<(Slot, String)> = Vec::new();
    for (op, _) in ops.iter().zip(succeeded).filter(|(_, succeeded)| **succeeded) {
        let what = match *op {
            Op::Alloc { kind, size, .. } => format!("a {} block of {}", kind.name(), words::number(size)),
            Op::LibcAlloc { size, .. } => format!("a block of libc's of {}", words::number(size)),
            Op::MapForeign { .. } => "a foreign page".to_owned(),
            Op::Realloc { size, delta: 0, .. } => format!("a block reallocated to {}", words::number(size)),
            Op::BootAlloc { size, .. } => {
                format!("a block of {} from before the allocator was up", words::number(size))
            }
            Op::Free { delta: 0, .. } => "a stale pointer: what it held is freed".to_owned(),
            Op::Free { .. }
            | Op::Realloc { .. }
            | Op::UsableSize { .. }
            | Op::ThreadExit { .. }
            | Op::WriteEnd { .. }
            | Op::Write { .. }
            | Op::Verify { .. }
            | Op::ProtectNeighbour { .. }
            | Op::UnmapNeighbour { .. }
            | Op::Forge { .. }
            | Op::RetireSuperslab { .. }
            | Op::Stats => continue,
        };
        let Some(slot) = op.slot() else { continue };
        match holders.iter_mut().find(|(known, _)| *known == slot) {
            Some(holder) => holder.1 = what,
            None => holders.push((slot, what)),
        }
    }
    holders
}
