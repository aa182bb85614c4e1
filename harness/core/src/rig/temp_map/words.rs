//! Temp-map setups and outcomes in words. Those of ops stand beside them in the models.

use crate::rig::Words;
use memtwin_models::temp_map::mmu::{self, PRESENT, PageFault};
use memtwin_models::temp_map::{Op, Outcome, PageShown, Seen, Setup, TempMap, VirtualAddress};
use std::fmt::Write as _;

impl Words for TempMap {
    fn setup_words(setup: &Setup) -> String {
        let start = setup.memory_start.0;
        let mut text = format!("a machine with {} frames from {start:#x} on", setup.frames);
        if setup.taken_slots != 0 {
            let _ = write!(text, "; the first {} of 256 slots are allocated to drivers", setup.taken_slots);
        }
        text.push_str(
            "; entries are shown as frame/flags: w writable, u the user's, a accessed, d dirty, s shared \
             (copy-on-write)",
        );
        text
    }

    fn op_words(op: &Op) -> String {
        op.to_string()
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

/// An address, with its slot where it has one.
pub(super) fn at(address: u32) -> String {
    VirtualAddress(address).with_slot()
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
