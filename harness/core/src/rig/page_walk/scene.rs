//! What a person should see of a page-walk divergence: the path to an address, the regions beside their backings, and what
//! is probably wrong.

use crate::finding::{Cause, FaultClass, Step};
use crate::rig::{Explain, Incident, Scene};
use memtwin_models::page_walk::model::PageWalkModel;
use memtwin_models::page_walk::translate::{LARGE, NO_EXECUTE, PRESENT, Role, WRITABLE, role, shift};
use memtwin_models::page_walk::{Backing, HOST_SLOT_BYTES, MAX_MAPPED, Op, PageWalk, PageWalkContract, Setup, laws};
use memtwin_models::{Contract as _, Model as _};

/// The model after some ops: what they should have led to.
fn after(setup: &Setup, ops: &[Op]) -> PageWalkModel {
    let mut model = PageWalkModel::new(setup, &PageWalkContract::STRICT);
    for op in ops {
        model.follow(op);
    }
    model
}

fn backings(setup: &Setup) -> impl Iterator<Item = (Backing, u64, u64)> + '_ {
    let mapped = (0..MAX_MAPPED).filter_map(|index| u8::try_from(index).ok().map(Backing::Mapped));
    let all = [Backing::Scratch, Backing::Snapshot].into_iter().chain(mapped);
    all.filter_map(|backing| setup.host_range(backing).map(|(start, end)| (backing, start, end)))
}

impl Explain for PageWalk {
    fn scene(scene: &Scene<'_, PageWalk>) -> Vec<String> {
        let model = after(scene.setup, scene.ops);
        let mut lines = Vec::new();
        match scene.ops.last() {
            _ if scene.view.is_some() => {}
            Some(Op::Walk { address, .. } | Op::Read { address, .. }) => {
                let law = scene.divergence.law;
                let index = usize::try_from(scene.divergence.place.unwrap_or(0)).unwrap_or(0);
                let is_span = law == laws::WALK.name || law == laws::ACCESS.name;
                let span = scene.seen.spans.get(index).filter(|_| is_span);
                if scene.setup.paging {
                    lines.extend(path(&model, span.map_or(*address, |span| span.start)));
                }
            }
            Some(Op::Regions) => {
                for (backing, start, end) in backings(scene.setup) {
                    lines.push(format!("{backing} has {:#x} bytes, at {start:#x} for the host", end - start));
                }
                lines.extend(model.regions().iter().map(|region| format!("by the model: {region}")));
            }
            _ => {}
        }
        if model.has_table_cycle() && scene.divergence.law == laws::WORK.name {
            lines.push("a table is reachable from itself".to_owned());
        }
        lines
    }

    /// What the audit saw.
    fn state_words(scene: &Scene<'_, PageWalk>) -> String {
        let (law, field) = (scene.divergence.law, scene.divergence.field);
        let place = scene.divergence.place.unwrap_or(0);
        let Some(view) = scene.view else { return String::new() };
        if law == laws::BOOKKEEPING.name {
            return format!("the bookkeeping word {place:#x} bytes before the end of scratch is another");
        }
        if field == "stray" {
            return format!("a byte {place:#x} bytes away from a backing, which is nobody's, was written");
        }
        let model = after(scene.setup, scene.ops);
        if law == laws::TABLES.name {
            return format!("entry {place} of the table buffer is not what was written there");
        }
        let Ok(index) = usize::try_from(place) else { return String::new() };
        let all = backings(scene.setup).map(|(backing, _, _)| backing);
        let differs = all.zip(&view.backings).find_map(|(backing, seen)| {
            let (seen, want) = (seen.get(index)?, model.backing_bytes(backing).get(index)?);
            (seen != want).then(|| format!("byte {place:#x} of {backing} is {seen:02x}, and {want:02x} is right"))
        });
        differs.unwrap_or_else(|| format!("a backing ends at {place:#x}"))
    }

    fn diagnose(incident: &Incident<'_, PageWalk>) -> Option<String> {
        match (&incident.failure.cause, incident.failure.step) {
            (Cause::Fault(fault), Step::Op(_)) if fault.class == FaultClass::Segfault => {
                Some(diagnose_fault(incident.setup, incident.ops, fault.address?))
            }
            (Cause::Fault(fault), Step::Op(_)) if fault.class == FaultClass::Panic => diagnose_panic(incident.ops),
            (Cause::Fault(_), _) => None,
            (Cause::Law { law, field, .. }, _) => {
                diagnose_law(incident.setup, incident.ops, law, field).map(str::to_owned)
            }
        }
    }
}

/// The entries on the way to an address.
fn path(model: &PageWalkModel, address: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut table = model.root() & 0x000f_ffff_ffff_f000;
    for level in (0..4).rev() {
        let place = table + 8 * (address >> shift(level) & 0x1ff);
        let entry = model.entry(place);
        let flag = |mask: u64, set: &'static str, clear: &'static str| if entry & mask != 0 { set } else { clear };
        let mut line = format!("level {}: entry {entry:#x} at {place:#x}", level + 1);
        if entry & PRESENT != 0 {
            line = format!("{line} {} {}", flag(WRITABLE, "RW", "no RW"), flag(NO_EXECUTE, "NX", "no NX"));
            if level != 0 {
                line.push_str(flag(LARGE, " PS", ""));
            }
        }
        match role(entry, level) {
            Role::Nothing => {
                lines.push(format!("{line}: nothing is mapped here"));
                return lines;
            }
            Role::Table(below) => {
                lines.push(line);
                table = below;
            }
            Role::Leaf(page) => {
                lines.push(format!("{line}: a page of {:#x} bytes at {page:#x}", 1_u64 << shift(level)));
                return lines;
            }
        }
    }
    lines
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

fn diagnose_law(setup: &Setup, ops: &[Op], law: &str, field: &str) -> Option<&'static str> {
    let words = if law == laws::WORK.name {
        if after(setup, ops).has_table_cycle() {
            "Table reachable from itself: without a bound on leaves and visits a walk goes through 512^4 of them."
        } else {
            "The bound of walks or reads is not where the contract has it."
        }
    } else if law == laws::ACCESS.name {
        "The pages are right and what may be done with them is not: look at the AND of RW over all levels, at NX at any level, \
         and at bit 9 alone with RW clear for copy-on-write."
    } else if law == laws::WALK.name {
        "The pages are not the processor's: look at PS and the reserved bits of large leaves, and at the mask of the root."
    } else if law == laws::RANGE.name {
        "A range was taken for another: look at canonical addresses, at ends at and beyond 2^64, and at ranges of no bytes."
    } else if law == laws::READ.name {
        "Bytes were given that are not there, or not given although they are: look at gaps in the middle, and at which backings \
         a read knows."
    } else if law == laws::ALLOCATION.name {
        "Memory was reserved for what somebody said is there, before it was known to be there."
    } else if law == laws::HOST.name {
        "A region's host range is not the guest's: where the backing ends within a page the range must end with it, and a page \
         without backing has none."
    } else if law == laws::REGIONS.name {
        if field == "kind" {
            "Regions of different types became one, or a type is wrong: it follows the kind of the page, not its flags."
        } else {
            "The list is not what is mapped: regions become one only within one backing, of one type and with the same flags, and \
             they hold what the guest can see and nothing else."
        }
    } else if law == laws::BUFFER.name
        && !ops.iter().any(|op| matches!(op, Op::GuestWrite { .. } | Op::GuestWord { .. }))
    {
        "Nobody but push and pop wrote to the buffer, and they disagree: what push takes pop must give back, whatever its \
         length, and elements shorter than a prefix as well."
    } else if law == laws::BUFFER.name {
        "The buffer believed what a guest can write: a pointer or a prefix out of range must be an error that changes nothing, and \
         clearing must not depend on them."
    } else if law == laws::MAP.name {
        "A mapping was accepted or refused wrongly: low bits of a physical address must never become flags of an entry."
    } else if law == laws::SHARED_READ.name {
        "The bound check of a host read adds offset and length without looking whether the sum wraps."
    } else if law == laws::HANDLES.name || law == laws::BOOKKEEPING.name {
        "Scratch was laid out without looking whether it is large enough for its bookkeeping words."
    } else if law == laws::MEMORY.name && field == "stray" {
        "A byte before the beginning of a backing was written: an offset was computed that lies below it."
    } else if law == laws::MEMORY.name {
        "Bytes of a backing are not what was last written there: something was left over, or written in passing."
    } else {
        return None;
    };
    Some(words)
}
