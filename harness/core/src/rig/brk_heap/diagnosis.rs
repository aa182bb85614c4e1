//! What is probably wrong with a heap, from the ops and the failure alone: what its laws' hints cannot say.

use super::bump::Bump;
use super::{scene::register, words};
use crate::finding::{Cause, FaultClass, Step};
use crate::rig::Incident;
use memtwin_models::Law;
use memtwin_models::brk_heap::{BrkHeap, FIRST_EXTENT_BYTES, GUEST_END, Op, Setup, laws};

/// What a copy loop may add to a bad block's address before it faults, in bytes.
const COPY_REACH_BYTES: u64 = 4096;

pub(super) fn diagnose(incident: &Incident<'_, BrkHeap>) -> Option<String> {
    match (&incident.failure.cause, incident.failure.step) {
        (Cause::Fault(fault), Step::Op(_)) if fault.class == FaultClass::Segfault => {
            Some(diagnose_fault(incident.setup, incident.ops, fault.address?))
        }
        (Cause::Fault(_), _) => None,
        (Cause::Law { place, .. }, _) => diagnose_law(incident.setup, incident.law?, *place),
    }
}

fn diagnose_fault(setup: &Setup, ops: &[Op], address: u64) -> String {
    let start = setup.heap_start();
    let first_break = start + FIRST_EXTENT_BYTES;
    let bad_block = start + first_break;
    if (bad_block..bad_block + COPY_REACH_BYTES).contains(&address) {
        return format!(
            "The fault at {address:#x} lies {} bytes into a block at {bad_block:#x}, which is the heap's start \
             {start:#x} plus the break {first_break:#x}: the size operand held brk's result. Probably a register is \
             not preserved over the system call: the gate's way back overwrites it.{}",
            address - bad_block,
            kept_words(setup)
        );
    }
    if GUEST_END <= address {
        return format!(
            "{address:#x} is no address of the program. Probably an operand of the allocator was overwritten, or a \
             sum wrapped around the end of the address space."
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
            "The fault at {address:#x} lies below the break. Probably the break moved and the page was not mapped. \
             {nearest}"
        );
    }
    format!(
        "The fault at {address:#x} lies at or beyond the break {:#x}. Probably the allocator handed out, or wrote, \
         what the kernel never gave it. {nearest}",
        after.program_break
    )
}

fn kept_words(setup: &Setup) -> String {
    let kept = words::registers(setup);
    if kept.is_empty() { String::new() } else { format!(" In this build {kept}.") }
}

fn diagnose_law(setup: &Setup, law: &Law, place: Option<u64>) -> Option<String> {
    (*law == laws::REGISTERS).then_some(())?;
    Some(format!(
        "{} is not preserved over the system call, so what a compiler keeps there becomes something else.{}",
        register(place?),
        kept_words(setup)
    ))
}
