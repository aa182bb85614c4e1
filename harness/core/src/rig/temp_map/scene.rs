//! What a person should see of a temp-map divergence: the entries that matter, and what is probably wrong.

use super::words;
use crate::finding::{Cause, Step};
use crate::rig::{Explain, Incident, Scene};
use memtwin_models::temp_map::mmu::{ACCESSED, COPY_ON_WRITE, DIRTY, FLAGS, PRESENT};
use memtwin_models::temp_map::{Op, PageShown, SLOTS, Seen, TempMap, View, laws};

impl Explain for TempMap {
    fn scene(scene: &Scene<'_, TempMap>) -> Vec<String> {
        match scene.view {
            Some(view) => state(scene, view),
            None => step(scene),
        }
    }

    /// What the audit saw.
    fn state_words(scene: &Scene<'_, TempMap>) -> String {
        let place = scene.divergence.place.unwrap_or(0);
        let address = u32::try_from(place).map_or_else(|_| format!("{place:#x}"), words::at);
        let is = |law: &memtwin_models::Law| scene.divergence.law == law.name;
        if is(&laws::REFERENCES) || is(&laws::LEAK) {
            format!("the reference count of frame {address} is another")
        } else if is(&laws::SLOT_TABLE) {
            format!("slot {place} is not allocated, or mapped, as was asked for")
        } else if is(&laws::PAGE_MAP) {
            format!("the entry of {address} is another")
        } else if is(&laws::STALE) {
            format!("a look-aside buffer keeps a translation of {address} that the tables no longer give")
        } else if is(&laws::IN_FORCE) {
            format!("processor {place} runs under another directory")
        } else {
            format!("the {} at {address} is not as it should be", scene.divergence.field)
        }
    }

    fn diagnose(incident: &Incident<'_, TempMap>) -> Option<String> {
        let Cause::Law { law, field, place } = &incident.failure.cause else { return None };
        let at = place.and_then(|place| u32::try_from(place).ok()).map_or_else(|| "?".to_owned(), words::at);
        let last = match incident.failure.step {
            Step::Op(_) => incident.ops.last(),
            Step::Construct | Step::Audit | Step::Teardown => None,
        };
        let is = |known: &memtwin_models::Law| law == known.name;
        let text = if field == "directory" && (is(&laws::KERNEL_FAULT) || is(&laws::TEMP)) {
            format!(
                "{at} is mapped in a directory that is not the active one: the kernel's own directory has the window's table, the \
             directory in CR3 has not. A directory copies the kernel's entries once, when it is created; a table that is \
             made later never reaches it. Make the table before the first process, and share it."
            )
        } else if is(&laws::KERNEL_FAULT) {
            format!("The kernel touched {at} without looking at the tables first: a program's pointer was trusted.")
        } else if is(&laws::COPY_ON_WRITE) && field == "mixed_frame" {
            format!(
                "The flags were not masked: the old frame's address leaked into the entry. {at} is, bit by bit, the old frame or the \
             new one."
            )
        } else if is(&laws::COPY_ON_WRITE) {
            cow_words(field, &at)
        } else if is(&laws::STALE) {
            format!(
                "A look-aside buffer still knows {at} as it was: the entry was changed without invlpg on every processor."
            )
        } else if is(&laws::ACCESS) {
            format!(
                "{at} can be used as its page must not be, or cannot as it must: look at the flags that the entry was given, when \
             it was mapped, forked or copied."
            )
        } else if is(&laws::REFUSAL) {
            refusal_words(last?)
        } else if is(&laws::COUNT) {
            format!(
                "The call moved another number of bytes than lie in pages that the program may use so: at {at} it should have \
             stopped, or gone on. Look at the rights of each page, not of the first alone, and at the end of the range."
            )
        } else if is(&laws::PAGE_MAP) {
            format!("{at} is not mapped as was asked for: look at which frame and flags the entry was made of.")
        } else if is(&laws::TEMP) {
            temp_words(last, &at)
        } else if is(&laws::REFERENCES) {
            format!("The frame {at} is counted wrong: it was given back once too often, or once too seldom.")
        } else if is(&laws::LEAK) {
            "A frame is in use that no directory, page or variable leads to: whoever gave up the last way to it did not give it \
         back."
            .to_owned()
        } else if is(&laws::FRESH) {
            format!(
                "The frame {at} was handed out although it belongs to somebody: it had been given back by one who did not own it."
            )
        } else if is(&laws::SLOT) || is(&laws::SLOT_TABLE) {
            "A slot has two owners, or none: the table of slots and what was asked for differ.".to_owned()
        } else if is(&laws::BYTES) {
            format!(
                "{at} shows what was never written there: a stale translation, a wrong frame, or bytes of somebody before."
            )
        } else {
            return None;
        };
        Some(text)
    }
}

/// The entries behind a step.
fn step(scene: &Scene<'_, TempMap>) -> Vec<String> {
    let seen = scene.seen;
    let mut lines = Vec::new();
    if let (Some((in_force, kernel)), Seen::Fault(fault) | Seen::KernelFault(fault)) =
        (seen.directory_entries, seen.result)
    {
        lines.push(format!("directory entry {} of {}:", fault.address >> 22, words::at(fault.address)));
        lines.push(format!("  in the directory in force (CR3)   {}", words::entry(in_force)));
        lines.push(format!("  in the kernel's own directory     {}", words::entry(kernel)));
    }
    for shown in &seen.pages {
        lines.extend(copied(shown, &seen.taken));
    }
    lines
}

/// How the entry of a copied page came to be, where it is a mixture of two frames.
fn copied(shown: &PageShown, taken: &[u32]) -> Vec<String> {
    let (old, now) = (shown.was & !FLAGS, shown.now & !FLAGS);
    let mixed = taken.iter().map(|frame| frame << 12).find(|new| *new != now && new | old == now);
    match mixed {
        Some(new) => vec![
            format!("entry of {:#x} before    {}", shown.page, words::entry(shown.was)),
            format!("frame handed out for the copy {new:#x}"),
            format!("entry of {:#x} after     {}", shown.page, words::entry(shown.now)),
            format!("                         {old:#x} | {new:#x} = {now:#x}"),
        ],
        None => Vec::new(),
    }
}

/// The state at an audit.
fn state(scene: &Scene<'_, TempMap>, view: &View) -> Vec<String> {
    let mut lines = Vec::new();
    let place = scene.divergence.place;
    let is = |law: &memtwin_models::Law| scene.divergence.law == law.name;
    let counts = view.references.iter().filter(|count| **count != 0).count();
    lines.push(format!("{counts} of {} frames are in use", view.references.len()));
    if is(&laws::REFERENCES) || is(&laws::LEAK) {
        let index = place.and_then(|place| usize::try_from(place >> 12).ok());
        let first = usize::try_from(scene.setup.first_frame()).unwrap_or(0);
        if let Some(count) = index.and_then(|index| view.references.get(index.checked_sub(first)?)) {
            lines.push(format!("frame {:#x} has the reference count {count}", place.unwrap_or(0)));
        }
    }
    if let (Some((allocated, mapped)), true) = (view.slots, is(&laws::SLOT_TABLE)) {
        let has = |set: &[u64], slot: u64| {
            let word = usize::try_from(slot / 64).ok().and_then(|word| set.get(word)).copied().unwrap_or(0);
            if word >> (slot % 64) & 1 == 0 { "no" } else { "yes" }
        };
        let slot = place.unwrap_or(0);
        lines.push(format!(
            "slot {slot} of {SLOTS}: allocated {}, mapped {}",
            has(&allocated, slot),
            has(&mapped, slot)
        ));
    }
    if is(&laws::PAGE_MAP) {
        let wanted = view.wanted.iter().filter(|wanted| Some(u64::from(wanted.page)) == place);
        lines.extend(wanted.map(|wanted| {
            let owner = match wanted.space {
                0 => "the kernel".to_owned(),
                process => format!("process {}", ["A", "B", "C", "D"].get(process - 1).unwrap_or(&"?")),
            };
            format!("entry of {:#x} in {owner}: {}", wanted.page, words::entry(wanted.entry))
        }));
    }
    if is(&laws::STALE) {
        let kept = view.kept.iter().filter(|kept| Some(u64::from(kept.page)) == place);
        lines.extend(kept.map(|kept| {
            let entry = kept.translation.frame << 12 | kept.translation.rights | PRESENT;
            format!("cpu {} keeps {}: {}", kept.cpu, words::at(kept.page), words::entry(entry))
        }));
    }
    lines
}

fn cow_words(field: &str, at: &str) -> String {
    match field {
        "flags" => {
            let entry = at.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0);
            let odd = entry & FLAGS & !(ACCESSED | DIRTY | PRESENT);
            let more = if odd & COPY_ON_WRITE == 0 { "" } else { "; the mark of shared pages is still set" };
            format!("The copied page's entry has wrong flags ({odd:#x}){more}.")
        }
        "shared" => format!(
            "The store went through and {at} still shares its frame: a processor kept the right to write from before the fork."
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
            "{at} can be reached where it should not, or cannot where it should: look at which directories have the window's \
             table, and who invalidates when a slot is unmapped."
        ),
        Some(_) | None => format!("The window's entry of {at} is not what was asked for, under some directory."),
    }
}
