//! The model as a picture: the address space in force, the slots of the window, the directories, and who refers to
//! which frame. Only explaining runs come here; nothing is judged. Look-aside buffers are not in it: the model has
//! none.

use super::super::op::{Op, OpKind};
use super::super::operands::{PageSource, TempFrame};
use super::super::outcome::{Outcome, Seen, View};
use super::super::setup::{CPUS, KERNEL_HALF, KERNEL_PAGE, PAGE_BYTES, SYSTEM_CALL_LIMIT_BYTES, WINDOW_BASE};
use super::super::{Hold, SLOTS};
use super::frames::{FrameIndex, Frames};
use super::spaces::Page;
use super::{TempMapModel, slots};
use crate::picture::{ByteRows, Layers, Mark, Panel, Picture, Row, Tone};

/// The names of the directories.
const NAMES: [&str; super::SPACES] = ["the kernel's", "process A", "process B", "process C", "process D"];

/// The state before an op.
pub(super) fn picture(model: &TempMapModel, op: Option<&Op>) -> Picture {
    Picture { panels: vec![addresses(model, op), window(model, op), directories(model, op), frames(model, op)] }
}

/// The bytes that an op shows. Those that the model does not know are taken as seen.
pub(super) fn byte_rows(model: &TempMapModel, op: &Op, seen: &Outcome) -> Option<ByteRows> {
    if let (Op::Load { cpu, address, .. }, Seen::Word(word)) = (op, seen.result) {
        let start = address.0 & !3;
        let frame = frame_behind(model, model.space_of(*cpu), start)?;
        let allowed = model.frames.word(frame, start % PAGE_BYTES)?;
        let [allowed, seen] = [allowed, word].map(|word| word.to_le_bytes().to_vec());
        return Some(ByteRows { start: start.into(), allowed, seen });
    }
    if let (Op::SysWrite { cpu, address, .. }, Seen::Count(_)) = (op, seen.result) {
        let (space, seen) = (model.space_of(*cpu), seen.shown().to_vec());
        let mut allowed = seen.clone();
        for (at, byte) in (address.0..).zip(&mut allowed) {
            let frame = frame_behind(model, space, at);
            let word = frame.and_then(|frame| model.frames.word(frame, (at % PAGE_BYTES) & !3));
            *byte = word.map_or(*byte, |word| word.to_le_bytes()[at as usize % 4]);
        }
        return Some(ByteRows { start: address.0.into(), allowed, seen });
    }
    None
}

/// The bytes of the state that differ. Those that the model does not know are taken as seen.
pub(super) fn state_rows(model: &TempMapModel, view: &View) -> Option<ByteRows> {
    let mut pages = view.memory.chunks_exact(PAGE_BYTES as usize);
    let owned = model.frames.each().filter_map(|(frame, index)| Some((frame, index, pages.next()?)));
    let mut owned = owned.filter(|(_, index, _)| model.frames.is_owned(*index));
    owned.find_map(|(frame, index, seen)| {
        model.frames.first_difference(index, 0, seen)?;
        let words = (0..).step_by(4).zip(seen.chunks_exact(4));
        let words = words.map(|(offset, seen)| match model.frames.word(index, offset) {
            Some(word) => word.to_le_bytes(),
            None => seen.first_chunk::<4>().copied().unwrap_or_default(),
        });
        let start = u64::from(frame) << 12;
        Some(ByteRows { start, allowed: words.flatten().collect(), seen: seen.to_vec() })
    })
}

/// The frame whose bytes the books follow behind an address.
fn frame_behind(model: &TempMapModel, space: usize, address: u32) -> Option<FrameIndex> {
    let page = address & !(PAGE_BYTES - 1);
    if address < KERNEL_HALF {
        return model.frames.index(model.spaces[space].page(page)?.frame);
    }
    if page == KERNEL_PAGE {
        return Some(Frames::kernel_page());
    }
    let mapping = model.slots.mapping(slots::at_address(address)?)?;
    model.frames.index(mapping.frame).filter(|index| model.frames.is_owned(*index) && !mapping.is_dangling)
}

/// The addresses that an op names, as a first address and a number of bytes.
fn asked(op: &Op) -> Option<(u64, u64)> {
    let range = |address: u32, bytes: u32| Some((u64::from(address), u64::from(bytes)));
    match *op {
        Op::Load { address, .. } | Op::Store { address, .. } => range(address.0 & !3, 4),
        Op::SysWrite { address, count, .. } | Op::SysRead { address, count, .. } => {
            range(address.0, count.min(SYSTEM_CALL_LIMIT_BYTES))
        }
        Op::MapPage { address, .. }
        | Op::UnmapPage { address, .. }
        | Op::UnmapPageNoFree { address, .. }
        | Op::Protect { address, .. } => range(address.0, PAGE_BYTES),
        Op::GetPhysAddr { address, .. } => range(address.0, 1),
        Op::MapTemp { slot, .. } | Op::UnmapTemp { slot, .. } => {
            range(WINDOW_BASE + u32::try_from(slots::index(slot)?).ok()? * PAGE_BYTES, PAGE_BYTES)
        }
        Op::Create { .. }
        | Op::Fork { .. }
        | Op::Destroy { .. }
        | Op::Switch { .. }
        | Op::AllocFrame { .. }
        | Op::FreeFrame { .. }
        | Op::AllocSlot
        | Op::FreeSlot { .. }
        | Op::ElfLoad { .. } => None,
    }
}

/// What is mapped in the directory in force on the op's processor.
fn addresses(model: &TempMapModel, op: Option<&Op>) -> Panel {
    let space = op.and_then(Op::cpu).map_or(usize::from(model.current[0]), |cpu| model.space_of(cpu));
    let mut layers = Layers::new("nothing is mapped here");
    for page in model.spaces[space].pages() {
        let tone = if page.is_writable() { Tone::Live } else { Tone::Guarded };
        layers.lay(page.address.into(), PAGE_BYTES.into(), tone, page_words(page));
    }
    layers.lay(KERNEL_PAGE.into(), PAGE_BYTES.into(), Tone::Guarded, "the kernel's page");
    for (slot, mapping) in model.slots.live().filter(|(_, mapping)| model.is_visible(*mapping, space)) {
        let address = u64::from(WINDOW_BASE) + slot as u64 * u64::from(PAGE_BYTES);
        layers.lay(address, PAGE_BYTES.into(), Tone::Live, format!("slot {slot}: frame {:#x}", mapping.frame << 12));
    }
    if let Some((op, (start, bytes))) = op.and_then(|op| Some((op, asked(op)?))) {
        layers.ask(start, bytes, OpKind::NAMES[op.kind() as usize]);
    }
    let marks = [(KERNEL_HALF, "the kernel half begins"), (WINDOW_BASE, "the window begins")];
    let marks = marks.map(|(at, label)| Mark { at: at.into(), label: label.to_owned(), tone: Tone::Plain });
    layers.into_map("addresses in the directory in force", marks.into())
}

fn page_words(page: &Page) -> String {
    let rights = match (page.is_writable(), page.is_shared()) {
        (true, _) => "writable",
        (false, true) => "copy-on-write",
        (false, false) => "read-only",
    };
    let owner = if page.is_user() { "user's" } else { "kernel's" };
    format!("frame {:#x}, {rights}, {owner}", page.frame << 12)
}

/// The slots that are allocated or mapped, but those that drivers had from the start.
fn window(model: &TempMapModel, op: Option<&Op>) -> Panel {
    let asked = match op {
        Some(Op::FreeSlot { slot } | Op::MapTemp { slot, .. } | Op::UnmapTemp { slot, .. }) => slots::index(*slot),
        Some(_) | None => None,
    };
    let taken = usize::from(model.setup.taken_slots);
    let rows = (0..SLOTS as usize).filter_map(|slot| {
        let (is_allocated, mapping) = (model.slots.is_allocated(slot), model.slots.mapping(slot));
        let is_asked = asked == Some(slot);
        if !is_asked && mapping.is_none() && (!is_allocated || slot < taken) {
            return None;
        }
        let state = if is_allocated { "allocated" } else { "free" };
        let (frame, home) = match mapping {
            Some(mapping) if mapping.is_dangling => (format!("{:#x}, free since", mapping.frame << 12), mapping.home),
            Some(mapping) => (format!("{:#x}", mapping.frame << 12), mapping.home),
            None => ("nothing".to_owned(), 0),
        };
        let home = if mapping.is_some() { NAMES[usize::from(home)] } else { "" };
        let tone = if is_asked { Tone::Asked } else { Tone::Live };
        Some(Row::new(tone, [format!("slot {slot}"), state.to_owned(), frame, home.to_owned()]))
    });
    let mut rows: Vec<Row> = rows.collect();
    let free = format!("{} free slots", model.slots.free_count());
    let [state, frame, home] = Default::default();
    rows.insert(0, Row::new(Tone::Absent, [free, state, frame, home]));
    Panel::table("slots", &["slot", "state", "frame", "mapped under"], rows)
}

fn directories(model: &TempMapModel, op: Option<&Op>) -> Panel {
    let asks = |space: usize| match op {
        Some(Op::Create { process } | Op::Destroy { process, .. }) => process.index() + 1 == space,
        Some(Op::Fork { parent, child, .. }) => [parent, child].iter().any(|process| process.index() + 1 == space),
        Some(Op::Switch { space: asked, .. }) => asked.index() == space,
        Some(_) | None => false,
    };
    let rows = model.spaces.iter().enumerate().map(|(index, space)| {
        let cpus: Vec<String> = (0..CPUS)
            .filter(|cpu| usize::from(model.current[usize::from(*cpu)]) == index)
            .map(|cpu| format!("cpu {cpu}"))
            .collect();
        let tone = match space.is_live {
            _ if asks(index) => Tone::Asked,
            true => Tone::Live,
            false => Tone::Absent,
        };
        let state = if space.is_live { "live" } else { "none" };
        let pages = space.pages().len().to_string();
        Row::new(
            tone,
            [NAMES[index].to_owned(), state.to_owned(), pages, space.most_tables().to_string(), cpus.join(", ")],
        )
    });
    let columns = ["directory", "state", "user pages", "user tables", "in force on"];
    Panel::table("directories", &columns, rows.collect())
}

/// The frames that somebody refers to.
fn frames(model: &TempMapModel, op: Option<&Op>) -> Panel {
    let hold_of = |frame: u32| model.holds.iter().position(|held| *held == Some(frame));
    let asked: Option<Hold> = match op {
        Some(Op::FreeFrame { hold } | Op::AllocFrame { hold } | Op::UnmapPageNoFree { hold, .. }) => Some(*hold),
        Some(Op::MapPage { source: PageSource::Hold(hold), .. } | Op::MapTemp { frame: TempFrame::Hold(hold), .. }) => {
            Some(*hold)
        }
        Some(_) | None => None,
    };
    let in_use =
        model.frames.each().filter(|(_, index)| model.frames.is_owned(*index) || model.frames.is_pinned(*index));
    let rows = in_use.map(|(frame, index)| {
        let hold = hold_of(frame);
        let is_asked = hold.is_some() && hold == asked.map(Hold::index);
        let tone = if is_asked { Tone::Asked } else { Tone::Live };
        let mappings = model.slots.live().filter(|(_, mapping)| mapping.frame == frame).count();
        let hold = hold.map_or(String::new(), |hold| format!("frame variable {hold}"));
        let references = model.frames.references(index).to_string();
        Row::new(tone, [format!("{:#x}", frame << 12), references, mappings.to_string(), hold])
    });
    let mut rows: Vec<Row> = rows.collect();
    let [references, mappings, hold] = Default::default();
    rows.insert(
        0,
        Row::new(Tone::Absent, [format!("{} free frames", model.free_frames()), references, mappings, hold]),
    );
    Panel::table("frames in use", &["frame", "references", "temporary mappings", "held by"], rows)
}
