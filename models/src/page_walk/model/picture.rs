//! The model as a picture: the walk that an op makes, the tables, guest-physical memory, and what host and guest keep
//! in scratch. Only explaining runs come here; nothing is judged.

use super::super::op::{Op, OpKind};
use super::super::outcome::{Outcome, Seen, View};
use super::super::translate::{
    ADDRESS, COPY_ON_WRITE, LARGE, NO_EXECUTE, PRESENT, Role, USER, WRITABLE, is_canonical, role, shift,
};
use super::PageWalkModel;
use crate::picture::{ByteRows, Layers, Mark, Panel, Picture, Row, Tone};

/// Bytes of a table, and entries that a row of one shows.
const TABLE_BYTES: u64 = 4096;
const SHOWN_ENTRIES: usize = 3;

/// The state before an op.
pub(super) fn picture(model: &PageWalkModel, op: Option<&Op>) -> Picture {
    Picture { panels: vec![walks(model, op), tables(model), memory(model, op), scratch(model)] }
}

/// The bytes that an op shows.
pub(super) fn byte_rows(model: &PageWalkModel, op: &Op, seen: &Outcome) -> Option<ByteRows> {
    let mut next = model.clone();
    next.step(op, Some(seen));
    if next.want.result != Seen::Done || seen.result != Seen::Done || next.want.data.is_empty() {
        return None;
    }
    let start = match *op {
        Op::Read { address, .. } | Op::ReadAsUser { address, .. } => address,
        Op::SharedRead { offset, .. } => offset,
        Op::Pop | Op::PopPrefixed => 0,
        Op::Map { .. }
        | Op::AllocTable
        | Op::SetRoot { .. }
        | Op::ReadEntry { .. }
        | Op::WriteEntry { .. }
        | Op::FillEntries { .. }
        | Op::Walk { .. }
        | Op::Regions
        | Op::GuestWrite { .. }
        | Op::GuestWord { .. }
        | Op::Push { .. }
        | Op::Clear
        | Op::Snapshot { .. }
        | Op::Restore { .. }
        | Op::Build
        | Op::AddFileMapping { .. }
        | Op::Translate { .. }
        | Op::MapFile { .. }
        | Op::UnmapFile { .. } => return None,
    };
    Some(ByteRows { start, allowed: next.want.data, seen: seen.data.clone() })
}

/// The bytes of the state that differ, by their offset in the backing.
pub(super) fn state_rows(model: &PageWalkModel, view: &View) -> Option<ByteRows> {
    let mut shown = model.memory.held.iter().zip(&view.backings).filter(|(_, seen)| !seen.is_empty());
    let differs = shown.find(|(held, seen)| held.first_difference(seen).is_some());
    differs.map(|(held, seen)| {
        // A byte that nothing fixes is as it was seen.
        let bytes = held.bytes.iter().zip(seen).zip(held.open.bits());
        let allowed = bytes.map(|((want, seen), open)| if (want ^ seen) & !open == 0 { *seen } else { *want });
        ByteRows { start: 0, allowed: allowed.collect(), seen: seen.clone() }
    })
}

/// The walks of the first and of the last address of the op's range.
fn walks(model: &PageWalkModel, op: Option<&Op>) -> Panel {
    let mut rows = Vec::new();
    let range = match op {
        Some(Op::Walk { address, length } | Op::Read { address, length } | Op::ReadAsUser { address, length })
            if model.paging =>
        {
            Some((*address, *length))
        }
        Some(Op::Translate { address }) => Some((*address, 1)),
        Some(Op::Map { virt, length, .. }) => Some((*virt, *length)),
        Some(_) | None => None,
    };
    if let Some((address, length)) = range {
        let last = address.wrapping_add(length.saturating_sub(1));
        walk(model, address, &mut rows);
        if last >> 12 != address >> 12 {
            walk(model, last, &mut rows);
        }
    }
    Panel::table("the walk of the op's address", &["address", "level", "entry at", "entry", "leads to"], rows)
}

fn walk(model: &PageWalkModel, address: u64, rows: &mut Vec<Row>) {
    if !is_canonical(address) {
        let [level, place, entry] = Default::default();
        rows.push(Row::new(Tone::Absent, [format!("{address:#x}"), level, place, entry, "not canonical".to_owned()]));
        return;
    }
    let mut table = model.tables.root & ADDRESS;
    for level in (0..4).rev() {
        let place = table + 8 * (address >> shift(level) & 0x1ff);
        let entry = model.tables.read(place);
        let (tone, leads_to, below) = match role(entry, level) {
            Role::Nothing if entry & PRESENT == 0 => (Tone::Absent, "nothing: not present".to_owned(), None),
            Role::Nothing => (Tone::Absent, "nothing: reserved bits are set".to_owned(), None),
            Role::Table(below) => (Tone::Asked, format!("the table at {below:#x}"), Some(below)),
            Role::Leaf(page) => {
                (Tone::Asked, format!("a page of {:#x} bytes at {page:#x}", 1_u64 << shift(level)), None)
            }
        };
        let cells =
            [format!("{address:#x}"), (level + 1).to_string(), format!("{place:#x}"), entry_words(entry), leads_to];
        rows.push(Row::new(tone, cells));
        let Some(below) = below else { return };
        table = below;
    }
}

/// An entry, with the names of its flags.
fn entry_words(entry: u64) -> String {
    let flags = [(WRITABLE, "RW"), (USER, "US"), (LARGE, "PS"), (COPY_ON_WRITE, "copy-on-write"), (NO_EXECUTE, "NX")];
    let mut text = format!("{entry:#x}");
    for (_, name) in flags.iter().filter(|(bit, _)| entry & (bit | PRESENT) == bit | PRESENT) {
        text.push(' ');
        text.push_str(name);
    }
    text
}

/// The tables of the buffer, with their first entries.
fn tables(model: &PageWalkModel) -> Panel {
    let base = model.tables.base();
    let root = model.tables.root & ADDRESS;
    let rows = (0_u64..).zip(model.tables.entries().chunks(512)).map(|(index, entries)| {
        let address = base + TABLE_BYTES * index;
        let present = || entries.iter().enumerate().filter(|(_, entry)| **entry & PRESENT != 0);
        let mut shown: Vec<String> =
            present().take(SHOWN_ENTRIES).map(|(index, entry)| format!("[{index}] {}", entry_words(*entry))).collect();
        if SHOWN_ENTRIES < present().count() {
            shown.push(format!("and {} more", present().count() - SHOWN_ENTRIES));
        }
        let tone = if shown.is_empty() { Tone::Plain } else { Tone::Live };
        let name = if address == root { format!("{address:#x}, the root") } else { format!("{address:#x}") };
        Row::new(tone, [name, present().count().to_string(), shown.join("; ")])
    });
    Panel::table("page tables", &["table at", "present entries", "they are"], rows.collect())
}

/// The backings as the guest sees them.
fn memory(model: &PageWalkModel, op: Option<&Op>) -> Panel {
    let mut layers = Layers::new("nothing is here");
    let tables_bytes = 8 * model.tables.entries().len() as u64;
    layers.lay(model.tables.base(), tables_bytes, Tone::Guarded, "page tables");
    // Where two overlap, the first in the order of resolving has the bytes.
    for held in model.memory.held.iter().rev().filter(|held| held.is_there) {
        let rights = [(true, 'r'), (held.writable, 'w'), (held.executable, 'x')];
        let rights: String = rights.map(|(has, letter)| if has { letter } else { '-' }).iter().collect();
        let tone = if held.writable { Tone::Live } else { Tone::Guarded };
        layers.lay(held.gpa, held.visible, tone, format!("{} {rights}", held.backing));
    }
    let mut marks = Vec::new();
    match op {
        Some(op @ (Op::GuestWrite { address, .. } | Op::GuestWord { address, .. })) => {
            let length = if let Op::GuestWrite { length, .. } = op { u64::from(*length) } else { 8 };
            layers.ask(*address, length, OpKind::NAMES[op.kind() as usize]);
        }
        Some(Op::Read { address, length }) if !model.paging => layers.ask(*address, *length, "read"),
        Some(Op::ReadEntry { address } | Op::WriteEntry { address, .. } | Op::FillEntries { address, .. }) => {
            marks.push(Mark { at: *address, label: "the entry".to_owned(), tone: Tone::Asked });
        }
        Some(Op::Map { phys, length, .. }) => layers.ask(*phys, *length, "map"),
        Some(_) | None => {}
    }
    layers.into_map("guest-physical memory", marks)
}

/// What host and guest keep in scratch, by the words that lie there.
fn scratch(model: &PageWalkModel) -> Panel {
    let memory = &model.memory;
    let pointer = memory.held[0].bytes.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
    let rows = [
        ("generation", memory.generation.to_string()),
        ("the buffer's bytes", memory.buffer_bytes().to_string()),
        ("the buffer's stack pointer", pointer.map_or("not there".to_owned(), |pointer| format!("{pointer:#x}"))),
        ("scratch's bytes", memory.held[0].bytes.len().to_string()),
    ];
    let rows = rows.map(|(what, value)| Row::new(Tone::Plain, [what.to_owned(), value]));
    Panel::table("scratch", &["what", "value"], rows.into())
}
