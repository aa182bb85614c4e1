//! What a person should see of a temp-map divergence: the entries that matter.

use super::{diagnosis, words};
use crate::rig::{Explain, Incident, Scene};
use memtwin_models::temp_map::mmu::{FLAGS, PRESENT};
use memtwin_models::temp_map::{PageShown, SLOTS, Seen, TempMap, View, laws};

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
        diagnosis::diagnose(incident)
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
