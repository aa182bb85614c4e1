//! What a person should see of a brk-heap divergence: a map of the heap, and what is probably wrong.

use super::bump::Bump;
use super::words;
use crate::finding::{Cause, FaultClass, Step};
use crate::rig::{Explain, Incident, Scene};
use memtwin_models::brk_heap::{BrkHeap, FIRST_EXTENT_BYTES, GUEST_END, Op, Seen, Setup, laws};
use std::fmt::Write as _;

/// What a copy loop may add to a bad block's address before it faults, in bytes.
const COPY_REACH_BYTES: u64 = 4096;

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
                marks.extend(view.unmapped_page.map(|address| (address, "◄ not mapped".to_owned())));
            }
            None => {
                marks.push((bump.program_break, "break by the model".to_owned()));
                if let Seen::Block(address) = scene.seen.result {
                    marks.push((address, "◄ the block that was given".to_owned()));
                }
                let is_address = [&laws::INSIDE, &laws::ALIGNED, &laws::DISJOINT, &laws::REDZONE];
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
        } else {
            format!("pages that are mapped for blocks, by the kernel: {}", view.mmapped_pages.unwrap_or(0))
        }
    }

    fn diagnose(incident: &Incident<'_, BrkHeap>) -> Option<String> {
        match (&incident.failure.cause, incident.failure.step) {
            (Cause::Fault(fault), Step::Op(_)) if fault.class == FaultClass::Segfault => {
                Some(diagnose_fault(incident.setup, incident.ops, fault.address?))
            }
            (Cause::Fault(_), _) => None,
            (Cause::Law { law, place, .. }, _) => diagnose_law(incident.setup, law, *place),
        }
    }
}

fn register(number: u64) -> String {
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

fn diagnose_fault(setup: &Setup, ops: &[Op], address: u64) -> String {
    let start = setup.heap_start();
    let first_break = start + FIRST_EXTENT_BYTES;
    let bad_block = start + first_break;
    if (bad_block..bad_block + COPY_REACH_BYTES).contains(&address) {
        return format!(
            "The fault at {address:#x} lies {} bytes into a block at {bad_block:#x}, which is the heap's start {start:#x} plus the \
             break {first_break:#x}: the size operand held brk's result. A register is not preserved over the system call: \
             the gate's way back overwrites it.{}",
            address - bad_block,
            kept_words(setup)
        );
    }
    if GUEST_END <= address {
        return format!(
            "{address:#x} is no address of the program: an operand of the allocator was overwritten, or a sum went round \
             the end of the address space."
        );
    }
    let before = Bump::after(setup, &ops[..ops.len().saturating_sub(1)]);
    let after = Bump::after(setup, ops);
    let nearest = match after.nearest(address) {
        Some((placed, _)) if (placed.address..placed.address + placed.size).contains(&address) => {
            format!("It lies in the block of slot {} at {:#x}.", placed.slot, placed.address)
        }
        Some((placed, 0)) => {
            format!("It is the first byte after the block of slot {} at {:#x}.", placed.slot, placed.address)
        }
        Some((placed, distance)) => format!(
            "It lies in no block; the nearest is slot {} at {:#x} ({} bytes), {distance:#x} bytes away.",
            placed.slot, placed.address, placed.size
        ),
        None => "There is no block.".to_owned(),
    };
    let loaded = start + FIRST_EXTENT_BYTES.min(u64::from(setup.frames) * 4096);
    if (loaded..after.program_break).contains(&address)
        || (before.program_break..after.program_break).contains(&address)
    {
        return format!(
            "The fault at {address:#x} lies below the break: the break moved, the page was not mapped. {nearest}"
        );
    }
    format!(
        "The fault at {address:#x} lies at or beyond the break {:#x}: the allocator handed out, or wrote, what the kernel never \
         gave it. {nearest}",
        after.program_break
    )
}

fn kept_words(setup: &Setup) -> String {
    let kept = words::registers(setup);
    if kept.is_empty() { String::new() } else { format!(" In this build {kept}.") }
}

fn diagnose_law(setup: &Setup, law: &str, place: Option<u64>) -> Option<String> {
    if law == laws::REGISTERS.name {
        return Some(format!(
            "{} is not preserved over the system call: what a compiler keeps there becomes something else.{}",
            register(place?),
            kept_words(setup)
        ));
    }
    let words = if law == laws::ALIGNED.name {
        "The head was not rounded up to the alignment asked for, or with a wrong mask: look at what the mask is made of, and \
         at where the compiler keeps it over system calls."
    } else if law == laws::INSIDE.name {
        "A block was handed out of what the allocator never had: look at whether the answer of brk is checked, and at the sum \
         of head and size."
    } else if law == laws::CONTENTS.name || law == laws::REALLOC.name {
        "Bytes that the program put there are gone: another block, or a copy that is too short or too long, wrote over them."
    } else if law == laws::WORDS.name {
        "The allocator's words changed between two of its calls: a stray write, not a wrong computation."
    } else if law == laws::ORDER.name {
        "The allocator's own words are out of order, and nobody else changed them: it computed them wrong, mostly from an \
         answer of the kernel that it did not check."
    } else if law == laws::MAPPED.name {
        "The break moved, the page was not mapped: the first access there will fault."
    } else if law == laws::BRK.name {
        "The kernel answered other than its books allow: look at how brk rounds and limits its argument."
    } else if law == laws::REDZONE.name {
        "Bytes beyond the block were written during the call: a copy is longer than the new block."
    } else if law == laws::LEAK.name {
        "Pages that were mapped for blocks are still mapped although the blocks are freed."
    } else if law == laws::DISJOINT.name {
        "Two live blocks share bytes: the head was not advanced over all of the older one, or a block grew in place over \
         its neighbour."
    } else if law == laws::ZEROED.name {
        "Pages were taken for fresh that were not: the break fell and rose again over used ones."
    } else if law == laws::REFUSAL.name {
        "A sum of address, size and alignment went round the end of the address space, or a refusal was invented."
    } else {
        return None;
    };
    Some(words.to_owned())
}
