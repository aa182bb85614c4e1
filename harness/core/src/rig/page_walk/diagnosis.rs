//! What is probably wrong with a walk, a region list or a buffer, from the ops and the failure alone: what its laws'
//! hints cannot say.

use super::scene::{after, backings};
use crate::finding::{Cause, FaultClass, Step};
use crate::rig::Incident;
use memtwin_models::Law;
use memtwin_models::page_walk::{HOST_SLOT_BYTES, Op, PageWalk, Setup, laws};

pub(super) fn diagnose(incident: &Incident<'_, PageWalk>) -> Option<String> {
    match (&incident.failure.cause, incident.failure.step) {
        (Cause::Fault(fault), Step::Op(_)) if fault.class == FaultClass::Segfault => {
            Some(diagnose_fault(incident.setup, incident.ops, fault.address?))
        }
        (Cause::Fault(fault), Step::Op(_)) if fault.class == FaultClass::Panic => diagnose_panic(incident.ops),
        (Cause::Fault(_), _) => None,
        (Cause::Law { field, .. }, _) => {
            diagnose_law(incident.setup, incident.ops, incident.law?, field).map(str::to_owned)
        }
    }
}

fn diagnose_fault(setup: &Setup, ops: &[Op], address: u64) -> String {
    let in_slot = |end: u64| end.abs_diff(address) < HOST_SLOT_BYTES / 2;
    let behind = backings(setup).filter(|(_, _, end)| *end <= address && in_slot(*end)).max_by_key(|(_, _, end)| *end);
    if let Some((backing, start, end)) = behind {
        let beyond = address - end;
        let place = if beyond == 0 {
            format!("{backing} ends at {end:#x} for the host, which is the address that was touched")
        } else {
            format!("{backing} ends at {end:#x} for the host, and {address:#x} is {beyond:#x} bytes further")
        };
        if let Some(Op::Regions) = ops.last() {
            let model = after(setup, ops);
            let touching = |region: &&memtwin_models::page_walk::Region| {
                region.host.backing == Some(backing) && start + region.host.offset + region.host.bytes == end
            };
            let region = model.regions().iter().find(touching);
            let region = region.map_or(String::new(), |region| format!(" By the model the region is {region}."));
            return format!(
                "Region longer than its backing: the host length was truncated, the coalesced end was not. {place}.{region}"
            );
        }
        return format!(
            "An access runs past its backing: {place}. Its length was the guest's word, or a sum that wraps."
        );
    }
    let before = backings(setup).find(|(_, start, _)| address < *start && in_slot(*start));
    match before {
        Some((backing, start, _)) => format!(
            "{address:#x} lies {} bytes before {backing}: an offset went round below zero, or round the end of the address space.",
            start - address
        ),
        None => {
            format!("{address:#x} lies in no backing and near none: an offset that nobody checked was added to a base.")
        }
    }
}

fn diagnose_panic(ops: &[Op]) -> Option<String> {
    match ops.last()? {
        Op::Read { .. } => Some(
            "A position is 2^64 after the last byte of the address space, which no 64-bit number holds: count what is left \
             instead."
                .to_owned(),
        ),
        Op::ReadEntry { .. } | Op::WriteEntry { .. } | Op::FillEntries { .. } | Op::Walk { .. } | Op::Regions => Some(
            "An entry's address was turned into an index without looking whether it lies below the table buffer: the \
             difference wraps, and the index is beyond all bounds."
                .to_owned(),
        ),
        Op::Map { .. }
        | Op::AllocTable
        | Op::SetRoot { .. }
        | Op::GuestWrite { .. }
        | Op::GuestWord { .. }
        | Op::SharedRead { .. }
        | Op::Push { .. }
        | Op::Pop
        | Op::PopPrefixed
        | Op::Clear
        | Op::Snapshot { .. }
        | Op::Restore { .. }
        | Op::Build
        | Op::AddFileMapping { .. } => None,
    }
}

fn diagnose_law(setup: &Setup, ops: &[Op], law: &Law, field: &str) -> Option<&'static str> {
    let guest_wrote = || ops.iter().any(|op| matches!(op, Op::GuestWrite { .. } | Op::GuestWord { .. }));
    match (*law, field) {
        (laws::WORK, _) if after(setup, ops).has_table_cycle() => {
            Some("Table reachable from itself: without a bound on leaves and visits a walk goes through 512^4 of them.")
        }
        (laws::REGIONS, "kind") => Some(
            "Regions of different types became one, or a type is wrong: it follows the kind of the page, not its flags.",
        ),
        (laws::BUFFER, _) if !guest_wrote() => Some(
            "Nobody but push and pop wrote to the buffer, and they disagree: what push takes pop must give back, whatever its \
             length, and elements shorter than a prefix as well.",
        ),
        (laws::MEMORY, "stray") => {
            Some("A byte before the beginning of a backing was written: an offset was computed that lies below it.")
        }
        _ => None,
    }
}
