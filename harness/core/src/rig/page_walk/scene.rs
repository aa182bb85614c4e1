//! What a person should see of a page-walk divergence: the path to an address, the regions beside their backings.

use super::diagnosis;
use crate::rig::{Explain, Incident, Scene};
use memtwin_models::page_walk::model::PageWalkModel;
use memtwin_models::page_walk::translate::{LARGE, NO_EXECUTE, PRESENT, Role, USER, WRITABLE, role, shift};
use memtwin_models::page_walk::{Backing, MAX_MAPPED, Op, PageWalk, PageWalkContract, Setup, laws};
use memtwin_models::{Contract as _, Model as _};

/// The model after some ops: what they should have led to.
pub(super) fn after(setup: &Setup, ops: &[Op]) -> PageWalkModel {
    let mut model = PageWalkModel::new(setup, &PageWalkContract::STRICT);
    for op in ops {
        model.follow(op);
    }
    model
}

pub(super) fn backings(setup: &Setup) -> impl Iterator<Item = (Backing, u64, u64)> + '_ {
    let mapped = (0..MAX_MAPPED).filter_map(|index| u8::try_from(index).ok().map(Backing::Mapped));
    let all = [Backing::Scratch, Backing::Snapshot].into_iter().chain(mapped);
    all.filter_map(|backing| setup.host_range(backing).map(|(start, end)| (backing, start, end)))
}

impl Explain for PageWalk {
    fn scene(scene: &Scene<'_, PageWalk>) -> Vec<String> {
        let model = after(scene.setup, scene.ops);
        let mut lines = Vec::new();
        match scene.ops.last() {
            _ if scene.view.is_some() => {}
            Some(
                Op::Walk { address, .. }
                | Op::Read { address, .. }
                | Op::ReadAsUser { address, .. }
                | Op::Translate { address },
            ) => {
                let law = scene.divergence.law;
                let index = usize::try_from(scene.divergence.place.unwrap_or(0)).unwrap_or(0);
                let is_span = law == laws::WALK.name || law == laws::ACCESS.name;
                let span = scene.seen.spans.get(index).filter(|_| is_span);
                if scene.setup.paging {
                    lines.extend(path(&model, span.map_or(*address, |span| span.start)));
                }
            }
            Some(Op::Regions) => {
                for (backing, start, end) in backings(scene.setup) {
                    lines.push(format!("{backing} has {:#x} bytes, at {start:#x} for the host", end - start));
                }
                lines.extend(model.regions().iter().map(|region| format!("by the model: {region}")));
            }
            _ => {}
        }
        if model.has_table_cycle() && scene.divergence.law == laws::WORK.name {
            lines.push("a table is reachable from itself".to_owned());
        }
        lines
    }

    /// What the audit saw.
    fn state_words(scene: &Scene<'_, PageWalk>) -> String {
        let (law, field) = (scene.divergence.law, scene.divergence.field);
        let place = scene.divergence.place.unwrap_or(0);
        let Some(view) = scene.view else { return String::new() };
        if law == laws::BOOKKEEPING.name {
            return format!("the bookkeeping word {place:#x} bytes before the end of scratch is another");
        }
        if field == "stray" {
            return format!("a byte {place:#x} bytes away from a backing, which is nobody's, was written");
        }
        if law == laws::MAPPED.name {
            return format!("other files are mapped: {:#05b}, bit by bit", view.mapped.unwrap_or_default());
        }
        if law == laws::TABLES.name {
            return format!("entry {place} of the table buffer is not what was written there");
        }
        let Ok(index) = usize::try_from(place) else { return String::new() };
        let differs = scene.model.first_difference(view).and_then(|backing| {
            let (seen, want) =
                (view.backings[backing.index()].get(index)?, scene.model.backing_bytes(backing).get(index)?);
            Some(format!("byte {place:#x} of {backing} is {seen:02x}, and {want:02x} is right"))
        });
        differs.unwrap_or_else(|| format!("a backing ends at {place:#x}"))
    }

    fn diagnose(incident: &Incident<'_, PageWalk>) -> Option<String> {
        diagnosis::diagnose(incident)
    }
}

/// The entries on the way to an address.
fn path(model: &PageWalkModel, address: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut table = model.root() & 0x000f_ffff_ffff_f000;
    for level in (0..4).rev() {
        let place = table + 8 * (address >> shift(level) & 0x1ff);
        let entry = model.entry(place);
        let flag = |mask: u64, set: &'static str, clear: &'static str| if entry & mask != 0 { set } else { clear };
        let mut line = format!("level {}: entry {entry:#x} at {place:#x}", level + 1);
        if entry & PRESENT != 0 {
            let rights = [flag(WRITABLE, "RW", "no RW"), flag(USER, "US", "no US"), flag(NO_EXECUTE, "NX", "no NX")];
            line = format!("{line} {}", rights.join(" "));
            if level != 0 {
                line.push_str(flag(LARGE, " PS", ""));
            }
        }
        match role(entry, level) {
            Role::Nothing => {
                lines.push(format!("{line}: nothing is mapped here"));
                return lines;
            }
            Role::Table(below) => {
                lines.push(line);
                table = below;
            }
            Role::Leaf(page) => {
                lines.push(format!("{line}: a page of {:#x} bytes at {page:#x}", 1_u64 << shift(level)));
                return lines;
            }
        }
    }
    lines
}
