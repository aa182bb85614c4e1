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
                "A region is longer than its backing: {place}. Probably a length was cut to the backing's end, or \
                 joined with its neighbour's, for the guest and not for the host.{region}"
            );
        }
        return format!(
            "An access runs past its backing: {place}. Probably a length came from the guest unchecked, or a sum \
             wrapped."
        );
    }
    let before = backings(setup).find(|(_, start, _)| address < *start && in_slot(*start));
    match before {
        Some((backing, start, _)) => format!(
            "{address:#x} lies {} bytes before {backing}. Probably an offset wrapped below zero, or around the end of \
             the address space.",
            start - address
        ),
        None => format!(
            "{address:#x} lies in no backing and near none. Probably an offset that nobody checked was added to a \
             base."
        ),
    }
}

fn diagnose_panic(ops: &[Op]) -> Option<String> {
    let op = ops.last()?;
    if let Op::Read { address, length } | Op::Walk { address, length } = *op {
        let reaches_end = length != 0 && address.checked_add(length).is_none_or(|end| end == 0);
        return reaches_end.then(|| {
            "The range ends at the end of the address space or beyond it. Probably a position behind its last byte is \
             computed, which no 64-bit number holds: count what is left instead."
                .to_owned()
        });
    }
    if let Op::ReadEntry { address } | Op::WriteEntry { address, .. } | Op::FillEntries { address, .. } = *op {
        return Some(format!(
            "The op names an entry at {address:#x}. Probably an entry's address is turned into an index without \
             looking whether it lies in the table buffer."
        ));
    }
    None
}

fn diagnose_law(setup: &Setup, ops: &[Op], law: &Law, field: &str) -> Option<&'static str> {
    let guest_wrote = || ops.iter().any(|op| matches!(op, Op::GuestWrite { .. } | Op::GuestWord { .. }));
    match (*law, field) {
        (laws::WORK, _) if after(setup, ops).has_table_cycle() => Some(
            "A table can be reached from itself: without a bound on leaves and visits a walk goes through 512^4 of \
             them.",
        ),
        (laws::REGIONS, "kind") => {
            Some("Probably regions of different types became one. A type follows the kind of the page, not its flags.")
        }
        (laws::BUFFER, _) if !guest_wrote() => Some(
            "Only push and pop wrote to the buffer, and they disagree. What push takes pop must give back, whatever \
             its length, and elements shorter than a prefix as well.",
        ),
        (laws::MEMORY, "stray") => {
            Some("A byte before the beginning of a backing was written. Probably an offset wrapped below zero.")
        }
        _ => None,
    }
}
