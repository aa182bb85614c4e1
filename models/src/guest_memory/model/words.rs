//! What a person reads of the model: sentences and nothing else. Only explaining runs come here; nothing is judged.

use super::super::op::{Op, Owner};
use super::super::setup::DUMP_LIMIT_BYTES;
use super::access::{Refusal, Route};
use super::flat_memory::mask;
use super::{GuestMemoryModel, payload_of};
use crate::Payload;
use std::fmt::Write as _;

/// The bytes of a bulk transfer that a sentence shows.
const SHOWN_BYTES: usize = 16;

/// What the model allows for an op in its present state.
pub(super) fn allowed(model: &GuestMemoryModel, op: &Op) -> String {
    match *op {
        Op::Read { address, size, .. } => load(model, model.layout.scalar(address.0, size), address.0, size),
        Op::FetchInstruction { address, .. } => load(model, model.layout.scalar(address.0, 4), address.0, 4),
        Op::Write { address, value, size, .. } => {
            store(model, model.layout.scalar(address.0, size), address.0, value, size)
        }
        Op::LoadReserved { address, size, .. } => {
            let text = load(model, model.layout.reserved(address.0, size), address.0, size);
            or_skipped(text, model.layout.contract.no_reservations)
        }
        Op::StoreConditional { owner, address, size, .. } => {
            let text = store_conditional(model, owner, address.0, size);
            or_skipped(text, model.layout.contract.no_reservations)
        }
        Op::InvalidateReservation { address, size, .. } => or_skipped(
            format!("Ok: reservations of the lines of the {} at {:#x} are gone", count(size.into()), address.0),
            model.layout.contract.no_reservations,
        ),
        Op::ReadBulk { address, length, .. } => read_bulk(model, address.0, length.bytes()),
        Op::WriteBulk { address, seed, length, .. } => write_bulk(model, address.0, payload_of(seed, length)),
        Op::MemorySize { .. } => format!("Ok({:#x}): the size of the memory", model.layout.memory_size),
        Op::Dump { .. } => whole_memory(model, dump(model)),
        Op::Restore { payload, .. } => whole_memory(model, restore(model, payload)),
        Op::MapDevice { device, base, .. } => {
            let can = model.layout.can_map(device.index(), base.0);
            let place = format!("device {} at {:#x}", device.index(), base.0);
            let text = if can { format!("Ok: {place} answers") } else { format!("an error: {place} has no room") };
            or_skipped(text, skips_devices(model))
        }
        Op::UnmapDevice { device, .. } => {
            let is_mapped = model.layout.is_mapped(device.index());
            let what = format!("device {}", device.index());
            let text =
                if is_mapped { format!("Ok: {what} is gone") } else { format!("an error: {what} is not mapped") };
            or_skipped(text, skips_devices(model))
        }
        Op::DirtyLog { .. } => dirty_log(model, ""),
        Op::TakeDirtyLog { .. } => dirty_log(model, ", and the log is empty then"),
        Op::DumpDirty { .. } => dirty_log(
            model,
            "; they are in the image and the log is empty then, or it is an error where the image \
                                                 refuses a write, and the log stays",
        ),
        Op::AtomicLoad { address, size, .. } => {
            let text = load(model, model.layout.atomic(address.0, size), address.0, size);
            or_skipped(text + host_alignment(model), model.layout.contract.no_atomics)
        }
        Op::AtomicStore { address, value, size, .. } => {
            let text = store(model, model.layout.atomic(address.0, size), address.0, value, size);
            or_skipped(text + host_alignment(model), model.layout.contract.no_atomics)
        }
        Op::CompareExchange { address, expected, size, .. } => {
            let text = compare_exchange(model, address.0, expected, size);
            let contract = &model.layout.contract;
            or_skipped(text + host_alignment(model), contract.no_atomics || contract.no_compare_exchange)
        }
        Op::RestoreDump { .. } => {
            whole_memory(model, "Ok: the memory stays as it is; no reservation is left".to_string())
        }
    }
}

fn load(model: &GuestMemoryModel, route: Route, address: u64, size: u8) -> String {
    match route {
        Route::Memory | Route::Open => {
            let value = model.memory.load(model.layout.offset(address), size);
            format!("Ok({value:#x}): the {} at {address:#x}", count(size.into()))
        }
        Route::Device { index, offset } => {
            let call = model.devices.clone().read(index, offset, size);
            let place = format!("one read of {} at offset {offset:#x} of device {index}", count(size.into()));
            if call.failed { device_fault(&place) } else { format!("Ok({:#x}): the answer to {place}", call.value) }
        }
        Route::Refused(refusal) => refused(model, refusal, address, size.into()),
    }
}

fn store(model: &GuestMemoryModel, route: Route, address: u64, value: u64, size: u8) -> String {
    match route {
        Route::Memory | Route::Open => {
            format!("Ok: the {} at {address:#x} become {value:#x}, truncated to that size", count(size.into()))
        }
        Route::Device { index, offset } => {
            let call = model.devices.clone().write(index, offset, size, value & mask(size));
            let bytes = count(size.into());
            let place = format!("one write of {:#x}, {bytes}, at offset {offset:#x} of device {index}", call.value);
            if call.failed { device_fault(&place) } else { format!("Ok: {place}") }
        }
        Route::Refused(refusal) => refused(model, refusal, address, size.into()),
    }
}

fn compare_exchange(model: &GuestMemoryModel, address: u64, expected: u64, size: u8) -> String {
    match model.layout.atomic(address, size) {
        Route::Refused(refusal) => refused(model, refusal, address, size.into()),
        Route::Memory | Route::Device { .. } | Route::Open => {
            let before = model.memory.load(model.layout.offset(address), size);
            let expected = expected & mask(size);
            if before == expected {
                format!("Ok({before:#x}), and it stores: that is what is expected at {address:#x}")
            } else {
                format!("Ok({before:#x}), and it stores nothing: {expected:#x} is expected at {address:#x}")
            }
        }
    }
}

/// What the log must hold, and may.
fn dirty_log(model: &GuestMemoryModel, then: &str) -> String {
    if !model.dirty.is_on() {
        return "Skipped: the setup has no dirty log".to_owned();
    }
    let written = model.dirty.in_log().filter(|(_, is_written)| *is_written).count();
    let named = model.dirty.in_log().count() - written;
    let first = model.dirty.in_log().find(|(_, is_written)| *is_written);
    let first = first.map_or(String::new(), |(address, _)| format!(", the first at {address:#x}"));
    let extra = if model.layout.contract.dirty_extra { ", and any other" } else { "" };
    let written = counted(written as u64, "written page");
    let named = match named {
        0 => String::new(),
        _ => format!("; perhaps {} more that a store named", counted(named as u64, "page")),
    };
    format!("Ok: {written}{first}{named}{extra}{then}")
}

/// What alignment in the host may change.
fn host_alignment(model: &GuestMemoryModel) -> &'static str {
    if model.layout.contract.host_alignment { "; or Err(AlignmentFault) by the host's alignment" } else { "" }
}

fn skips_devices(model: &GuestMemoryModel) -> bool {
    model.layout.contract.fixed_devices || model.layout.contract.no_devices
}

fn store_conditional(model: &GuestMemoryModel, owner: Owner, address: u64, size: u8) -> String {
    let cpu = owner.index();
    if let Route::Refused(refusal) = model.layout.reserved(address, size) {
        return refused(model, refusal, address, size.into());
    }
    let answers = model.reservations.answers(&model.layout.contract, owner, address, size);
    let answer = match (answers.may_store, answers.may_fail) {
        (true, false) => "Ok(true)",
        (true, true) => "Ok(true) or Ok(false)",
        (false, _) => "Ok(false)",
    };
    match model.reservations.of(owner) {
        Some(held) if held.address == address && held.size == size => {
            format!("{answer}: vCPU {cpu} holds a reservation of {address:#x} with size {size}")
        }
        Some(held) => format!(
            "{answer}: vCPU {cpu} has no reservation of {address:#x} with size {size}, but one of {:#x} with size {}",
            held.address, held.size
        ),
        None => format!("{answer}: vCPU {cpu} has no reservation of {address:#x} with size {size}"),
    }
}

fn read_bulk(model: &GuestMemoryModel, address: u64, length: u32) -> String {
    match model.layout.bulk(address, length) {
        Route::Memory => {
            let mut shown = [0; SHOWN_BYTES];
            let shown = &mut shown[..SHOWN_BYTES.min(length as usize)];
            model.copy_to(address, shown);
            format!("Ok: {} at {address:#x}{}", count(length.into()), beginning(shown))
        }
        Route::Device { index, offset } => {
            let mut devices = model.devices.clone();
            devices.read_bytes(index, offset, length);
            let answers: Vec<u8> =
                devices.calls().iter().take(SHOWN_BYTES).map(|call| call.value.to_le_bytes()[0]).collect();
            device_bytes(model, "read", index, offset, length, &answers)
        }
        Route::Open => format!("Ok, or {}", refused(model, Refusal::Range, address, 0)),
        Route::Refused(refusal) => refused_transfer(model, refusal, address, length),
    }
}

/// A refused transfer, and what of it may have been moved.
fn refused_transfer(model: &GuestMemoryModel, refusal: Refusal, address: u64, length: u32) -> String {
    let text = refused(model, refusal, address, length.into());
    match model.layout.fitting(address, length) {
        fitting if fitting != 0 && model.layout.contract.partial_bulk => {
            format!("{text}; of what fits, {}, any may have been moved", count(fitting.into()))
        }
        _ => text,
    }
}

fn write_bulk(model: &GuestMemoryModel, address: u64, bytes: &[u8]) -> String {
    let length = u32::try_from(bytes.len()).expect("a transfer is at most 65536 bytes");
    let shown = &bytes[..SHOWN_BYTES.min(bytes.len())];
    match model.layout.bulk(address, length) {
        Route::Memory => format!("Ok: stores {} at {address:#x}{}", count(length.into()), beginning(shown)),
        Route::Device { index, offset } => device_bytes(model, "write", index, offset, length, shown),
        Route::Open => format!("Ok, or {}", refused(model, Refusal::Range, address, 0)),
        Route::Refused(refusal) => refused_transfer(model, refusal, address, length),
    }
}

fn device_bytes(model: &GuestMemoryModel, verb: &str, index: u8, offset: u64, length: u32, shown: &[u8]) -> String {
    match model.layout.calls_before_fault(index, offset, length) {
        Some(calls) => device_fault(&format!(
            "the last of {} of a byte each from offset {offset:#x} of device {index}",
            counted(calls + 1, verb)
        )),
        None => format!(
            "Ok: {} of a byte each from offset {offset:#x} of device {index}{}",
            counted(length.into(), verb),
            beginning(shown)
        ),
    }
}

fn dump(model: &GuestMemoryModel) -> String {
    let size = model.layout.memory_size;
    let mut shown = [0; SHOWN_BYTES];
    let shown = &mut shown[..usize::try_from(size).unwrap_or(SHOWN_BYTES).min(SHOWN_BYTES)];
    model.memory.copy_to(0, shown);
    format!("Ok: a dump of {}{}", count(size), beginning(shown))
}

fn restore(model: &GuestMemoryModel, payload: Payload) -> String {
    let size = model.layout.memory_size;
    if u64::from(payload.length) == size {
        "Ok: the bytes replace the whole memory; no reservation is left".to_string()
    } else {
        format!("an error: {} cannot replace a memory of {size:#x}", count(payload.length.into()))
    }
}

/// What dump and restore allow, which end at a limit.
fn whole_memory(model: &GuestMemoryModel, text: String) -> String {
    let size = model.layout.memory_size;
    if DUMP_LIMIT_BYTES < size {
        return format!("Skipped: dump and restore end at {DUMP_LIMIT_BYTES:#x} bytes, the memory has {size:#x}");
    }
    or_skipped(text, model.layout.contract.no_dump)
}

fn refused(model: &GuestMemoryModel, refusal: Refusal, address: u64, length: u64) -> String {
    let size = model.layout.memory_size;
    let range_error = if model.layout.contract.range_error_is_page_fault {
        "Err(InvalidAddress) or Err(PageFault)"
    } else {
        "Err(InvalidAddress)"
    };
    let device = |index: u8| {
        let device = model.layout.devices[usize::from(index)];
        format!("device {index} at {:#x} to {:#x}", device.base, device.end())
    };
    match refusal {
        Refusal::Size => format!("Err(AlignmentFault): the size is {length}"),
        Refusal::Misaligned => format!("Err(AlignmentFault): {address:#x} is not a multiple of {length}"),
        Refusal::Overflow => {
            format!("{range_error}: {address:#x} + {} is beyond the address space", count(length))
        }
        Refusal::Range => {
            format!("{range_error}: {address:#x} + {} is beyond the memory's end {size:#x}", count(length))
        }
        Refusal::Mixed(index) => format!(
            "an error and no device call: the {} at {address:#x} lie only partly in {}",
            count(length),
            device(index)
        ),
        Refusal::ReservedDevice(index) => {
            format!("an error and no device call: {} knows no reservations and no atomic accesses", device(index))
        }
        Refusal::DeviceFault => device_fault("the access"),
    }
}

fn device_fault(calls: &str) -> String {
    format!("an error: the device fails {calls}")
}

fn or_skipped(text: String, skipping_is_allowed: bool) -> String {
    if skipping_is_allowed { text + "; or Skipped" } else { text }
}

fn beginning(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        let lead = if index == 0 { ", beginning" } else { "" };
        write!(text, "{lead} {byte:02x}").expect("writing to a string succeeds");
    }
    text
}

fn count(bytes: u64) -> String {
    counted(bytes, "byte")
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
