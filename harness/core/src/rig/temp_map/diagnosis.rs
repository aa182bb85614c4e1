//! What is probably wrong with a kernel's page tables, from the ops and the failure alone: what its laws' hints cannot
//! say.

use super::words;
use crate::finding::{Cause, Step};
use crate::rig::Incident;
use memtwin_models::temp_map::mmu::{COPY_ON_WRITE, FLAGS, OPEN, PRESENT};
use memtwin_models::temp_map::{Op, TempMap, laws};

pub(super) fn diagnose(incident: &Incident<'_, TempMap>) -> Option<String> {
    let Cause::Law { field, place, .. } = &incident.failure.cause else { return None };
    let at = place.and_then(|place| u32::try_from(place).ok()).map_or_else(|| "?".to_owned(), words::at);
    let last = match incident.failure.step {
        Step::Op(_) => incident.ops.last(),
        Step::Construct | Step::Audit | Step::Teardown => None,
    };
    match (*incident.law?, field.as_str()) {
        (laws::KERNEL_FAULT | laws::TEMP, "directory") => Some(format!(
            "{at} is mapped in a directory that is not the active one: the kernel's own directory has the window's \
             table, the directory in CR3 has not. Probably a directory copies the kernel's entries once, when it is \
             created, and a table that is made later never reaches it. Make the table before the first process, and \
             share it."
        )),
        (laws::COPY_ON_WRITE, "mixed_frame") => Some(format!(
            "{at} is, bit by bit, the old frame or the new one. Probably the flags were not masked, and the old \
             frame's address leaked into the entry."
        )),
        (laws::COPY_ON_WRITE, _) => Some(cow_words(field, &at)),
        (laws::REFUSAL, _) => Some(refusal_words(last?)),
        (laws::TEMP, _) => Some(temp_words(last, &at)),
        _ => None,
    }
}

fn cow_words(field: &str, at: &str) -> String {
    match field {
        "flags" => {
            let entry = at.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0);
            let odd = entry & FLAGS & !(OPEN | PRESENT);
            let more = if odd & COPY_ON_WRITE == 0 { "" } else { "; the mark of shared pages is still set" };
            format!("The copied page's entry has wrong flags ({odd:#x}){more}.")
        }
        "shared" => format!(
            "The store went through and {at} still shares its frame. Probably a processor kept the right to write \
             from before the fork."
        ),
        _ => format!("The entry names the frame {at}, which was not handed out for the copy."),
    }
}

fn refusal_words(last: &Op) -> String {
    let what = match last {
        Op::MapTemp { .. } => {
            "whether the slot is allocated and nothing is mapped there, and whether the address is a frame's start"
        }
        Op::FreeSlot { .. } => "whether the slot is allocated and nothing is mapped there",
        Op::Protect { .. } => "whether the page is mapped",
        Op::UnmapTemp { .. } => "whether anything is mapped at the slot",
        Op::Destroy { .. } => "whether the directory is in force on any processor",
        Op::ElfLoad { .. } => "the headers, the segments and the pages in use",
        Op::Create { .. }
        | Op::Fork { .. }
        | Op::Switch { .. }
        | Op::MapPage { .. }
        | Op::UnmapPage { .. }
        | Op::UnmapPageNoFree { .. }
        | Op::GetPhysAddr { .. }
        | Op::AllocFrame { .. }
        | Op::FreeFrame { .. }
        | Op::AllocSlot
        | Op::Load { .. }
        | Op::Store { .. }
        | Op::SysWrite { .. }
        | Op::SysRead { .. } => "every argument",
    };
    format!("A misuse was accepted, or a right use refused. Before it changes anything the call must check {what}.")
}

fn temp_words(last: Option<&Op>, at: &str) -> String {
    match last {
        Some(Op::Load { .. } | Op::Store { .. }) => format!(
            "{at} can be reached where it should not, or cannot where it should. Look at which directories have the \
             window's table, and at what invalidates when a slot is unmapped."
        ),
        Some(_) | None => format!("The window's entry of {at} is not what was asked for, under some directory."),
    }
}
