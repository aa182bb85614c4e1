//! What a person reads of the model: sentences and nothing else. Only explaining runs come here; nothing is judged.

use super::super::op::Op;
use super::super::operands::{Cpu, Mode, PageSource, TempFrame};
use super::super::setup::{KERNEL_HALF, KERNEL_PAGE, WINDOW_BASE};
use super::super::{Process, VirtualAddress};
use super::{TempMapModel, slots};

/// What the model allows for an op in its present state.
pub(super) fn allowed(model: &TempMapModel, op: &Op) -> String {
    let free = format!("{} frames and {} slots are free", model.free_frames(), model.slots.free_count());
    match *op {
        Op::Create { process } | Op::Fork { child: process, .. } if is_live(model, process) => {
            format!("nothing: {} is there already", name(process))
        }
        Op::Fork { parent, .. } if !is_live(model, parent) => {
            format!("nothing: there is no {}", name(parent))
        }
        Op::Create { .. } => format!("done; {free}"),
        Op::Fork { parent, .. } => {
            let space = &model.spaces[parent.index() + 1];
            format!(
                "done, with {} pages shared, at the cost of {} frames; {free}",
                space.pages().len(),
                1 + space.most_tables()
            )
        }
        Op::Destroy { process, .. } if !is_live(model, process) => "nothing: there is no such process".to_owned(),
        Op::Destroy { process, .. } => {
            let space = process.index() + 1;
            let in_force = model.current.iter().any(|current| usize::from(*current) == space);
            if in_force { "a refusal: its directory is in force".to_owned() } else { "done".to_owned() }
        }
        Op::Switch { space, .. } => {
            if model.spaces[space.index()].is_live { "done" } else { "nothing: there is no such process" }.to_owned()
        }
        Op::MapPage { source: PageSource::Hold(hold), .. } if model.holds[hold.index()].is_none() => {
            "nothing: the variable is empty".to_owned()
        }
        Op::MapPage { cpu, address, .. } => map_page(model, cpu, address, &free),
        Op::UnmapPage { cpu, address } | Op::UnmapPageNoFree { cpu, address, .. } => {
            match model.spaces[model.space_of(cpu)].page(address.0) {
                Some(page) => format!("done: the page has frame {:#x}", page.frame << 12),
                None => "a refusal: no page begins there".to_owned(),
            }
        }
        Op::GetPhysAddr { cpu, address } => behind(model, cpu, address),
        Op::AllocFrame { hold } => match model.holds[hold.index()] {
            Some(_) => "nothing: the variable is full".to_owned(),
            None => format!("a frame that nobody uses; {free}"),
        },
        Op::FreeFrame { hold } => match model.holds[hold.index()] {
            Some(frame) => format!("done: the frame {:#x} loses one reference", frame << 12),
            None => "nothing: the variable is empty".to_owned(),
        },
        Op::AllocSlot if model.slots.free_count() == 0 => "-1: every slot is taken".to_owned(),
        Op::AllocSlot => format!("one of the {} free slots", model.slots.free_count()),
        Op::FreeSlot { slot } => match slot_state(model, slot) {
            SlotState::Free(why) | SlotState::Mapped(why) => format!("a refusal: {why}"),
            SlotState::Allocated => "done".to_owned(),
        },
        Op::MapTemp { cpu, frame, slot } => map_temp(model, cpu, frame, slot),
        Op::UnmapTemp { slot, .. } => match slot_state(model, slot) {
            SlotState::Mapped(_) => "done; its frame stays as it is".to_owned(),
            SlotState::Free(_) | SlotState::Allocated => "a refusal: nothing is mapped there".to_owned(),
        },
        Op::Load { cpu, mode, address } => access(model, cpu, mode, address, false),
        Op::Store { cpu, mode, address, .. } => access(model, cpu, mode, address, true),
        Op::SysWrite { count: 0, .. } | Op::SysRead { count: 0, .. } => "0 or -1".to_owned(),
        Op::SysWrite { address, count, .. } | Op::SysRead { address, count, .. } => {
            let count = count.min(super::super::SYSTEM_CALL_LIMIT_BYTES);
            if address.0.checked_add(count).is_none_or(|end| KERNEL_HALF < end) {
                return "-1: the range leaves the user half".to_owned();
            }
            format!("{count}, or the bytes before the first bad page, or -1 if there are none; {free}")
        }
        Op::ElfLoad { .. } => format!("done if the headers are right and the pages unused, else a refusal; {free}"),
        Op::Protect { cpu, address, .. } => match model.spaces[model.space_of(cpu)].page(address.0) {
            Some(page) => format!(
                "done: the page has frame {:#x}, which becomes writable only if nobody else refers to it",
                page.frame << 12
            ),
            None => "a refusal: no page begins there".to_owned(),
        },
    }
}

fn name(process: Process) -> String {
    format!("process {}", char::from(b'A' + u8::from(process)))
}

fn is_live(model: &TempMapModel, process: Process) -> bool {
    model.spaces[process.index() + 1].is_live
}

fn map_page(model: &TempMapModel, cpu: Cpu, address: VirtualAddress, free: &str) -> String {
    let space = model.space_of(cpu);
    if space == 0 {
        "a refusal: no process is in force".to_owned()
    } else if address.offset() != 0 || KERNEL_HALF <= address.0 {
        "a refusal: it is no page of the user half".to_owned()
    } else if model.spaces[space].page(address.0).is_some() {
        "a refusal: the page is in use".to_owned()
    } else {
        format!("done; {free}")
    }
}

fn behind(model: &TempMapModel, cpu: Cpu, address: VirtualAddress) -> String {
    match model.spaces[model.space_of(cpu)].page(address.page()) {
        Some(page) => format!("{:#x}", page.frame << 12 | address.offset()),
        None if address.0 < KERNEL_HALF => "\"not mapped\"".to_owned(),
        None => "the frame behind it, if one is mapped".to_owned(),
    }
}

fn map_temp(model: &TempMapModel, cpu: Cpu, frame: TempFrame, slot: i32) -> String {
    let address = match frame {
        TempFrame::Hold(hold) => model.holds[hold.index()].map(|frame| frame << 12),
        TempFrame::Behind(address) => {
            model.spaces[model.space_of(cpu)].page(address.page()).map(|page| page.frame << 12)
        }
        TempFrame::At(address) => Some(address.0),
    };
    let Some(address) = address else { return "nothing: there is no frame to map".to_owned() };
    match slot_state(model, slot) {
        SlotState::Free(why) | SlotState::Mapped(why) => format!("0: {why}"),
        SlotState::Allocated if !address.is_multiple_of(4096) => format!("0: {address:#x} is no frame's start"),
        SlotState::Allocated if !model.setup.has_frame(address >> 12) => format!("0: {address:#x} is no memory"),
        SlotState::Allocated => {
            format!("{:#x}, which then reaches {address:#x}", i64::from(WINDOW_BASE) + i64::from(slot) * 4096)
        }
    }
}

enum SlotState {
    Free(&'static str),
    Allocated,
    Mapped(&'static str),
}

fn slot_state(model: &TempMapModel, slot: i32) -> SlotState {
    match slots::index(slot) {
        None => SlotState::Free("there is no such slot"),
        Some(index) if !model.slots.is_allocated(index) => SlotState::Free("the slot is not allocated"),
        Some(index) if model.slots.mapping(index).is_some() => SlotState::Mapped("a frame is mapped at the slot"),
        Some(_) => SlotState::Allocated,
    }
}

fn access(model: &TempMapModel, cpu: Cpu, mode: Mode, address: VirtualAddress, is_store: bool) -> String {
    let space = model.space_of(cpu);
    if address.0 < KERNEL_HALF {
        return match model.spaces[space].page(address.page()) {
            None => "a page fault: nothing is mapped there".to_owned(),
            Some(page) if mode == Mode::User && !page.is_user() => "a page fault: the page is the kernel's".to_owned(),
            Some(page) if is_store && page.is_shared() => format!(
                "done: the page is copied from frame {:#x} first, or made writable if nobody else refers to the frame",
                page.frame << 12
            ),
            Some(page) if is_store && !page.is_writable() => "a page fault: the page is read-only".to_owned(),
            Some(page) if is_store => format!("done, in frame {:#x}", page.frame << 12),
            Some(page) => load(model, page.frame, address),
        };
    }
    let mapping = slots::at_address(address.0).and_then(|slot| model.slots.mapping(slot));
    match mapping.filter(|mapping| model.is_visible(*mapping, space)) {
        Some(_) if mode == Mode::User => "a page fault: the window is the kernel's".to_owned(),
        Some(mapping) if is_store => format!("done, in frame {:#x}", mapping.frame << 12),
        Some(mapping) => load(model, mapping.frame, address),
        None if address.page() == KERNEL_PAGE && mode == Mode::Kernel => "success, on the kernel's page".to_owned(),
        None => "a page fault: nothing is mapped there under the directory in force".to_owned(),
    }
}

/// What a load from a frame shows.
fn load(model: &TempMapModel, frame: u32, address: VirtualAddress) -> String {
    let known = model.frames.index(frame).filter(|index| model.frames.is_owned(*index));
    match known.and_then(|index| model.frames.word(index, address.offset() & !3)) {
        Some(word) => format!("{word:#x}, from frame {:#x}", frame << 12),
        None => format!("any word, from frame {:#x}: nobody said what is there", frame << 12),
    }
}
