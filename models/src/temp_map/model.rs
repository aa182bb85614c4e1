//! The reference model. [`TempMapModel`] says what it holds outcomes against. It knows no subject.

mod access;
mod audit;
mod elf;
mod frames;
mod pages;
mod picture;
mod slots;
mod spaces;
mod system_calls;
#[cfg(test)]
mod tests;
mod window;
mod words;

use super::laws::{ANSWER, FRESH, KERNEL_FAULT, LEAK, PHYSICAL, REFUSAL, SHORTAGE, SLOT_TABLE, STALE};
use super::mmu::PRESENT;
use super::operands::{Cpu, Hold, Process, Space as SpaceName};
use super::setup::{BOOT_FRAMES, CPUS};
use super::{HOLDS, Op, Outcome, PhysicalAddress, SPACES, Seen, Setup, TempMap, TempMapContract, View};
use crate::picture::{ByteRows, Picture};
use crate::vocabulary::DescribedHere;
use crate::{Depth, Law, Model, StateMap, Verdict};
use frames::{FrameIndex, Frames};
use slots::{Slots, TempMapping};
use spaces::{Space, Table};

type Judged = Result<(), Verdict>;

const FOREIGN_STORE: Verdict =
    Verdict::Moot("kernel code stored through a temporary mapping to a frame that it does not own");

/// The reference model: what each directory maps, who refers to each frame and what its bytes are, and the slots.
///
/// It judges outcomes and refuses to predict which slot or frame is handed out. What the contract fixes beyond the
/// sentences of its [laws](super::laws):
///
/// - `map_page` and `unmap_page` serve the user half of processes. Their addresses are those of pages. A page that is
///   in use is not mapped over. A directory that is in force on a processor, or in whose private window something is
///   mapped, is not destroyed.
/// - A table is made on demand, at the latest with the first page in it. How long one without pages stays, and whether
///   a fork makes one where the parent's has no page, is the kernel's. A new page is cleared through one slot. Copying
///   a shared page takes a frame and at most two slots; the last sharer's page is made writable in place and takes
///   nothing.
/// - Read-only pages are shared by a fork as they are. Writable ones become copy-on-write in both processes.
/// - `sys_read` and `sys_write` need one free slot. Without one, or without frames for copies, they stop at that page
///   as at a bad one.
/// - `protect_page` gives a mapped page other flags. A frame that anybody else refers to becomes writable only through
///   a copy: the page is marked copy-on-write, or copied at once. Where it is writable already it stays so. Without the
///   writable flag nothing is left of a mark. The page of a last sharer may keep its mark until it is stored to.
/// - `elf_load` refuses files whose headers are wrong, whose segments share a byte, or meet a page in use. A wrong file
///   is refused even when frames are short. What no segment has of a page is zero.
/// - The bytes of a frame that is handed out to a variable are unknown until they are looked at or written.
/// - When a frame becomes free while it is mapped temporarily, the mapping stays, and nothing is said of what a load
///   through it shows. A store through it, or through a mapping of a frame that nobody owns, makes the rest moot.
///
/// The place of a divergence is a virtual address, a physical address (fresh, references, leak, and bytes at the
/// audit), a slot's number (slot, slot table), or a processor's (in force).
#[derive(Debug, Clone, DescribedHere)]
pub struct TempMapModel {
    contract: TempMapContract,
    setup: Setup,
    frames: Frames,
    slots: Slots,
    spaces: [Space; SPACES],
    /// The directory in force on each processor.
    current: [u8; CPUS as usize],
    holds: [Option<u32>; HOLDS as usize],
}

impl Model<TempMap> for TempMapModel {
    fn new(setup: &Setup, contract: &TempMapContract) -> Self {
        let mut model = TempMapModel {
            contract: *contract,
            setup: setup.clone(),
            frames: Frames::new(setup),
            slots: Slots::new(setup),
            spaces: std::array::from_fn(|_| Space::default()),
            current: [0; CPUS as usize],
            holds: [None; HOLDS as usize],
        };
        model.spaces[0].is_live = true;
        model
    }

    fn reset(&mut self, setup: &Setup) {
        self.setup.clone_from(setup);
        self.frames.reset(setup);
        self.slots.reset(setup);
        for space in &mut self.spaces {
            space.clear();
        }
        self.spaces[0].is_live = true;
        self.current = [0; CPUS as usize];
        self.holds = [None; HOLDS as usize];
    }

    #[inline]
    fn arrange(&self, _op: &Op, seen: &mut Outcome) {
        // Nothing of the op before can be taken for an answer.
        seen.clear();
    }

    #[inline]
    fn judge(&mut self, op: &Op, seen: &Outcome) -> Verdict {
        match self.step(op, seen) {
            Ok(()) => Verdict::Agree,
            Err(verdict) => verdict,
        }
    }

    fn allowed(&self, op: &Op) -> String {
        words::allowed(self, op)
    }

    fn picture(&self, op: Option<&Op>) -> Picture {
        picture::picture(self, op)
    }

    fn byte_rows(&self, op: &Op, seen: &Outcome) -> Option<ByteRows> {
        picture::byte_rows(self, op, seen)
    }

    fn state_rows(&self, view: &View) -> Option<ByteRows> {
        picture::state_rows(self, view)
    }

    fn survey(&self, depth: Depth, view: &mut View) {
        audit::survey(self, depth, view);
    }

    fn audit(&self, view: &View) -> Verdict {
        match audit::judge(self, view) {
            Ok(()) => Verdict::Agree,
            Err(verdict) => verdict,
        }
    }

    fn features(&self, op: &Op, seen: &Outcome, sink: &mut StateMap<'_>) {
        let this = op.kind() as usize * 8 + seen.result.class();
        let free_frames = self.free_frames().min(7) as usize;
        let free_slots = self.slots.free_count().min(7) as usize;
        let live = self.spaces[1..].iter().filter(|space| space.is_live).count();
        let pages = self.spaces[usize::from(self.current[0])].pages().len().min(7);
        sink.hit(this * 8 + free_frames);
        sink.hit(2048 + this * 8 + free_slots);
        sink.hit(4096 + this * 8 + live);
        sink.hit(6144 + this * 8 + pages);
    }
}

/// What the model expects of an op before it looks at the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// A variable is not as it should be.
    Vacant,
    /// An argument is wrong.
    Refused,
    /// It may be done, and must be.
    Done,
    /// It may be done or fail: frames or slots are short.
    DoneOrFailed,
}

impl TempMapModel {
    fn step(&mut self, op: &Op, seen: &Outcome) -> Judged {
        if let Seen::KernelFault(fault) = seen.result {
            return Err(Verdict::diverge_at(&KERNEL_FAULT, fault_field(seen), fault.address.into()));
        }
        self.judge_taken(seen)?;
        if let Some(frame) = seen.freed_too_early {
            return Err(Verdict::diverge_at(&STALE, "release", physical(frame)));
        }
        match *op {
            Op::Create { process } => self.create(process, seen),
            Op::Fork { parent, child, .. } => self.fork(parent, child, seen),
            Op::Destroy { process, .. } => self.destroy(process, seen),
            Op::Switch { cpu, space } => self.switch(cpu, space, seen),
            Op::MapPage { cpu, address, source, flags } => {
                self.map_page(cpu, address, source, flags.entry_bits(), seen)
            }
            Op::UnmapPage { cpu, address } => self.unmap_page(cpu, address, None, seen),
            Op::UnmapPageNoFree { cpu, address, hold } => self.unmap_page(cpu, address, Some(hold), seen),
            Op::GetPhysAddr { cpu, address } => self.get_phys_addr(cpu, address, seen),
            Op::AllocFrame { hold } => self.alloc_frame(hold, seen),
            Op::FreeFrame { hold } => self.free_frame(hold, seen),
            Op::AllocSlot => self.alloc_slot(seen),
            Op::FreeSlot { slot } => self.free_slot(slot, seen),
            Op::MapTemp { cpu, frame, slot } => self.map_temp(cpu, frame, slot, seen),
            Op::UnmapTemp { slot, .. } => self.unmap_temp(slot, seen),
            Op::Load { cpu, mode, address } => self.load(cpu, mode, address, seen),
            Op::Store { cpu, mode, address, value } => self.store(cpu, mode, address, value, seen),
            Op::SysWrite { cpu, address, count } => self.sys_write(cpu, address, count, seen),
            Op::SysRead { cpu, address, count, seed } => self.sys_read(cpu, address, count, seed, seen),
            Op::ElfLoad { cpu, seed, length, ref segments } => {
                self.elf_load(cpu, super::file_of(seed, length), segments.as_slice(), seen)
            }
            Op::Protect { cpu, address, flags } => self.protect(cpu, address, flags.entry_bits(), seen),
        }
    }

    /// Frames that are handed out lie in memory and belong to nobody.
    fn judge_taken(&self, seen: &Outcome) -> Judged {
        for &frame in &seen.taken {
            if self.frames.index(frame).is_none_or(|index| self.frames.is_owned(index)) {
                return Err(Verdict::diverge_at(&FRESH, "frame", physical(frame)));
            }
        }
        Ok(())
    }

    /// Holds an answer against what is expected. `Ok(true)` when the op should have been done.
    fn settle(&self, expected: Expected, seen: &Outcome) -> Result<bool, Verdict> {
        let wrong = |law: &'static Law| Err(Verdict::diverge(law, "result"));
        match seen.result {
            Seen::Skipped => wrong(&ANSWER),
            Seen::Vacant if expected == Expected::Vacant => Ok(false),
            Seen::Vacant => wrong(&ANSWER),
            Seen::Refused if expected == Expected::Refused => Ok(false),
            Seen::Failed if expected == Expected::DoneOrFailed => Ok(false),
            Seen::Failed if expected == Expected::Done => Err(self.short(seen, Verdict::diverge(&SHORTAGE, "result"))),
            Seen::Refused
            | Seen::Failed
            | Seen::Done
            | Seen::Slot(_)
            | Seen::Address(_)
            | Seen::Physical(_)
            | Seen::Word(_)
            | Seen::Count(_)
            | Seen::Fault(_)
            | Seen::KernelFault(_) => match expected {
                Expected::Vacant => wrong(&ANSWER),
                Expected::Refused => wrong(&REFUSAL),
                Expected::Done | Expected::DoneOrFailed if seen.result == Seen::Refused => wrong(&REFUSAL),
                Expected::Done | Expected::DoneOrFailed => Ok(true),
            },
        }
    }

    /// The verdict on an op that should not have been short of anything: where the kernel's own books have fewer frames
    /// or slots free than nobody uses, the others were lost before.
    fn short(&self, seen: &Outcome, verdict: Verdict) -> Verdict {
        match seen.free {
            Some(free) if free.frames < self.free_frames() => Verdict::diverge(&LEAK, "free"),
            Some(free) if free.slots < self.slots.free_count() => Verdict::diverge(&SLOT_TABLE, "free"),
            Some(_) | None => verdict,
        }
    }

    /// The frames that nobody uses for sure. Tables count as soon as they may exist.
    fn free_frames(&self) -> u32 {
        self.free_frames_without(0)
    }

    /// The same, were so many of the tables of user pages that may exist not there.
    fn free_frames_without(&self, tables: u32) -> u32 {
        let spaces = || self.spaces[1..].iter().filter(|space| space.is_live);
        let fewest: u32 = spaces().map(|space| 1 + space.fewest_tables()).sum();
        let most: u32 = spaces().map(|space| 1 + space.most_tables()).sum();
        let windows = if self.contract.private_window {
            // The kernel's own directory has none of the boot's either.
            self.spaces.iter().map(|space| u32::from(space.window != Table::Absent)).sum()
        } else {
            1
        };
        let used = BOOT_FRAMES - 1 + windows + self.frames.in_use();
        // What is known to be used leaves no room for more tables than that.
        u32::from(self.setup.frames)
            .saturating_sub(used + fewest)
            .saturating_sub((most - fewest).saturating_sub(tables))
    }

    /// What is expected of an op that needs so many frames and slots in a directory.
    fn need(&mut self, space: usize, frames: u32, slots: u32) -> Expected {
        self.need_with_tables(space, frames, 0, slots)
    }

    /// The same; so many of the frames are for tables that may be there already.
    fn need_with_tables(&mut self, space: usize, frames: u32, possible_tables: u32, slots: u32) -> Expected {
        let uses_window = self.contract.private_window && slots != 0;
        let table = u32::from(uses_window && self.spaces[space].window != Table::Present);
        let suffices = frames + table <= self.free_frames_without(possible_tables) && slots <= self.slots.free_count();
        if uses_window && self.spaces[space].window == Table::Absent {
            self.spaces[space].window = Table::Possible;
        }
        if suffices { Expected::Done } else { Expected::DoneOrFailed }
    }

    /// The window was used in a directory.
    fn window_is_there(&mut self, space: usize) {
        self.spaces[space].window = Table::Present;
    }

    #[inline]
    fn space_of(&self, cpu: Cpu) -> usize {
        usize::from(self.current[cpu.index()])
    }

    /// Whether a temporary mapping is visible under a directory.
    fn is_visible(&self, mapping: TempMapping, space: usize) -> bool {
        !self.contract.private_window || usize::from(mapping.home) == space
    }

    /// A reference to a frame is given up.
    fn release(&mut self, frame: u32) {
        let Some(index) = self.frames.index(frame) else { return };
        if self.frames.release(index) && self.frames.is_pinned(index) {
            self.slots.dangle(frame);
        }
    }

    fn create(&mut self, process: Process, seen: &Outcome) -> Judged {
        let space = process.index() + 1;
        let expected = if self.spaces[space].is_live { Expected::Vacant } else { self.need(0, 1, 0) };
        if self.settle(expected, seen)? {
            done(seen)?;
            self.spaces[space].clear();
            self.spaces[space].is_live = true;
        }
        Ok(())
    }

    fn fork(&mut self, parent: Process, child: Process, seen: &Outcome) -> Judged {
        let (parent, child) = (parent.index() + 1, child.index() + 1);
        let is_possible = self.spaces[parent].is_live && !self.spaces[child].is_live;
        let needed = 1 + self.spaces[parent].most_tables();
        let expected = if is_possible { self.need(0, needed, 0) } else { Expected::Vacant };
        if !self.settle(expected, seen)? {
            return Ok(());
        }
        done(seen)?;
        // They are two, because a live one and one that is not are two.
        if let Ok([parent, child]) = self.spaces.get_disjoint_mut([parent, child]) {
            child.fork_from(parent);
            for page in child.pages() {
                if let Some(index) = self.frames.index(page.frame) {
                    self.frames.refer(index);
                }
            }
        }
        Ok(())
    }

    fn destroy(&mut self, process: Process, seen: &Outcome) -> Judged {
        let space = process.index() + 1;
        let holds_mapping = || self.slots.live().any(|(_, mapping)| usize::from(mapping.home) == space);
        let expected = if !self.spaces[space].is_live {
            Expected::Vacant
        } else if self.current.iter().any(|current| usize::from(*current) == space)
            || self.contract.private_window && holds_mapping()
        {
            Expected::Refused
        } else {
            Expected::Done
        };
        if !self.settle(expected, seen)? {
            return Ok(());
        }
        done(seen)?;
        let mut dying = std::mem::take(&mut self.spaces[space]);
        for page in dying.pages() {
            self.release(page.frame);
        }
        // The room of its pages is kept for the next process.
        dying.clear();
        self.spaces[space] = dying;
        Ok(())
    }

    fn switch(&mut self, cpu: Cpu, space: SpaceName, seen: &Outcome) -> Judged {
        let index = space.index();
        let expected = if self.spaces[index].is_live { Expected::Done } else { Expected::Vacant };
        if self.settle(expected, seen)? {
            done(seen)?;
            self.current[cpu.index()] = u8::try_from(index).unwrap_or(0);
        }
        Ok(())
    }

    fn alloc_frame(&mut self, hold: Hold, seen: &Outcome) -> Judged {
        let is_empty = self.holds[hold.index()].is_none();
        let expected = if is_empty { self.need(0, 1, 0) } else { Expected::Vacant };
        if !self.settle(expected, seen)? {
            return Ok(());
        }
        let Seen::Physical(address) = seen.result else { return Err(Verdict::diverge(&ANSWER, "result")) };
        let frame = address >> 12;
        let index = self.frames.index(frame).filter(|index| !self.frames.is_owned(*index));
        match index.filter(|_| PhysicalAddress(address).is_aligned() && seen.taken.contains(&frame)) {
            None => Err(Verdict::diverge_at(&FRESH, "result", address.into())),
            Some(index) => {
                self.frames.refer(index);
                self.holds[hold.index()] = Some(frame);
                Ok(())
            }
        }
    }

    fn free_frame(&mut self, hold: Hold, seen: &Outcome) -> Judged {
        let held = self.holds[hold.index()].take();
        let expected = if held.is_some() { Expected::Done } else { Expected::Vacant };
        if self.settle(expected, seen)? {
            done(seen)?;
            self.release(held.unwrap_or(u32::MAX));
        }
        Ok(())
    }
}

/// A frame's physical address, for the place of a divergence.
fn physical(frame: u32) -> u64 {
    u64::from(frame) << 12
}

/// An entry as it should be, without the bits that the processor sets.
fn entry(frame: u32, flags: u32) -> u32 {
    frame << 12 | PRESENT | flags
}

fn done(seen: &Outcome) -> Judged {
    if seen.result == Seen::Done { Ok(()) } else { Err(Verdict::diverge(&ANSWER, "result")) }
}

fn is_physical(seen: &Outcome, address: u32) -> Judged {
    if seen.result == Seen::Physical(address) {
        Ok(())
    } else {
        Err(Verdict::diverge_at(&PHYSICAL, "result", address.into()))
    }
}

/// The field of a fault that should not be: whether the page's directory entry is missing where it counts.
fn fault_field(seen: &Outcome) -> &'static str {
    match seen.directory_entries {
        Some((in_force, kernel)) if in_force & PRESENT == 0 && kernel & PRESENT != 0 => "directory",
        Some(_) | None => "fault",
    }
}
