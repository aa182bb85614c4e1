//! What kernel code and programs could see of a call, and the state that an audit is shown.

use super::mmu::{PageFault, Translation};
use super::op::OpKind;
use super::operands::PROCESSES;
use super::setup::{CPUS, MAX_FRAMES, SLOTS, SYSTEM_CALL_LIMIT_BYTES};
use crate::vocabulary::DescribedHere;
use crate::{Effect, OutcomeClass};

crate::numbers! {
    /// The number of directories: the kernel's and one for each process.
    pub const SPACES: usize = PROCESSES as usize + 1;
    /// The words of a set of slots.
    pub const SLOT_WORDS: usize = SLOTS as usize / 64;
}

/// The answer of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum Seen {
    /// The subject cannot do such an op.
    Skipped,
    /// It is done.
    Done,
    /// It failed: too few frames or slots. From `alloc_temp_slot` it is -1.
    Failed,
    /// It was refused: an argument is wrong. From `map_temp_page` it is 0, from the system calls -1, from
    /// `get_phys_addr` "not mapped".
    Refused,
    /// A variable is empty that should be full, or full that should be empty: nothing was done.
    Vacant,
    /// `alloc_temp_slot`: the slot.
    Slot(i32),
    /// `map_temp_page`: the virtual address.
    Address(u32),
    /// A physical address: of a frame, or behind an address.
    Physical(u32),
    /// What a load read.
    Word(u32),
    /// How many bytes a system call moved.
    Count(u32),
    /// The program's or the kernel code's access faulted, and the fault handler could not help.
    Fault(PageFault),
    /// The kernel faulted on a path of its own.
    KernelFault(PageFault),
}

/// A page of the user half whose entry was looked at before and after the call, as a debugger does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct PageShown {
    /// The page's address.
    pub page: u32,
    /// Its table entry before the call, 0 where there is none.
    pub was: u32,
    /// Its table entry after the call, 0 where there is none.
    pub now: u32,
}

/// What the kernel's own books say is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct Free {
    /// How many frames.
    pub frames: u32,
    /// How many slots.
    pub slots: u32,
}

/// The outcome of one call.
#[derive(Debug, DescribedHere)]
pub struct Outcome {
    /// The answer.
    pub result: Seen,
    /// The numbers of the frames that the allocator handed out during the call, in order.
    pub taken: Vec<u32>,
    /// The pages of the user half that the call was about.
    pub pages: Vec<PageShown>,
    /// What was given to `map_temp_page`.
    pub physical: Option<u32>,
    /// At a fault: the directory entries of its address, in the directory in force and in the kernel's own.
    pub directory_entries: Option<(u32, u32)>,
    /// What is free after a call that did not do all of what was asked for; where a subject does not show it, a leak
    /// is told as a shortage.
    pub free: Option<Free>,
    /// The first frame that became free during the call while a look-aside buffer still led to it, through a page
    /// that was or should have been unmapped.
    pub freed_too_early: Option<u32>,
    /// How many bytes `sys_write` delivered.
    pub shown_bytes: u32,
    buffer: Box<[u8]>,
}

impl Default for Outcome {
    fn default() -> Self {
        Outcome {
            result: Seen::Skipped,
            taken: Vec::with_capacity(2 * usize::from(MAX_FRAMES)),
            pages: Vec::with_capacity(2 * usize::from(MAX_FRAMES)),
            physical: None,
            directory_entries: None,
            free: None,
            freed_too_early: None,
            shown_bytes: 0,
            buffer: vec![0; SYSTEM_CALL_LIMIT_BYTES as usize].into(),
        }
    }
}

impl Outcome {
    /// Where `sys_write` puts what it reads.
    #[inline]
    pub fn buffer(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// What `sys_write` delivered.
    #[inline]
    #[must_use]
    pub fn shown(&self) -> &[u8] {
        &self.buffer[..(self.shown_bytes as usize).min(self.buffer.len())]
    }

    /// Forgets the op before.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.result = Seen::Skipped;
        self.taken.clear();
        self.pages.clear();
        self.physical = None;
        self.directory_entries = None;
        self.free = None;
        self.freed_too_early = None;
        self.shown_bytes = 0;
    }
}

pub(super) const CLASSES: &[OutcomeClass] = &[
    OutcomeClass { name: "done", effect: Effect::Success },
    OutcomeClass { name: "failed", effect: Effect::Failure },
    OutcomeClass { name: "refused", effect: Effect::Failure },
    OutcomeClass { name: "vacant", effect: Effect::Failure },
    OutcomeClass { name: "fault", effect: Effect::Failure },
    OutcomeClass { name: "skipped", effect: Effect::Skipped },
];

const DONE: usize = 0;
const FAILED: usize = 1;
const REFUSED: usize = 2;
const VACANT: usize = 3;
const FAULT: usize = 4;
const SKIPPED: usize = 5;

impl Seen {
    /// The index of the class in the component's outcome classes.
    #[inline]
    #[must_use]
    pub const fn class(&self) -> usize {
        match self {
            Seen::Done | Seen::Slot(_) | Seen::Address(_) | Seen::Physical(_) | Seen::Word(_) | Seen::Count(_) => DONE,
            Seen::Failed => FAILED,
            Seen::Refused => REFUSED,
            Seen::Vacant => VACANT,
            Seen::Fault(_) | Seen::KernelFault(_) => FAULT,
            Seen::Skipped => SKIPPED,
        }
    }
}

/// Which classes a subject can show for this kind of op, over all setups.
pub(super) const fn permits(kind: OpKind, class: usize) -> bool {
    match kind {
        OpKind::Create | OpKind::Fork | OpKind::AllocFrame => class == DONE || class == FAILED || class == VACANT,
        OpKind::Destroy | OpKind::UnmapPageNoFree | OpKind::MapTemp => {
            class == DONE || class == REFUSED || class == VACANT
        }
        OpKind::Switch | OpKind::FreeFrame => class == DONE || class == VACANT,
        OpKind::MapPage => class == DONE || class == FAILED || class == REFUSED || class == VACANT,
        OpKind::UnmapPage
        | OpKind::GetPhysAddr
        | OpKind::FreeSlot
        | OpKind::UnmapTemp
        | OpKind::SysWrite
        | OpKind::SysRead => class == DONE || class == REFUSED,
        OpKind::AllocSlot => class == DONE || class == FAILED,
        OpKind::Load | OpKind::Store => class == DONE || class == FAULT,
        OpKind::ElfLoad => class == DONE || class == FAILED || class == REFUSED,
        OpKind::Protect => class == DONE || class == REFUSED,
    }
}

/// An entry of a look-aside buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct Kept {
    /// The processor's index.
    pub cpu: usize,
    /// The page's address.
    pub page: u32,
    /// What is kept.
    pub translation: Translation,
}

/// A page that the audit asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct Wanted {
    /// The directory's index, as of [`Space::index`](super::Space::index).
    pub space: usize,
    /// The page's address.
    pub page: u32,
    /// The answer: its table entry, 0 where there is none.
    pub entry: u32,
}

/// The state that an audit is shown.
#[derive(Debug, Default, DescribedHere)]
pub struct View {
    /// Whether memory and look-aside buffers are asked for as well.
    pub is_full: bool,
    /// The pages asked for, with their answers.
    pub wanted: Vec<Wanted>,
    /// The reference count of each frame; empty where a subject does not show it, and so is all that follows.
    pub references: Vec<u32>,
    /// The slots that are allocated, and those that are mapped.
    pub slots: Option<([u64; SLOT_WORDS], [u64; SLOT_WORDS])>,
    /// The frame of each directory, by index.
    pub directories: Option<[Option<u32>; SPACES]>,
    /// For each processor the frame in CR3 and the one in the kernel's variable.
    pub in_force: Option<[(u32, u32); CPUS as usize]>,
    /// What the look-aside buffers keep.
    pub kept: Vec<Kept>,
    /// All of memory.
    pub memory: Vec<u8>,
}
