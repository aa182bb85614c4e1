//! Temp-map setups, ops and outcomes in words.

use crate::rig::Words;
use memtwin_models::temp_map::mmu::{self, PRESENT, PageFault};
use memtwin_models::temp_map::{
    Hold, Mode, Op, Outcome, PAGE_BYTES, PageFlags, PageShown, PageSource, Process, Seen, Segment, Setup, Space,
    TempFrame, TempMap, WINDOW_BASE,
};
use std::fmt::Write as _;

impl Words for TempMap {
    fn setup_words(setup: &Setup) -> String {
        let start = setup.memory_start.0;
        let mut text = format!("a machine with {} frames from {start:#x} on", setup.frames);
        if setup.taken_slots != 0 {
            let _ = write!(text, "; the first {} of 256 slots are allocated to drivers", setup.taken_slots);
        }
        text.push_str(
        "; entries are shown as frame/flags: w writable, u the user's, a accessed, d dirty, s shared (copy-on-write)",
    );
        text
    }

    fn op_words(op: &Op) -> String {
        match *op {
            Op::Create { process } => format!("{} = create_page_directory()", name(process)),
            Op::Fork { cpu, parent, child } => format!("{}{} = fork({})", on(cpu), name(child), name(parent)),
            Op::Destroy { cpu, process } => format!("{}destroy {}", on(cpu), name(process)),
            Op::Switch { cpu, space: Space::Kernel } => format!("{}switch to the kernel's directory", on(cpu)),
            Op::Switch { cpu, space: Space::Process(process) } => format!("{}switch to {}", on(cpu), name(process)),
            Op::MapPage { cpu, address, source, flags: bits } => {
                let what = match source {
                    PageSource::New => "a new frame".to_owned(),
                    PageSource::Hold(hold) => held(hold),
                };
                format!("{}map_page({:#x}, {what}, {})", on(cpu), address.0, flags(bits))
            }
            Op::UnmapPage { cpu, address } => format!("{}unmap_page({:#x})", on(cpu), address.0),
            Op::UnmapPageNoFree { cpu, address, hold } => {
                format!("{}{} = unmap_page_no_free({:#x})", on(cpu), held(hold), address.0)
            }
            Op::GetPhysAddr { cpu, address } => format!("{}get_phys_addr({:#x})", on(cpu), address.0),
            Op::AllocFrame { hold } => format!("{} = alloc_frame()", held(hold)),
            Op::FreeFrame { hold } => format!("free_frame({})", held(hold)),
            Op::AllocSlot => "alloc_temp_slot()".to_owned(),
            Op::FreeSlot { slot } => format!("free_temp_slot({slot})"),
            Op::MapTemp { cpu, frame, slot } => {
                let what = match frame {
                    TempFrame::Hold(hold) => held(hold),
                    TempFrame::Behind(address) => format!("get_phys_addr({:#x})", address.0),
                    TempFrame::At(address) => format!("{:#x}", address.0),
                };
                format!("{}map_temp_page({what}, slot {slot})", on(cpu))
            }
            Op::UnmapTemp { cpu, slot } => format!("{}unmap_temp_page(slot {slot})", on(cpu)),
            Op::Load { cpu, mode, address } => format!("{}{} loads {}", on(cpu), who(mode), at(address.0)),
            Op::Store { cpu, mode, address, value } => {
                format!("{}{} stores {value:#x} to {}", on(cpu), who(mode), at(address.0))
            }
            Op::SysWrite { cpu, address, count } => format!("{}sys_write({:#x}, {count})", on(cpu), address.0),
            Op::SysRead { cpu, address, count, seed } => {
                format!("{}sys_read({:#x}, {count}) of pattern {seed}", on(cpu), address.0)
            }
            Op::ElfLoad { cpu, seed, length, ref segments } => {
                let list: Vec<_> = segments.as_slice().iter().map(segment).collect();
                format!("{}elf_load(file of {length} bytes of pattern {seed}: {})", on(cpu), list.join("; "))
            }
        }
    }

    fn place_words(place: u64) -> String {
        u32::try_from(place).map_or_else(|_| "?".to_owned(), at)
    }

    fn seen_words(_op: &Op, seen: &Outcome) -> String {
        let mut text = match seen.result {
            Seen::Skipped => "skipped".to_owned(),
            Seen::Done => "done".to_owned(),
            Seen::Failed => "failed: too few frames or slots".to_owned(),
            Seen::Refused => "refused".to_owned(),
            Seen::Vacant => "nothing was done".to_owned(),
            Seen::Slot(slot) => format!("slot {slot}"),
            Seen::Address(address) => format!("virtual address {address:#x}"),
            Seen::Physical(address) => format!("physical address {address:#x}"),
            Seen::Word(word) => format!("{word:#x}"),
            Seen::Count(count) => format!("{count} bytes"),
            Seen::Fault(fault) => page_fault(fault),
            Seen::KernelFault(fault) => format!("the kernel itself: {}", page_fault(fault)),
        };
        if let Some(physical) = seen.physical {
            let _ = write!(text, "; the physical address given was {physical:#x}");
        }
        if !seen.taken.is_empty() {
            const SHOWN_FRAMES: usize = 8;
            let frames: Vec<_> =
                seen.taken.iter().take(SHOWN_FRAMES).map(|frame| format!("{:#x}", frame << 12)).collect();
            let more = if SHOWN_FRAMES < seen.taken.len() { " …" } else { "" };
            let _ = write!(text, "; frames handed out: {}{more}", frames.join(" "));
        }
        for shown in seen.pages.iter().filter(|shown| shown.was != shown.now).take(4) {
            let _ = write!(text, "; {}", page(shown));
        }
        if 0 < seen.shown_bytes {
            const SHOWN_BYTES: usize = 8;
            text.push_str("; bytes");
            for byte in seen.shown().iter().take(SHOWN_BYTES) {
                let _ = write!(text, " {byte:02x}");
            }
        }
        text
    }
}

fn name(process: Process) -> String {
    format!("process {}", char::from(b'A' + u8::from(process)))
}

fn held(hold: Hold) -> String {
    format!("frame variable {}", hold.index())
}

fn flags(flags: PageFlags) -> String {
    let bits = flags.entry_bits();
    let mut words = vec![if bits & mmu::WRITABLE == 0 { "read-only" } else { "writable" }];
    words.push(if bits & mmu::USER == 0 { "kernel's" } else { "user's" });
    if bits & mmu::CACHE != 0 {
        words.push("with cache flags");
    }
    words.join(", ")
}

fn segment(segment: &Segment) -> String {
    let Segment { address, offset, file_bytes, memory_bytes, writable } = *segment;
    let kind = if writable { "writable" } else { "read-only" };
    format!("{kind} at {:#x}, {file_bytes:#x} bytes from offset {offset:#x}, {memory_bytes:#x} in memory", address.0)
}

/// Only the second processor is worth a word.
fn on(cpu: memtwin_models::temp_map::Cpu) -> &'static str {
    if cpu.index() == 0 { "" } else { "on cpu 1: " }
}

fn who(mode: Mode) -> &'static str {
    match mode {
        Mode::User => "the program",
        Mode::Kernel => "kernel code",
    }
}

/// An address, with its slot where it has one.
pub(super) fn at(address: u32) -> String {
    match address.checked_sub(WINDOW_BASE).map(|offset| offset / PAGE_BYTES) {
        Some(slot) if slot < 256 => format!("{address:#x} (slot {slot})"),
        Some(_) | None => format!("{address:#x}"),
    }
}

fn page(shown: &PageShown) -> String {
    format!("entry of {:#x}: {} → {}", shown.page, entry(shown.was), entry(shown.now))
}

/// A table entry.
pub(super) fn entry(entry: u32) -> String {
    if entry & PRESENT == 0 {
        return "none".to_owned();
    }
    let letters =
        [(mmu::WRITABLE, 'w'), (mmu::USER, 'u'), (mmu::ACCESSED, 'a'), (mmu::DIRTY, 'd'), (mmu::COPY_ON_WRITE, 's')];
    let flags: String = letters.iter().filter(|(bit, _)| entry & bit != 0).map(|(_, letter)| letter).collect();
    let flags = if flags.is_empty() { "-".to_owned() } else { flags };
    format!("{:#x}/{flags}", entry & !mmu::FLAGS)
}

fn page_fault(fault: PageFault) -> String {
    let bit = |bit: u32, yes: &'static str, no: &'static str| if fault.code & bit == 0 { no } else { yes };
    format!(
        "page fault at {} (code {}: {} {} of {})",
        at(fault.address),
        fault.code,
        bit(PageFault::USER, "user mode,", "kernel mode,"),
        bit(PageFault::STORE, "a store", "a load"),
        bit(PageFault::PROTECTION, "a page that is present", "an absent page"),
    )
}
