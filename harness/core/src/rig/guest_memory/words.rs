//! Guest-memory setups, ops and outcomes in words.

use crate::rig::Words;
use memtwin_models::guest_memory::{DeviceCall, Direction, Error, GuestMemory, Op, Outcome, Seen, Setup};
use std::fmt::Write as _;

impl Words for GuestMemory {
    fn setup_words(setup: &Setup) -> String {
        let mut text = format!("{} bytes ({:#x}) of guest memory", setup.memory_size, setup.memory_size);
        if setup.is_flat() {
            let _ = write!(text, " in 16 shards of {:#x}", setup.shard_size());
        }
        for (index, range) in setup.ram.iter().enumerate() {
            let at = if index == 0 { " at" } else { " and" };
            let _ = write!(text, "{at} {:#x}..{:#x}", range.base, range.end());
        }
        if let Some(log) = &setup.dirty_log {
            text.push_str(", with a dirty log");
            if !log.refused.is_empty() {
                let numbers: Vec<String> = log.refused.iter().map(u16::to_string).collect();
                let _ = write!(text, " whose images refuse write {}", numbers.join(", "));
            }
        }
        if setup.strict_alignment {
            text.push_str(", strict alignment");
        }
        for (index, device) in setup.devices.iter().enumerate() {
            let _ = write!(text, ", device {index} at {:#x}..{:#x}", device.base, device.end());
            if let Some(register) = device.faulty_register {
                let _ = write!(text, " (register {register:#x} faulty)");
            }
        }
        text
    }

    fn op_words(op: &Op) -> String {
        let call = match *op {
            Op::Read { address, size, .. } => format!("read({:#x}, size {size})", address.0),
            Op::Write { address, value, size, .. } => format!("write({:#x}, {value:#x}, size {size})", address.0),
            Op::FetchInstruction { address, .. } => format!("fetch_insn({:#x})", address.0),
            Op::LoadReserved { address, size, .. } => format!("load_reserved({:#x}, size {size})", address.0),
            Op::StoreConditional { address, value, size, .. } => {
                format!("store_conditional({:#x}, {value:#x}, size {size})", address.0)
            }
            Op::InvalidateReservation { address, size, .. } => {
                format!("invalidate_reservation({:#x}, size {size})", address.0)
            }
            Op::ReadBulk { address, length, .. } => {
                format!("read_bulk({:#x}, {})", address.0, byte_count(length.bytes()))
            }
            Op::WriteBulk { address, seed, length, .. } => {
                format!("write_bulk({:#x}, {} of pattern {seed})", address.0, byte_count(length.bytes()))
            }
            Op::MemorySize { .. } => "memory_size()".to_owned(),
            Op::Dump { .. } => "dump_memory()".to_owned(),
            Op::Restore { payload, .. } => {
                format!("restore_memory({} of pattern {})", byte_count(payload.length), payload.seed)
            }
            Op::RestoreDump { .. } => "restore_memory(dump_memory())".to_owned(),
            Op::MapDevice { device, base, .. } => format!("map_mmio(device {}, {:#x})", device.index(), base.0),
            Op::AtomicLoad { address, size, .. } => format!("atomic_load({:#x}, size {size})", address.0),
            Op::AtomicStore { address, value, size, .. } => {
                format!("atomic_store({:#x}, {value:#x}, size {size})", address.0)
            }
            Op::CompareExchange { address, expected, value, size, .. } => {
                format!("compare_exchange({:#x}, {expected:#x}, {value:#x}, size {size})", address.0)
            }
            Op::DirtyLog { .. } => "dirty_log()".to_owned(),
            Op::TakeDirtyLog { .. } => "take_dirty_log()".to_owned(),
            Op::DumpDirty { .. } => "dump_dirty(image)".to_owned(),
            Op::UnmapDevice { device, .. } => format!("unmap_mmio(device {})", device.index()),
        };
        match op.owner().index() {
            0 => call,
            owner => format!("{call} by vCPU {owner}"),
        }
    }

    fn seen_words(op: &Op, seen: &Outcome) -> String {
        let mut text = match seen.result {
            Seen::Skipped => "skipped".to_owned(),
            Seen::Value(value) => format!("Ok({value:#x})"),
            Seen::Stored(stored) => format!("Ok({stored})"),
            Seen::Exchanged { before, stored: true } => format!("Ok({before:#x}), stored"),
            Seen::Exchanged { before, stored: false } => format!("Ok({before:#x}), not stored"),
            Seen::Moved(count) => format!("{} were moved and no more", byte_count(count)),
            Seen::Error(Error::Alignment) => "Err(AlignmentFault)".to_owned(),
            Seen::Error(Error::InvalidAddress) => "Err(InvalidAddress)".to_owned(),
            Seen::Error(Error::PageFault) => "Err(PageFault)".to_owned(),
            Seen::Error(Error::Other) => "Err(other)".to_owned(),
            Seen::Done => match *op {
                Op::ReadBulk { length, .. } => {
                    format!("Ok, {}", bytes(&seen.buffer_bytes()[..length.bytes() as usize]))
                }
                Op::Dump { .. } => format!("Ok, {}", bytes(&seen.dump)),
                Op::DirtyLog { .. } | Op::TakeDirtyLog { .. } => format!("Ok, {}", pages(&seen.pages)),
                Op::DumpDirty { .. } => "Ok".to_owned(),
                Op::Read { .. }
                | Op::Write { .. }
                | Op::FetchInstruction { .. }
                | Op::LoadReserved { .. }
                | Op::StoreConditional { .. }
                | Op::InvalidateReservation { .. }
                | Op::WriteBulk { .. }
                | Op::MemorySize { .. }
                | Op::Restore { .. }
                | Op::RestoreDump { .. }
                | Op::MapDevice { .. }
                | Op::UnmapDevice { .. }
                | Op::AtomicLoad { .. }
                | Op::AtomicStore { .. }
                | Op::CompareExchange { .. } => "Ok".to_owned(),
            },
        };
        const SHOWN_WRITES: usize = 4;
        for write in seen.page_writes.iter().take(SHOWN_WRITES) {
            let refused = if write.refused { ", refused" } else { "" };
            let _ = write!(text, "; {} at {:#x}{refused}", byte_count(write.length), write.address);
        }
        if SHOWN_WRITES < seen.page_writes.len() {
            let _ = write!(text, "; {} writes in all", seen.page_writes.len());
        }
        const SHOWN_CALLS: usize = 4;
        for call in seen.device_calls.iter().take(SHOWN_CALLS) {
            let _ = write!(text, "; {}", device_call(call));
        }
        if SHOWN_CALLS < seen.device_calls.len() {
            let _ = write!(text, "; {} device calls in all", seen.device_calls.len());
        }
        text
    }
}

pub(super) fn device_call(call: &DeviceCall) -> String {
    let verb = match call.direction {
        Direction::Read => "read",
        Direction::Write => "write",
    };
    let failed = if call.failed { " failed" } else { "" };
    let DeviceCall { device, offset, size, value, .. } = call;
    format!("device {device} {verb}(offset {offset:#x}, size {size}) = {value:#x}{failed}")
}

/// The first pages, and how many there are.
fn pages(pages: &[u64]) -> String {
    const SHOWN_PAGES: usize = 4;
    let shown: Vec<String> = pages.iter().take(SHOWN_PAGES).map(|page| format!("{page:#x}")).collect();
    let more = if SHOWN_PAGES < pages.len() { ", …" } else { "" };
    match pages.len() {
        0 => "no page".to_owned(),
        1 => format!("the page {}", shown[0]),
        count => format!("{count} pages: {}{more}", shown.join(", ")),
    }
}

fn byte_count(bytes: u32) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") }
}

/// The first bytes in hex, and how many there are.
pub(super) fn bytes(bytes: &[u8]) -> String {
    const SHOWN_BYTES: usize = 16;
    let mut text = String::new();
    for byte in bytes.iter().take(SHOWN_BYTES) {
        let _ = write!(text, "{byte:02x} ");
    }
    if SHOWN_BYTES < bytes.len() {
        text.push_str("… ");
    }
    let _ = write!(text, "({})", byte_count(u32::try_from(bytes.len()).unwrap_or(u32::MAX)));
    text
}
