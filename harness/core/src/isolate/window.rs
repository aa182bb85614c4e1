//! Guest-address windows: host ranges that a defect may dereference raw. They are reserved without access, so that a
//! wild pointer always faults and never reads what happens to be there.

use memtwin_wild::WINDOW_END;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use std::num::NonZeroUsize;

/// Reserves what is free between the lowest mappable address and the end of the window. Called once, in the zygote or
/// in a fuzzer's process.
pub(crate) fn reserve() {
    let lowest = std::fs::read_to_string("/proc/sys/vm/mmap_min_addr")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok())
        .unwrap_or(65_536)
        .max(4096);
    let mut start = lowest;
    for (low, high) in mappings() {
        if WINDOW_END <= low {
            break;
        }
        reserve_range(start, low);
        start = start.max(high);
    }
    reserve_range(start, WINDOW_END);
}

/// The ranges in /proc/self/maps, ascending.
fn mappings() -> Vec<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let range = |line: &str| {
        let (low, rest) = line.split_once('-')?;
        let (high, _) = rest.split_once(' ')?;
        Some((u64::from_str_radix(low, 16).ok()?, u64::from_str_radix(high, 16).ok()?))
    };
    text.lines().filter_map(range).collect()
}

fn reserve_range(start: u64, end: u64) {
    let Some(length) = end.checked_sub(start).and_then(host_size) else { return };
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE | MapFlags::MAP_FIXED_NOREPLACE;
    // SAFETY: MAP_FIXED_NOREPLACE refuses to replace a mapping, and without access the new one can be used for nothing.
    // A refusal leaves that range as it is: it is in use or not mappable, and then faults or not as before.
    let _ = unsafe { mmap_anonymous(host_size(start), length, ProtFlags::PROT_NONE, flags) };
}

/// A number of bytes as the host counts them; none for 0.
fn host_size(bytes: u64) -> Option<NonZeroUsize> {
    usize::try_from(bytes).ok().and_then(NonZeroUsize::new)
}
