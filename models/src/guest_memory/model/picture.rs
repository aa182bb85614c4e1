//! The model as a picture: shards, devices, reservations and the bytes at the op's address. Only explaining runs come
//! here; nothing is judged.

use super::super::op::{OWNERS, Op, OpKind, Owner};
use super::super::outcome::{Outcome, POISON, Seen, View};
use super::super::setup::{DUMP_LIMIT_BYTES, SHARDS};
use super::GuestMemoryModel;
use super::access::Route;
use super::ram::Run;
use crate::picture::{ByteRows, Layers, Mark, Panel, Picture, Row, Tone};

/// Bytes in a row of the table of bytes.
const ROW_BYTES: u64 = 16;
/// Pages of the dirty log that are shown.
const LOG_ROWS: usize = 8;
/// Rows of the table of bytes.
const BYTE_ROWS: u64 = 4;

/// The state before an op.
pub(super) fn picture(model: &GuestMemoryModel, op: Option<&Op>) -> Picture {
    let memory = if model.layout.is_flat { memory(model, op) } else { runs(model, op) };
    let mut panels = vec![memory, reservations(model, op), bytes(model, op)];
    panels.extend(model.dirty.is_on().then(|| dirty_pages(model)));
    Picture { panels }
}

/// The dirty log.
fn dirty_pages(model: &GuestMemoryModel) -> Panel {
    let mut rows: Vec<Row> = Vec::new();
    let mut left = 0;
    for (address, is_written) in model.dirty.in_log() {
        let (tone, state) = if is_written { (Tone::Live, "written") } else { (Tone::Plain, "named by a store") };
        if rows.len() < LOG_ROWS {
            rows.push(Row::new(tone, [format!("{address:#x}"), state.to_owned()]));
        } else {
            left += 1;
        }
    }
    if left != 0 {
        rows.push(Row::new(Tone::Plain, [format!("and {left} pages more"), String::new()]));
    }
    Panel::table("the dirty log, by the model", &["page", "since the log was cleared"], rows)
}

/// The bytes that an op shows.
pub(super) fn byte_rows(model: &GuestMemoryModel, op: &Op, seen: &Outcome) -> Option<ByteRows> {
    let scalar = |route: Route, address: u64, size: u8| {
        let (Seen::Value(value) | Seen::Exchanged { before: value, .. }) = seen.result else { return None };
        if !matches!(route, Route::Memory | Route::Open) {
            return None;
        }
        let seen = value.to_le_bytes()[..usize::from(size)].to_vec();
        Some(ByteRows { start: address, allowed: of_memory(model, address, seen.len()), seen })
    };
    match *op {
        Op::Read { address, size, .. } => scalar(model.layout.scalar(address.0, size), address.0, size),
        Op::FetchInstruction { address, .. } => scalar(model.layout.scalar(address.0, 4), address.0, 4),
        Op::LoadReserved { address, size, .. } => scalar(model.layout.reserved(address.0, size), address.0, size),
        Op::AtomicLoad { address, size, .. } | Op::CompareExchange { address, size, .. } => {
            scalar(model.layout.atomic(address.0, size), address.0, size)
        }
        Op::ReadBulk { address, length, .. } => {
            let answer = seen.result;
            let seen = seen.buffer_bytes()[..length.bytes() as usize].to_vec();
            let route = model.layout.bulk(address.0, length.bytes());
            if model.layout.bulk_read_fails(route, length.bytes()) && matches!(answer, Seen::Error(_)) {
                // What the caller's buffer held before.
                return Some(ByteRows { start: address.0, allowed: vec![POISON; seen.len()], seen });
            }
            if answer != Seen::Done {
                return None;
            }
            let allowed = match route {
                Route::Memory => of_memory(model, address.0, seen.len()),
                Route::Device { index, offset } => {
                    let mut devices = model.devices.clone();
                    devices.read_bytes(index, offset, length.bytes());
                    devices.calls().iter().map(|call| call.value.to_le_bytes()[0]).collect()
                }
                Route::Open | Route::Refused(_) => return None,
            };
            Some(ByteRows { start: address.0, allowed, seen })
        }
        Op::Dump { .. } if seen.result == Seen::Done && model.layout.memory_size <= DUMP_LIMIT_BYTES => {
            Some(ByteRows { start: model.layout.ram.address(0), allowed: whole(model), seen: seen.dump.clone() })
        }
        Op::Write { .. }
        | Op::StoreConditional { .. }
        | Op::InvalidateReservation { .. }
        | Op::WriteBulk { .. }
        | Op::MemorySize { .. }
        | Op::Dump { .. }
        | Op::Restore { .. }
        | Op::RestoreDump { .. }
        | Op::MapDevice { .. }
        | Op::UnmapDevice { .. }
        | Op::AtomicStore { .. }
        | Op::DirtyLog { .. }
        | Op::TakeDirtyLog { .. }
        | Op::DumpDirty { .. } => None,
    }
}

/// The bytes of the state that differ.
pub(super) fn state_rows(model: &GuestMemoryModel, view: &View) -> Option<ByteRows> {
    let rows = |start, allowed: Vec<u8>, seen: &[u8]| {
        let rows = ByteRows { start, allowed, seen: seen.to_vec() };
        (rows.allowed != rows.seen).then_some(rows)
    };
    let dump = view.dump.as_ref().and_then(|dump| rows(model.layout.ram.address(0), whole(model), dump));
    dump.or_else(|| {
        let mut shown = view.bytes.as_slice();
        view.ranges_wanted.iter().find_map(|&(start, length)| {
            let (bytes, rest) = shown.split_at_checked(length as usize)?;
            shown = rest;
            rows(start, of_memory(model, start, bytes.len()), bytes)
        })
    })
}

/// So many bytes of RAM, or as many as there are in a row.
fn of_memory(model: &GuestMemoryModel, address: u64, length: usize) -> Vec<u8> {
    let end = model.layout.ram.run_from_below(address).map_or(0, Run::end);
    let length = end.saturating_sub(address).min(length as u64);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    model.copy_to(address, &mut bytes);
    bytes
}

/// All bytes, in the order of a dump.
fn whole(model: &GuestMemoryModel) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(model.layout.memory_size).unwrap_or(0)];
    model.memory.copy_to(0, &mut bytes);
    bytes
}

/// Runs of RAM, devices, and what the op asks for.
fn runs(model: &GuestMemoryModel, op: Option<&Op>) -> Panel {
    let mut layers = Layers::new("no memory is here");
    for (index, run) in model.layout.ram.runs().enumerate() {
        layers.lay(run.base, run.bytes, Tone::Plain, format!("RAM, run {index}, {:#x} bytes", run.bytes));
    }
    lay_devices(model, op, &mut layers);
    layers.into_map("guest physical memory", Vec::new())
}

fn lay_devices(model: &GuestMemoryModel, op: Option<&Op>, layers: &mut Layers) {
    let mapped = model.layout.devices.iter().enumerate().filter(|(_, device)| device.size != 0);
    for (index, device) in mapped {
        layers.lay(device.base, device.size.into(), Tone::Guarded, format!("device {index}"));
    }
    if let Some((op, (address, length))) = op.and_then(|op| Some((op, op.range()?))) {
        layers.ask(address, length, OpKind::NAMES[op.kind() as usize]);
    }
}

/// Shards that were written to, runs of those that were not, devices, and what the op asks for.
fn memory(model: &GuestMemoryModel, op: Option<&Op>) -> Panel {
    let (size, shard_size) = (model.layout.memory_size, model.layout.shard_size);
    let mut is_written = vec![false; usize::try_from(SHARDS).unwrap_or(0)];
    model.memory.visit_touched(|address, length| {
        for shard in address / shard_size..=(address + length - 1) / shard_size {
            if let Some(is_written) = usize::try_from(shard).ok().and_then(|shard| is_written.get_mut(shard)) {
                *is_written = true;
            }
        }
    });
    let mut layers = Layers::new("no memory is here");
    let asked = op.and_then(Op::range).map_or(0..0, |(address, length)| address..address.saturating_add(length));
    let begin = |shard: usize| (shard as u64 * shard_size).min(size);
    let mut shard = 0;
    while shard < is_written.len() {
        let is_plain =
            |shard: &usize| !is_written[*shard] && (asked.end <= begin(*shard) || begin(*shard + 1) <= asked.start);
        let run = (shard..is_written.len()).take_while(is_plain).count().max(1);
        let next = shard + run;
        let (tone, state) =
            if is_written[shard] { (Tone::Live, "written to") } else { (Tone::Plain, "never written to") };
        let name = if run == 1 { format!("shard {shard}") } else { format!("shards {shard} to {}", next - 1) };
        layers.lay(begin(shard), begin(next) - begin(shard), tone, format!("{name}, {state}"));
        shard = next;
    }
    lay_devices(model, op, &mut layers);
    let end = Mark { at: size, label: "memory ends".to_owned(), tone: Tone::Plain };
    layers.into_map("guest physical memory", vec![end])
}

fn reservations(model: &GuestMemoryModel, op: Option<&Op>) -> Panel {
    let asks = |owner: Owner| match op {
        Some(Op::LoadReserved { owner: asking, .. } | Op::StoreConditional { owner: asking, .. }) => *asking == owner,
        Some(_) | None => false,
    };
    let rows = (0..OWNERS).map(|index| {
        let owner = Owner::new_folded(index);
        let held = model.reservations.of(owner);
        let tone = match held {
            _ if asks(owner) => Tone::Asked,
            Some(_) => Tone::Live,
            None => Tone::Absent,
        };
        let (address, size) = match held {
            Some(held) => (format!("{:#x}", held.address), held.size.to_string()),
            None => ("none".to_owned(), String::new()),
        };
        Row::new(tone, [format!("vCPU {index}"), address, size])
    });
    Panel::table("live reservations", &["owner", "address", "size"], rows.collect())
}

/// What memory holds where the op asks.
fn bytes(model: &GuestMemoryModel, op: Option<&Op>) -> Panel {
    let (address, length) = op.and_then(Op::range).unwrap_or((0, 0));
    let run_end = model.layout.ram.run_from_below(address).map_or(0, Run::end);
    let end = address.saturating_add(length).min(run_end);
    let mut rows = Vec::new();
    let mut start = address;
    while start < end && (rows.len() as u64) < BYTE_ROWS {
        let row = of_memory(model, start, usize::try_from(ROW_BYTES.min(end - start)).unwrap_or(0));
        let words: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        rows.push(Row::new(Tone::Asked, [format!("{start:#x}"), words.join(" ")]));
        start += ROW_BYTES;
    }
    if start < end {
        rows.push(Row::new(Tone::Plain, [format!("and {} bytes more", end - start), String::new()]));
    }
    Panel::table("memory at the op's address, by the model", &["address", "bytes"], rows)
}
