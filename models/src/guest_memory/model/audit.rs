//! The state laws: what an audit asks to be shown, and how it is judged. What is not shown is not judged.

use super::super::laws::{FLAT_MEMORY, MEMORY_SIZE};
use super::super::outcome::View;
use super::super::setup::{DeviceSetup, MAX_DEVICES};
use super::access::Layout;
use super::flat_memory::FlatMemory;
use crate::{Depth, Verdict};

/// Memories up to this size are shown whole by a full audit, in bytes.
const WHOLE_LIMIT_BYTES: u64 = 1 << 16;
/// A full audit of a larger memory asks for at most this many bytes.
const RANGES_LIMIT_BYTES: u64 = 1 << 20;

/// Asks for what the depth calls for. A sample is the memory's size alone, which subjects always show.
pub(super) fn survey(layout: &Layout, memory: &FlatMemory, depth: Depth, view: &mut View) {
    view.dump_wanted = false;
    view.ranges_wanted.clear();
    view.dump = None;
    view.bytes.clear();
    view.memory_size = None;
    match depth {
        Depth::Sample => {}
        Depth::Full if layout.memory_size <= WHOLE_LIMIT_BYTES && !layout.contract.no_dump => view.dump_wanted = true,
        Depth::Full => want_touched(layout, memory, &mut view.ranges_wanted),
    }
}

/// Judges what was shown.
pub(super) fn audit(layout: &Layout, memory: &FlatMemory, view: &View) -> Verdict {
    if view.memory_size.is_some_and(|size| size != layout.memory_size) {
        return Verdict::diverge(&MEMORY_SIZE, "state");
    }
    if let Some(dump) = &view.dump {
        if dump.len() as u64 != layout.memory_size {
            return Verdict::diverge(&MEMORY_SIZE, "state");
        }
        if let Some(offset) = memory.first_difference(0, dump) {
            return Verdict::diverge_at(&FLAT_MEMORY, "state", layout.ram.address(offset));
        }
    }
    if view.bytes.is_empty() {
        return Verdict::Agree;
    }
    let mut shown = view.bytes.as_slice();
    for &(address, length) in &view.ranges_wanted {
        let Some((bytes, rest)) = shown.split_at_checked(length as usize) else {
            return Verdict::diverge_at(&FLAT_MEMORY, "state", address + shown.len() as u64);
        };
        let start = layout.offset(address);
        if let Some(offset) = memory.first_difference(start, bytes) {
            return Verdict::diverge_at(&FLAT_MEMORY, "state", address + (offset - start));
        }
        shown = rest;
    }
    if shown.is_empty() { Verdict::Agree } else { Verdict::diverge(&FLAT_MEMORY, "state") }
}

/// Wants the lines that were written and their neighbours: a store that went astray mostly lands beside the right
/// place.
fn want_touched(layout: &Layout, memory: &FlatMemory, ranges: &mut Vec<(u64, u32)>) {
    let mut left = RANGES_LIMIT_BYTES;
    memory.visit_touched(|offset, length| {
        let length = length.min(left);
        left -= length;
        layout.ram.visit(offset, length, |address, length| {
            want_outside_devices(layout, address, address + length, ranges);
        });
    });
    ranges.sort_unstable();
    // Devices lie between ranges that do not meet, so joining those that do covers none.
    ranges.dedup_by(|next, before| {
        let meet = before.0 + u64::from(before.1) == next.0;
        if meet {
            before.1 += next.1;
        }
        meet
    });
}

fn want_outside_devices(layout: &Layout, address: u64, end: u64, ranges: &mut Vec<(u64, u32)>) {
    let mut low = address;
    let mut devices = [DeviceSetup { base: u64::MAX, size: 0, faulty_register: None }; MAX_DEVICES];
    devices[..layout.devices.len()].copy_from_slice(&layout.devices);
    devices.sort_unstable_by_key(|device| device.base);
    for device in &devices {
        want(low, device.base.min(end), ranges);
        low = low.max(device.end());
    }
    want(low, end, ranges);
}

fn want(low: u64, high: u64, ranges: &mut Vec<(u64, u32)>) {
    if low < high {
        let length = u32::try_from(high - low).expect("a run of lines lies within one page");
        ranges.push((low, length));
    }
}
