//! State laws: the slots, the page map, the reference counts, the look-aside buffers, the bytes of memory.

use super::super::laws::{BYTES, COPY_ON_WRITE, IN_FORCE, LEAK, PAGE_MAP, REFERENCES, SLOT_TABLE, STALE, TEMP};
use super::super::mmu::{self, Access, FLAGS, OPEN, PRESENT, USER, WRITABLE};
use super::super::operands::Mode;
use super::super::outcome::SLOT_WORDS;
use super::super::setup::{KERNEL_HALF, KERNEL_PAGE, MAX_FRAMES, PAGE_BYTES, SLOTS, WINDOW_BASE};
use super::super::{View, Wanted};
use super::frames::Frames;
use super::spaces::Table;
use super::{Judged, TempMapModel, entry, physical};
use crate::{Depth, Verdict};

const KERNEL_ENTRY: u32 = KERNEL_HALF >> 22;
const WINDOW_ENTRY: u32 = WINDOW_BASE >> 22;

pub(super) fn survey(model: &TempMapModel, depth: Depth, view: &mut View) {
    view.is_full = depth == Depth::Full;
    view.wanted.clear();
    view.references.clear();
    view.kept.clear();
    view.memory.clear();
    (view.slots, view.directories, view.in_force) = (None, None, None);
    for (space, twin) in model.spaces.iter().enumerate() {
        view.wanted.extend(twin.pages().iter().map(|page| Wanted { space, page: page.address, entry: 0 }));
    }
}

pub(super) fn judge(model: &TempMapModel, view: &View) -> Judged {
    let Some(directories) = view.directories else { return Ok(()) };
    judge_slots(model, view)?;
    for (cpu, current) in model.current.iter().enumerate() {
        let frame = directories[usize::from(*current)];
        let shown = view.in_force.map(|in_force| in_force[cpu]);
        if shown.is_some_and(|shown| Some(shown.0) != frame || Some(shown.1) != frame) {
            return Err(Verdict::diverge_at(&IN_FORCE, "state", cpu as u64));
        }
    }
    for wanted in &view.wanted {
        let page = model.spaces[wanted.space].page(wanted.page);
        if page.is_none_or(|page| wanted.entry & !OPEN != entry(page.frame, page.flags)) {
            // Its frame is not its own, so no store may go there.
            let is_open = page.is_some_and(|page| page.is_shared() && wanted.entry & WRITABLE != 0);
            let law = if is_open { &COPY_ON_WRITE } else { &PAGE_MAP };
            return Err(Verdict::diverge_at(law, "state", wanted.page.into()));
        }
    }
    // A look at all of memory says everything that one without it says.
    judge_references(model, view, None)?;
    let is_full = view.memory.len() == usize::from(model.setup.frames) * PAGE_BYTES as usize;
    if is_full { judge_memory(model, view, &directories) } else { Ok(()) }
}

fn first_difference(left: &[u64; SLOT_WORDS], right: &[u64; SLOT_WORDS]) -> Option<u64> {
    let mut words = left.iter().zip(right).map(|(left, right)| left ^ right).zip(0..);
    words.find(|(word, _)| *word != 0).map(|(word, at)| 64 * at + u64::from(word.trailing_zeros()))
}

fn judge_slots(model: &TempMapModel, view: &View) -> Judged {
    let Some(shown) = view.slots else { return Ok(()) };
    let expected = model.slots.sets();
    if let Some(slot) = first_difference(&shown.0, &expected.0) {
        return Err(Verdict::diverge_at(&SLOT_TABLE, "allocated", slot));
    }
    match first_difference(&shown.1, &expected.1) {
        Some(slot) => Err(Verdict::diverge_at(&SLOT_TABLE, "mapped", slot)),
        None => Ok(()),
    }
}

/// The frames that directories and tables were found in, a bit each.
type OwnedByKernel = [u64; MAX_FRAMES as usize / 64];

/// Reference counts; without a look at memory the kernel's own frames are only counted.
fn judge_references(model: &TempMapModel, view: &View, kernel: Option<&OwnedByKernel>) -> Judged {
    if view.references.len() != usize::from(model.setup.frames) {
        return Ok(());
    }
    let mut others = 0;
    for ((at, shown), (frame, index)) in view.references.iter().enumerate().zip(model.frames.each()) {
        let is_kernels = kernel.is_some_and(|kernel| kernel[at / 64] >> (at % 64) & 1 != 0);
        let expected = model.frames.references(index) + u32::from(is_kernels);
        others += u32::from(expected == 0 && *shown != 0);
        if *shown != expected && (expected != 0 || kernel.is_some()) {
            let law = if expected == 0 { &LEAK } else { &REFERENCES };
            return Err(Verdict::diverge_at(law, "state", physical(frame)));
        }
    }
    let used_at_most = u32::from(model.setup.frames) - model.free_frames() - model.frames.in_use();
    if kernel.is_none() && used_at_most < others { Err(Verdict::diverge(&LEAK, "state")) } else { Ok(()) }
}

/// Walks the directories in memory, and looks at the bytes.
fn judge_memory(model: &TempMapModel, view: &View, directories: &[Option<u32>]) -> Judged {
    let memory = Memory { first: model.setup.first_frame(), bytes: &view.memory };
    let mut kernel: OwnedByKernel = [0; MAX_FRAMES as usize / 64];
    let mut own = |frame: u32| {
        let at = frame.wrapping_sub(memory.first) as usize;
        let Some(word) = kernel.get_mut(at / 64) else { return false };
        let is_first = *word >> (at % 64) & 1 == 0;
        *word |= 1 << (at % 64);
        is_first
    };
    let mut shared_window = None;
    let mut kernel_tables = None;
    for (space, directory) in directories.iter().enumerate() {
        let is_live = model.spaces[space].is_live;
        let Some(directory) = directory.filter(|_| is_live) else {
            if directory.is_some() != is_live {
                return Err(Verdict::diverge(&PAGE_MAP, "directory"));
            }
            continue;
        };
        let wrong = |field: &'static str, address: u32| Err(Verdict::diverge_at(&PAGE_MAP, field, address.into()));
        if !own(directory) {
            return wrong("directory", 0);
        }
        let mut pages = 0;
        for at in 0..KERNEL_ENTRY {
            let table = memory.entry(directory, at);
            if table & PRESENT == 0 {
                continue;
            }
            if !own(table >> 12) {
                return wrong("table", at << 22);
            }
            // One that no page was ever in is nobody's.
            if model.spaces[space].table(at << 22) == Table::Absent {
                return Err(Verdict::diverge_at(&LEAK, "state", physical(table >> 12)));
            }
            pages += (0..1024).filter(|inner| memory.entry(table >> 12, *inner) & PRESENT != 0).count();
        }
        // Those that should be there were asked for one by one.
        if pages != model.spaces[space].pages().len() {
            return wrong("pages", 0);
        }
        for at in (KERNEL_ENTRY..1024).filter(|at| *at != WINDOW_ENTRY) {
            let table = memory.entry(directory, at);
            if (at == KERNEL_ENTRY) != (table & PRESENT != 0) {
                return wrong("kernel_half", at << 22);
            }
            if at == KERNEL_ENTRY && *kernel_tables.get_or_insert(table >> 12) != table >> 12 {
                return wrong("kernel_half", KERNEL_PAGE);
            }
        }
        let window = memory.entry(directory, WINDOW_ENTRY);
        judge_window(model, &memory, space, window)?;
        if window & PRESENT != 0 {
            let frame = window >> 12;
            let is_known = !model.contract.private_window && *shared_window.get_or_insert(frame) == frame && space != 0;
            if !is_known && !own(frame) {
                return wrong("window", WINDOW_BASE);
            }
        }
    }
    if let Some(table) = kernel_tables {
        let page = memory.entry(table, 0);
        own(table);
        own(page >> 12);
        if page & FLAGS & !OPEN != PRESENT | WRITABLE {
            return Err(Verdict::diverge_at(&PAGE_MAP, "kernel_half", KERNEL_PAGE.into()));
        }
        judge_bytes(model, &memory, page >> 12, Frames::kernel_page())?;
    }
    judge_references(model, view, Some(&kernel))?;
    for (frame, index) in model.frames.each().filter(|(_, index)| model.frames.references(*index) != 0) {
        judge_bytes(model, &memory, frame, index)?;
    }
    judge_kept(model, view, &memory)
}

/// The window of one directory maps its visible slots to their frames, for the kernel alone.
fn judge_window(model: &TempMapModel, memory: &Memory<'_>, space: usize, window: u32) -> Judged {
    let is_there = window & PRESENT != 0;
    if is_there && window & USER != 0 {
        return Err(Verdict::diverge_at(&TEMP, "state", WINDOW_BASE.into()));
    }
    for slot in 0..SLOTS {
        let shown = if is_there { memory.entry(window >> 12, slot) } else { 0 };
        let mapping = model.slots.mapping(slot as usize).filter(|mapping| model.is_visible(*mapping, space));
        let expected = mapping.map(|mapping| entry(mapping.frame, WRITABLE));
        let shown = (shown & PRESENT != 0).then_some(shown & !OPEN);
        if shown != expected {
            return Err(Verdict::diverge_at(&TEMP, "state", u64::from(WINDOW_BASE + slot * PAGE_BYTES)));
        }
    }
    Ok(())
}

fn judge_bytes(model: &TempMapModel, memory: &Memory<'_>, frame: u32, index: super::FrameIndex) -> Judged {
    let Some(bytes) = memory.frame(frame) else { return Ok(()) };
    match model.frames.first_difference(index, 0, bytes) {
        Some(at) => Err(Verdict::diverge_at(&BYTES, "memory", physical(frame) + u64::from(at))),
        None => Ok(()),
    }
}

/// What look-aside buffers keep is what the tables give, or less.
fn judge_kept(model: &TempMapModel, view: &View, memory: &Memory<'_>) -> Judged {
    let Some(in_force) = view.in_force else { return Ok(()) };
    for kept in &view.kept {
        let read = |frame: u32, index: u32| memory.entry(frame, index);
        let walked =
            mmu::walk(in_force[kept.cpu % model.current.len()].0, kept.page, Mode::Kernel, Access::Load, &read);
        let given = |walked: mmu::Walked| {
            let rights = kept.translation.rights & (WRITABLE | USER);
            walked.translation.frame == kept.translation.frame && walked.translation.rights & rights == rights
        };
        if !walked.is_ok_and(given) {
            return Err(Verdict::diverge_at(&STALE, "state", kept.page.into()));
        }
    }
    Ok(())
}

/// Memory as it is shown.
struct Memory<'a> {
    first: u32,
    bytes: &'a [u8],
}

impl Memory<'_> {
    fn frame(&self, frame: u32) -> Option<&[u8]> {
        let start = frame.wrapping_sub(self.first) as usize * PAGE_BYTES as usize;
        self.bytes.get(start..)?.get(..PAGE_BYTES as usize)
    }

    /// An entry of a table; all ones where there is no memory.
    fn entry(&self, frame: u32, index: u32) -> u32 {
        let bytes = self.frame(frame).and_then(|table| table.get(4 * index as usize..)?.first_chunk::<4>());
        bytes.map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes))
    }
}
