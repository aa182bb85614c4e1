//! What a person should see of a brk-heap divergence: a map of the heap.

use super::bump::Bump;
use super::{diagnosis, words};
use crate::rig::{Explain, Incident, Scene};
use memtwin_models::brk_heap::{BrkHeap, Seen, laws};
use std::fmt::Write as _;

impl Explain for BrkHeap {
    fn scene(scene: &Scene<'_, BrkHeap>) -> Vec<String> {
        let bump = Bump::after(scene.setup, &scene.ops[..scene.succeeded.len().min(scene.ops.len())]);
        let mut marks = vec![(scene.setup.heap_start(), "the heap begins".to_owned())];
        for placed in &bump.blocks {
            marks.push((
                placed.address,
                format!("the block of slot {} by the model, {} bytes", placed.slot, placed.size),
            ));
        }
        let kept = words::registers(scene.setup);
        match scene.view {
            Some(view) => {
                if let Some((head, end)) = view.words {
                    marks.extend([(head, "head".to_owned()), (end, "end".to_owned())]);
                }
                marks.extend(view.program_break.map(|address| (address, "break".to_owned())));
                marks.extend(view.mapped_page.map(|address| (address, "◄ mapped".to_owned())));
                marks.extend(view.foreign_byte.map(|address| (address, "◄ another user's".to_owned())));
                marks.extend(view.unmapped_page.map(|address| (address, "◄ not mapped".to_owned())));
            }
            None => {
                marks.push((bump.program_break, "break by the model".to_owned()));
                if let Seen::Block(address) = scene.seen.result {
                    marks.push((address, "◄ the block that was given".to_owned()));
                }
                let is_address = [&laws::INSIDE, &laws::ALIGNED, &laws::DISJOINT, &laws::REDZONE, &laws::NEIGHBOUR];
                if is_address.iter().any(|law| law.name == scene.divergence.law) {
                    marks.extend(scene.divergence.place.map(|address| (address, "◄ here".to_owned())));
                }
            }
        }
        let mut lines = heap_map(marks);
        if !kept.is_empty() {
            lines.push(format!("registers: {kept}"));
        }
        lines
    }

    /// What the audit saw.
    fn state_words(scene: &Scene<'_, BrkHeap>) -> String {
        let law = scene.divergence.law;
        let place = scene.divergence.place.unwrap_or(0);
        let Some(view) = scene.view else { return String::new() };
        let (head, end) = view.words.unwrap_or_default();
        let program_break = view.program_break.unwrap_or(0);
        if law == laws::WORDS.name {
            let (left_head, left_end) = view.changed_words.unwrap_or_default();
            format!(
                "the words are head {head:#x}, end {end:#x}; the allocator left them as {left_head:#x}, {left_end:#x}"
            )
        } else if law == laws::REGISTERS.name {
            format!("{} changed over a system call", register(place))
        } else if law == laws::ORDER.name {
            format!(
                "the heap begins at {:#x}, head {head:#x}, end {end:#x}, break {program_break:#x}",
                scene.setup.heap_start()
            )
        } else if law == laws::INSIDE.name {
            format!("the block at {place:#x} ends beyond the heap's end {end:#x}")
        } else if law == laws::MAPPED.name {
            format!("the page at {place:#x}, below the break {program_break:#x}, is not mapped")
        } else if law == laws::UNMAPPED.name {
            format!("the page at {place:#x}, above the break {program_break:#x}, is mapped")
        } else if law == laws::NEIGHBOUR.name {
            format!("what another user of brk put at {place:#x} has changed")
        } else if law == laws::BRK.name {
            format!("the break is at {program_break:#x}, and nobody moved it there")
        } else {
            format!("pages that are mapped for blocks, by the kernel: {}", view.mmapped_pages.unwrap_or(0))
        }
    }

    fn diagnose(incident: &Incident<'_, BrkHeap>) -> Option<String> {
        diagnosis::diagnose(incident)
    }
}

pub(super) fn register(number: u64) -> String {
    if number == 31 { "sp".to_owned() } else { format!("x{number}") }
}

/// The marks in order, one line an address.
fn heap_map(mut marks: Vec<(u64, String)>) -> Vec<String> {
    marks.sort();
    let mut lines: Vec<String> = Vec::new();
    let mut previous = None;
    for (address, words) in marks {
        match lines.last_mut().filter(|_| previous == Some(address)) {
            Some(line) => {
                let _ = write!(line, "; {words}");
            }
            None => lines.push(format!("{address:#18x}  {words}")),
        }
        previous = Some(address);
    }
    lines
}
