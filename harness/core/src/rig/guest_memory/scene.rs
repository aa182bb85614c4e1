//! What a person should see of a guest-memory divergence: where the byte lies, which writes reached it, which write the
//! wrong bytes came from.

use super::diagnosis;
use super::words;
use crate::rig::{Explain, Incident, Scene, Words as _};
use memtwin_models::guest_memory::{DIRTY_PAGE_BYTES, GuestMemory, Op, POISON, Seen, Setup, View, laws};
use std::fmt::Write as _;

/// How many wrong bytes are matched against earlier writes.
const PROBE_BYTES: usize = 8;

impl Explain for GuestMemory {
    fn scene(scene: &Scene<'_, GuestMemory>) -> Vec<String> {
        let law = scene.divergence.law;
        let at_memory = [laws::FLAT_MEMORY.name, laws::DUMP.name, laws::DIRTY.name].contains(&law);
        let range = scene.ops.last().and_then(Op::range).filter(|_| scene.view.is_none());
        let place = if at_memory { scene.divergence.place } else { None };
        let mut lines = Vec::new();
        if let Some(address) = place.filter(|_| scene.divergence.field == "log") {
            lines.extend(page_told(scene, address));
        } else if let Some(address) = place {
            lines.push(format!("first wrong byte: {}", location(scene.setup, address)));
            lines.extend(provenance(scene, address));
        }
        if law == laws::DEVICE_CALLS.name && scene.divergence.field == "device_calls" {
            lines.extend(calls_round(scene));
        }
        if let Some(focus) = place.or(range.map(|(address, _)| address)) {
            lines.extend(map(scene.setup, focus, range));
        }
        lines
    }

    /// What the audit saw.
    fn state_words(scene: &Scene<'_, GuestMemory>) -> String {
        match scene.divergence.place {
            Some(address) => format!("memory holds another byte at {}", location(scene.setup, address)),
            None => "memory is not as it should be".to_owned(),
        }
    }

    fn diagnose(incident: &Incident<'_, GuestMemory>) -> Option<String> {
        diagnosis::diagnose(incident)
    }
}

/// What became of a page that should be in the log, or should not.
fn page_told(scene: &Scene<'_, GuestMemory>, page: u64) -> Vec<String> {
    let is_shown = scene.seen.pages.contains(&page) || !scene.seen.page_writes.is_empty();
    let what = if is_shown { "is in the log, and no store named it" } else { "is missing in the log" };
    let mut lines = vec![format!("the page at {page:#x} {what} since the log was emptied")];
    let meets = |op: &Op| {
        store_bytes(op, op.range().map_or(0, |(address, _)| address), 1).is_some()
            && op.range().is_none_or(|(address, length)| {
                address <= page | (DIRTY_PAGE_BYTES - 1) && page < address.saturating_add(length)
            })
    };
    let stores = scene.ops.iter().enumerate().take(scene.succeeded.len());
    let last = { stores }.rev().find(|(index, op)| scene.succeeded[*index] && meets(op));
    lines.extend(last.map(|(index, op)| format!("last store there: op {index}, {}", GuestMemory::op_words(op))));
    lines
}

/// The device calls round the first that differs.
fn calls_round(scene: &Scene<'_, GuestMemory>) -> Vec<String> {
    const SHOWN_BEFORE: usize = 2;
    let Some(index) = scene.divergence.place.and_then(|place| usize::try_from(place).ok()) else { return Vec::new() };
    let calls = &scene.seen.device_calls;
    let numbered = calls.iter().enumerate().skip(index.saturating_sub(SHOWN_BEFORE)).take(SHOWN_BEFORE + 2);
    let mut lines = vec![match calls.get(index) {
        Some(_) => format!("call {index} of {} is the first that differs:", calls.len()),
        None => format!("{} calls were made; call {index} is missing", calls.len()),
    }];
    lines.extend(numbered.map(|(index, call)| format!("call {index}: {}", words::device_call(call))));
    lines
}

/// Where an address lies, in the terms of the setup.
fn location(setup: &Setup, address: u64) -> String {
    if let Some(index) = setup.devices.iter().position(|device| (device.base..device.end()).contains(&address)) {
        let offset = address - setup.devices[index].base;
        return format!("{address:#x}, offset {offset:#x} of device {index}");
    }
    if !setup.is_flat() {
        let index = setup.ram.iter().position(|range| (range.base..range.end()).contains(&address));
        return match index {
            Some(index) => {
                format!("{address:#x}, offset {:#x} of range {index} of RAM", address - setup.ram[index].base)
            }
            None => format!("{address:#x}, which is no RAM"),
        };
    }
    if setup.memory_size <= address {
        return format!("{address:#x}, {:#x} bytes beyond the end of memory", address - setup.memory_size);
    }
    let shard_size = setup.shard_size();
    let (shard, offset) = (address / shard_size, address % shard_size);
    let border = if offset == 0 && shard != 0 { ", exactly on a shard border" } else { "" };
    format!("{address:#x}, offset {offset:#x} of shard {shard}{border}")
}

/// The writes that reached the address, and the one the wrong bytes look like.
fn provenance(scene: &Scene<'_, GuestMemory>, address: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let earlier = || scene.ops.iter().enumerate().take(scene.succeeded.len());
    let covering = earlier().rev().find(|(index, op)| {
        scene.succeeded[*index] && store_bytes(op, address, 1).is_some_and(|bytes| !bytes.is_empty())
    });
    lines.push(match covering {
        Some((index, op)) => format!("last write there: op {index}, {}", GuestMemory::op_words(op)),
        None => "last write there: none, fresh memory is zero".to_owned(),
    });
    let Some(wrong) = wrong_bytes(scene, address) else { return lines };
    lines.push(format!("bytes seen there: {}", words::bytes(&wrong)));
    if wrong.iter().all(|&byte| byte == 0) {
        lines.push("the wrong bytes are zero: what was written there is missing or was lost".to_owned());
        return lines;
    }
    if wrong.iter().all(|&byte| byte == POISON) {
        lines.push("they are what the caller's buffer held before: nothing was copied there".to_owned());
        return lines;
    }
    // Patterns hold no zero: where a short write left its last bytes, zeros follow that are not its own.
    let wrong: Vec<u8> = wrong.into_iter().take_while(|&byte| byte != 0).collect();
    if wrong.is_empty() {
        return lines;
    }
    let source = earlier().rev().find_map(|(index, op)| {
        // A restore begins at address 0 where RAM does.
        let whole = scene.setup.is_flat().then_some((0, scene.setup.memory_size));
        let (start, length) = op.range().or(whole)?;
        let written = store_bytes(op, start, length)?;
        let offset = written.windows(wrong.len()).position(|window| window == wrong)?;
        Some((index, op, start, offset))
    });
    if let Some((index, op, start, offset)) = source {
        let target = start.wrapping_add(offset as u64);
        let fate = if !scene.succeeded[index] {
            ", which failed and should have changed nothing".to_owned()
        } else if target != address {
            format!(", which belong at {target:#x}")
        } else {
            String::new()
        };
        lines.push(format!("they are bytes {offset:#x}.. of op {index}, {}{fate}", GuestMemory::op_words(op)));
    }
    lines
}

/// The bytes that were seen from the address on, the wrong one first.
fn wrong_bytes(scene: &Scene<'_, GuestMemory>, address: u64) -> Option<Vec<u8>> {
    let (start, bytes) = match scene.view {
        Some(view) => shown_at_audit(view, address)?,
        None => seen_by_op(scene)?,
    };
    let offset = usize::try_from(address.checked_sub(start)?).ok()?;
    let bytes = bytes.get(offset..)?;
    Some(bytes[..bytes.len().min(PROBE_BYTES)].to_vec())
}

/// The bytes of the op's answer, and the address of the first.
fn seen_by_op(scene: &Scene<'_, GuestMemory>) -> Option<(u64, Vec<u8>)> {
    let op = scene.ops.last()?;
    match (op, scene.seen.result) {
        (Op::ReadBulk { address, length, .. }, _) => {
            Some((address.0, scene.seen.buffer_bytes()[..length.bytes() as usize].to_vec()))
        }
        (Op::Dump { .. }, _) => Some((0, scene.seen.dump.clone())),
        (_, Seen::Value(value) | Seen::Exchanged { before: value, .. }) => {
            let (address, size) = op.range()?;
            let size = usize::try_from(size).ok()?.min(8);
            Some((address, value.to_le_bytes()[..size].to_vec()))
        }
        (_, Seen::Skipped | Seen::Done | Seen::Stored(_) | Seen::Moved(_) | Seen::Error(_)) => None,
    }
}

/// The bytes of the range that holds the address, and the address of the first.
fn shown_at_audit(view: &View, address: u64) -> Option<(u64, Vec<u8>)> {
    if let Some(dump) = &view.dump {
        return Some((0, dump.clone()));
    }
    let mut offset = 0;
    view.ranges_wanted.iter().find_map(|&(start, length)| {
        let begin = offset;
        offset += length as usize;
        let is_inside = (start..start + u64::from(length)).contains(&address);
        is_inside.then(|| Some((start, view.bytes.get(begin..offset)?.to_vec()))).flatten()
    })
}

/// The bytes that a store op would put into [start, start + length), where the two overlap from `start` on.
fn store_bytes(op: &Op, start: u64, length: u64) -> Option<Vec<u8>> {
    let (base, bytes) = match *op {
        Op::Write { address, value, size, .. }
        | Op::StoreConditional { address, value, size, .. }
        | Op::AtomicStore { address, value, size, .. }
        | Op::CompareExchange { address, value, size, .. } => {
            (address.0, value.to_le_bytes()[..usize::from(size.min(8))].to_vec())
        }
        Op::WriteBulk { address, seed, length, .. } => {
            let payload = memtwin_models::Payload { seed, length: length.bytes() };
            (address.0, payload.bytes()?.to_vec())
        }
        Op::Restore { payload, .. } => {
            let mut bytes = vec![0; payload.length as usize];
            payload.fill(0, &mut bytes);
            (0, bytes)
        }
        Op::Read { .. }
        | Op::FetchInstruction { .. }
        | Op::LoadReserved { .. }
        | Op::InvalidateReservation { .. }
        | Op::ReadBulk { .. }
        | Op::MemorySize { .. }
        | Op::Dump { .. }
        | Op::RestoreDump { .. }
        | Op::MapDevice { .. }
        | Op::UnmapDevice { .. }
        | Op::AtomicLoad { .. }
        | Op::DirtyLog { .. }
        | Op::TakeDirtyLog { .. }
        | Op::DumpDirty { .. } => return None,
    };
    let offset = usize::try_from(start.checked_sub(base)?).ok()?;
    let rest = bytes.get(offset..)?;
    Some(rest[..rest.len().min(usize::try_from(length).unwrap_or(usize::MAX))].to_vec())
}

/// The landmarks round a place, one a line, with the op's range beside them.
fn map(setup: &Setup, focus: u64, range: Option<(u64, u64)>) -> Vec<String> {
    let mut marks: Vec<(u64, String)> = Vec::new();
    for (index, range) in setup.ram.iter().enumerate() {
        marks.push((range.base, format!("range {index} of RAM begins")));
        marks.push((range.end(), format!("range {index} of RAM ends")));
    }
    if setup.is_flat() {
        marks.extend([(0, "memory begins".to_owned()), (setup.memory_size, "memory ends".to_owned())]);
    }
    let shard_size = if setup.is_flat() { setup.shard_size() } else { 0 };
    if let Some(shard) = focus.checked_div(shard_size) {
        for shard in shard.saturating_sub(1)..=shard.saturating_add(1).min(15) {
            if 0 < shard && shard * shard_size < setup.memory_size {
                marks.push((shard * shard_size, format!("shard {shard} begins")));
            }
        }
    }
    for (index, device) in setup.devices.iter().enumerate() {
        marks.push((device.base, format!("device {index} begins")));
        marks.push((device.end(), format!("device {index} ends")));
    }
    if let Some((address, length)) = range {
        marks.push((address, "the op's range begins".to_owned()));
        match address.checked_add(length) {
            Some(end) => marks.push((end, "the op's range ends".to_owned())),
            None => marks.push((u64::MAX, "the op's range goes on beyond the last address".to_owned())),
        }
    }
    marks.push((focus, "◄ here".to_owned()));
    marks.sort();
    let mut lines: Vec<String> = Vec::new();
    let mut previous = None;
    for (address, words) in marks {
        if previous == Some(address) {
            let line = lines.last_mut().expect("the first mark has made a line");
            let _ = write!(line, "; {words}");
        } else {
            lines.push(format!("{address:#18x}  {words}"));
            previous = Some(address);
        }
    }
    lines
}
