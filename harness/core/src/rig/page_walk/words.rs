//! Page-walk setups, ops and outcomes in words.

use crate::rig::Words;
use memtwin_models::page_walk::{MappingKind, Op, Outcome, PageWalk, Prefix, Seen, Setup, WorkBounds};
use std::fmt::Write as _;

/// Spans, regions and bytes that are shown.
const SHOWN: usize = 8;

impl Words for PageWalk {
    fn setup_words(setup: &Setup) -> String {
        let mut text = format!(
            "{}; snapshot {:#x} bytes at 0x1000{}; scratch {:#x} bytes at {:#x} with a buffer of {:#x}; tables at \
             {:#x}",
            if setup.paging { "paging" } else { "no paging" },
            setup.snapshot_bytes,
            if setup.tail_pages == 0 { String::new() } else { format!(" and {} pages of tables", setup.tail_pages) },
            setup.scratch_bytes,
            setup.scratch_gpa(),
            setup.buffer_bytes,
            setup.table_base
        );
        for (index, mapped) in setup.mapped.iter().enumerate() {
            let _ = write!(text, "; file mapping {index}: {:#x} bytes at {:#x} r", mapped.bytes, mapped.gpa);
            text.push_str(if mapped.writable { "w" } else { "-" });
            text.push_str(if mapped.executable { "x" } else { "-" });
        }
        if setup.work_bounds == WorkBounds::Small {
            let (leaves, visits) = (setup.work_bounds.leaves(), setup.work_bounds.table_visits());
            let _ = write!(text, "; a walk may find {leaves} leaves and visit {visits} tables");
        }
        if setup.adjacent {
            text.push_str("; for the host, file mapping 0 lies right behind the snapshot");
        }
        text
    }

    fn op_words(op: &Op) -> String {
        match *op {
            Op::Map { phys, virt, length, kind } => {
                let kind = match kind {
                    MappingKind::Unmapped => {
                        return format!("unmap {length:#x} bytes at {virt:#x} (physical {phys:#x})");
                    }
                    MappingKind::Basic { w, x, .. } => {
                        format!("r{}{}", if w { "w" } else { "-" }, if x { "x" } else { "-" })
                    }
                    MappingKind::Cow { x, .. } => format!("r-{} copy-on-write", if x { "x" } else { "-" }),
                };
                format!("map {length:#x} bytes at {virt:#x} to physical {phys:#x}, {kind}")
            }
            Op::AllocTable => "alloc_table()".to_owned(),
            Op::SetRoot { root } => format!("set_root({root:#x})"),
            Op::ReadEntry { address } => format!("read_entry({address:#x})"),
            Op::WriteEntry { address, value } => format!("write_entry({address:#x}, {value:#x})"),
            Op::FillEntries { address, count, value } => {
                format!("write_entry({value:#x}) to {count} entries from {address:#x} on")
            }
            Op::Walk { address, length } => format!("virt_to_phys({address:#x}, {length:#x})"),
            Op::Read { address, length } => format!("read_guest_memory_by_gva({address:#x}, {length:#x})"),
            Op::Translate { address } => format!("translate({address:#x})"),
            Op::ReadAsUser { address, length } => format!("read {length:#x} bytes at {address:#x} for user mode"),
            Op::MapFile { file } => format!("map file {}", file.index()),
            Op::UnmapFile { file } => format!("take file mapping {} away", file.index()),
            Op::Regions => "get_guest_memory_regions(), and every page of it is touched".to_owned(),
            Op::GuestWrite { address, seed, length } => {
                format!("the guest writes {length} bytes of pattern {seed} to {address:#x}")
            }
            Op::GuestWord { address, value } => format!("the guest writes the word {value:#x} to {address:#x}"),
            Op::SharedRead { backing, offset, length } => {
                format!("the host reads {length:#x} bytes of {backing} at {offset:#x}")
            }
            Op::Push { seed, length, prefix } => {
                let prefix = match prefix {
                    Prefix::None => String::new(),
                    Prefix::Right => ", with its length before".to_owned(),
                    Prefix::Number(number) => format!(", with the length {number:#x} before"),
                };
                format!("push {length} bytes of pattern {seed}{prefix}")
            }
            Op::Pop => "pop".to_owned(),
            Op::PopPrefixed => "pop, prefixed with its length".to_owned(),
            Op::Clear => "clear the buffer".to_owned(),
            Op::Snapshot { slot } => format!("snapshot {} = take a snapshot", slot.index()),
            Op::Restore { slot } => format!("restore snapshot {}", slot.index()),
            Op::Build => "build both handles".to_owned(),
            Op::AddFileMapping { address, length } => format!("write_file_mapping_entry({address:#x}, {length:#x})"),
        }
    }

    fn seen_words(op: &Op, seen: &Outcome) -> String {
        let mut text = match seen.result {
            Seen::Skipped => "skipped".to_owned(),
            Seen::Done => match op {
                Op::Walk { .. } if seen.spans.is_empty() => "no page".to_owned(),
                Op::Regions if seen.regions.is_empty() => "no region".to_owned(),
                Op::Walk { .. } | Op::Translate { .. } | Op::Regions => String::new(),
                Op::Read { .. } | Op::ReadAsUser { .. } | Op::SharedRead { .. } | Op::Pop | Op::PopPrefixed => {
                    format!("{} bytes", seen.data.len())
                }
                Op::Map { .. }
                | Op::AllocTable
                | Op::SetRoot { .. }
                | Op::ReadEntry { .. }
                | Op::WriteEntry { .. }
                | Op::FillEntries { .. }
                | Op::GuestWrite { .. }
                | Op::GuestWord { .. }
                | Op::Push { .. }
                | Op::Clear
                | Op::Snapshot { .. }
                | Op::Restore { .. }
                | Op::Build
                | Op::AddFileMapping { .. }
                | Op::MapFile { .. }
                | Op::UnmapFile { .. } => "done".to_owned(),
            },
            Seen::Table(address) => format!("a table at {address:#x}"),
            Seen::Entry(entry) => format!("the entry {entry:#x}"),
            Seen::Generation(generation) => format!("generation {generation}"),
            Seen::Handles { host_aborts, guest_aborts } => {
                let has = |has: bool| if has { "has an abort buffer" } else { "has none" };
                format!("two handles: the host's {}, the guest's {}", has(host_aborts), has(guest_aborts))
            }
            Seen::Refused(refusal) => format!("an error: {refusal}"),
        };
        push_list(&mut text, &seen.spans);
        push_list(&mut text, &seen.regions);
        for (index, byte) in seen.data.iter().take(SHOWN).enumerate() {
            let _ = write!(text, "{} {byte:02x}", if index == 0 { ":" } else { "" });
        }
        if seen.data.len() < usize::try_from(seen.reserved_bytes).unwrap_or(usize::MAX) {
            let _ = write!(text, "; {:#x} bytes were reserved", seen.reserved_bytes);
        }
        if seen.runaway {
            text.push_str("; the walk went on long after it had to stop");
        }
        text
    }
}

fn push_list<T: std::fmt::Display>(text: &mut String, items: &[T]) {
    for (index, item) in items.iter().take(SHOWN).enumerate() {
        let _ = write!(text, "{}{item}", if index == 0 { "" } else { "; " });
    }
    if SHOWN < items.len() {
        let _ = write!(text, "; and {} more", items.len() - SHOWN);
    }
}
