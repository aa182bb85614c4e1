//! What is probably wrong, from the ops and the failure alone.

use crate::finding::{Cause, FaultClass, Step};
use crate::rig::{Incident, Words as _};
use memtwin_models::Law;
use memtwin_models::guest_memory::{GuestMemory, Op, Setup, laws};

pub(super) fn diagnose(incident: &Incident<'_, GuestMemory>) -> Option<String> {
    let setup = incident.setup;
    let op = incident.ops.last();
    let range = op.and_then(Op::range);
    match (&incident.failure.cause, incident.failure.step) {
        (Cause::Fault(fault), Step::Op(_)) => {
            let (start, length) = range?;
            let inside = fault.address.is_some_and(|address| address.wrapping_sub(start) < length);
            if inside {
                return Some(format!(
                    "The fault address {:#x} lies within the op's guest range. Probably the guest physical address \
                     was used as a host pointer, for example by a default method of a trait that dereferences guest \
                     addresses and that this implementation does not override.",
                    fault.address.unwrap_or_default()
                ));
            }
            let wraps = start.checked_add(length).is_none();
            (fault.class == FaultClass::Panic && wraps).then(|| {
                format!(
                    "The range {start:#x} + {length} wraps around the end of the address space. Probably a bound \
                     check adds without looking for overflow and lets it pass, and what follows indexes out of bounds."
                )
            })
        }
        (Cause::Fault(fault), Step::Construct) => (fault.class == FaultClass::Panic).then(|| {
            let (bytes, part) = (setup.memory_size, setup.shard_size());
            if bytes < 15 * part {
                format!(
                    "Building a memory of {bytes} bytes failed. If it is divided into equal parts whose size is \
                     rounded up, the last part's size is probably below zero: of 16 parts 15 would have {part} bytes \
                     each, and {bytes} - {} are left.",
                    15 * part
                )
            } else {
                format!("Building a memory of {bytes} bytes failed.")
            }
        }),
        (Cause::Fault(_), Step::Teardown) => Some(
            "The process died while the memory was given back. Probably the backing is freed by an allocator that did \
             not make it: a mapping must be unmapped, not passed to free."
                .to_owned(),
        ),
        (Cause::Fault(_), Step::Audit) => None,
        (Cause::Law { place, .. }, _) => law_diagnosis(setup, incident.ops, incident.law?, *place),
    }
}

fn law_diagnosis(setup: &Setup, ops: &[Op], law: &Law, place: Option<u64>) -> Option<String> {
    let range = || ops.last().and_then(Op::range);
    match *law {
        laws::RESERVATION => reservation_diagnosis(ops),
        laws::DEVICE_CALLS => Some(device_diagnosis(setup, range()?).to_owned()),
        laws::BOUNDS => bounds_diagnosis(setup, range()?),
        laws::FLAT_MEMORY | laws::DUMP => byte_diagnosis(setup, ops, place?),
        _ => None,
    }
}

/// Why a byte is not what was written there.
fn byte_diagnosis(setup: &Setup, ops: &[Op], place: u64) -> Option<String> {
    if let Some((index, op)) = failed_store(setup, ops, place) {
        return Some(format!(
            "Op {index}, {}, must fail and change nothing. Probably it stored what fits before it failed: {place:#x} \
             lies in its range. Check the whole range before the first byte moves.",
            GuestMemory::op_words(op)
        ));
    }
    let shard_size = setup.shard_size();
    let (start, _) = ops.last().and_then(Op::range).unwrap_or((0, 0));
    let crosses = start / shard_size.max(1) != place / shard_size.max(1);
    if shard_size == 0 || place == 0 || !crosses || !place.is_multiple_of(shard_size) {
        return None;
    }
    let page = if place.is_multiple_of(4096) { "; it is a border of pages, too" } else { "" };
    Some(format!(
        "The bytes are right up to {place:#x} and wrong from there. That is {} × {shard_size:#x}, a sixteenth of \
         memory{page}. If memory is kept in parts, what crosses this border probably goes on at the wrong place, or \
         not at all.",
        place / shard_size
    ))
}

/// Why an access succeeded, or failed, that must not.
fn bounds_diagnosis(setup: &Setup, (start, length): (u64, u64)) -> Option<String> {
    let Some(end) = start.checked_add(length) else {
        return Some(format!(
            "The range {start:#x} + {length} wraps around the end of the address space. Probably a bound check adds \
             without looking for overflow and lets it pass."
        ));
    };
    let meets_device = setup.devices.iter().any(|device| device.base < end && start < device.end());
    if meets_device {
        return Some(device_diagnosis(setup, (start, length)).to_owned());
    }
    if !setup.is_flat() {
        return Some(
            "RAM lies in several ranges here. Probably a bound check takes the size for the end, adds a base where \
             there is a hole, or takes ranges that meet for strangers."
                .to_owned(),
        );
    }
    let over = end.checked_sub(setup.memory_size).filter(|over| *over != 0);
    over.map(|over| {
        format!(
            "The range ends {over:#x} bytes beyond the end of memory. The bound check must compare the range's end, \
             not its start, and let it pass up to the end of memory and no further."
        )
    })
}

/// The last earlier write that must fail and whose range holds this place.
fn failed_store<'a>(setup: &Setup, ops: &'a [Op], place: u64) -> Option<(usize, &'a Op)> {
    let (_, earlier) = ops.split_last()?;
    earlier.iter().enumerate().rev().find(|(_, op)| {
        let (Op::Write { .. } | Op::WriteBulk { .. }, Some((start, length))) = (op, op.range()) else { return false };
        let end = start.saturating_add(length);
        let mixes = |device: &memtwin_models::guest_memory::DeviceSetup| {
            device.base < end && start < device.end() && !(device.base <= start && end <= device.end())
        };
        (start..end).contains(&place) && (setup.is_flat() && setup.memory_size < end || setup.devices.iter().any(mixes))
    })
}

/// Why a store-conditional answered wrongly, from the ops before it.
fn reservation_diagnosis(ops: &[Op]) -> Option<String> {
    let (Op::StoreConditional { owner, address, size, .. }, earlier) = ops.split_last()? else { return None };
    let own_load = |(index, op): (usize, &Op)| {
        if let Op::LoadReserved { owner: other, address, size } = op
            && other == owner
        {
            Some((index, *address, *size))
        } else {
            None
        }
    };
    let load = earlier.iter().enumerate().rev().find_map(own_load);
    let Some((load, reserved, reserved_size)) = load else {
        return Some(
            "This owner never reserved anything. Probably another owner's reservation was taken for its own."
                .to_owned(),
        );
    };
    if (reserved, reserved_size) != (*address, *size) {
        return Some(format!(
            "The owner's last load-reserved is op {load}, at {:#x} with size {reserved_size}. Probably the comparison \
             with this store-conditional is too loose, or an older reservation was kept.",
            reserved.0
        ));
    }
    let line = |address: u64| address / 64;
    let lines = line(address.0)..=line(address.0.saturating_add(u64::from(size.saturating_sub(1))));
    let meets = |op: &Op| match op.range() {
        Some((start, length)) => {
            length != 0 && line(start) <= *lines.end() && *lines.start() <= line(start.saturating_add(length - 1))
        }
        None => matches!(op, Op::Restore { .. } | Op::RestoreDump { .. }),
    };
    let stores = |op: &Op| {
        !matches!(
            op,
            Op::Read { .. }
                | Op::FetchInstruction { .. }
                | Op::LoadReserved { .. }
                | Op::ReadBulk { .. }
                | Op::MemorySize { .. }
                | Op::Dump { .. }
        )
    };
    let between = earlier.iter().enumerate().skip(load + 1);
    match between.rev().find(|(_, op)| stores(op) && meets(op)) {
        Some((index, op)) => Some(format!(
            "Op {index}, {}, touches a 64-byte line of the reservation that op {load} made. If it stored there, it \
             must kill the reservation: otherwise what it stored is lost to the store-conditional (a lost update). If \
             it stored nothing, it must not.",
            GuestMemory::op_words(op)
        )),
        None => Some(format!(
            "Nothing touched the 64-byte lines of the reservation that op {load} made. Probably an op killed a \
             reservation that it should have left alone."
        )),
    }
}

/// What an access and a device may disagree about.
fn device_diagnosis(setup: &Setup, (start, length): (u64, u64)) -> &'static str {
    let end = start.saturating_add(length);
    let is_inside = setup.devices.iter().any(|device| device.base <= start && end <= device.end());
    if is_inside {
        "The access lies in one device, which must see exactly its calls: at the right offset, one of the access's \
         size for a scalar, one for each byte for bulk, ascending, with the value cut to its size, and none after the \
         first error."
    } else {
        "The access touches a device and something else. Whether it belongs to a device must be decided by all its \
         bytes, on the scalar and the bulk path alike; such a mixed access is refused before any device sees it."
    }
}
