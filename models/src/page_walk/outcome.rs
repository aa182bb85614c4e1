//! What a caller could see of a call, and the state that an audit is shown.

use super::contract::PageWalkContract;
use super::op::{Backing, MAX_READ_BYTES, OpKind};
use crate::vocabulary::DescribedHere;
use crate::{Effect, OutcomeClass};

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum Refusal {
    /// Addresses that are not canonical, not aligned, or beyond the end of the address space.
    BadRange,
    /// A walk beyond its bounds.
    TooMuchWork,
    /// A byte of the range is not there, or may not be written.
    Gap,
    /// No room for a table, an element, an entry or the layout.
    NoRoom,
    /// What guest memory holds makes no sense, or a table lies where it cannot be changed.
    Corrupt,
    /// There is nothing: an empty buffer or slot.
    Empty,
}

/// The answer of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum Seen {
    /// The subject cannot do such an op.
    Skipped,
    /// It is done; what it gave is in the outcome's other fields.
    Done,
    /// A table was made at this address.
    Table(u64),
    /// An entry has this value.
    Entry(u64),
    /// The generation after a snapshot or restore.
    Generation(u64),
    /// Which handle has an abort buffer.
    Handles {
        /// The host's.
        host_aborts: bool,
        /// The guest's.
        guest_aborts: bool,
    },
    /// Refused.
    Refused(Refusal),
}

/// What may be done with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, DescribedHere)]
pub struct Access {
    /// Written.
    pub writable: bool,
    /// Executed.
    pub executable: bool,
    /// Copied before the first write.
    pub copy_on_write: bool,
    /// Read, and what else is allowed, in user mode.
    pub user: bool,
}

impl Access {
    /// The first right that another access has and this one has not, or the reverse.
    pub(super) fn first_difference(self, other: Access) -> &'static str {
        if self.writable != other.writable {
            "writable"
        } else if self.executable != other.executable {
            "executable"
        } else if self.copy_on_write != other.copy_on_write {
            "copy_on_write"
        } else {
            "user"
        }
    }
}

/// Pages in a row that lead to pages in a row with the same access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct Span {
    /// The first guest virtual address.
    pub start: u64,
    /// Where it leads.
    pub phys: u64,
    /// In bytes.
    pub bytes: u64,
    /// What may be done there.
    pub access: Access,
}

impl Span {
    /// Appends a span to a list, merged with the last one where both are one. So a large leaf equals its pieces.
    #[inline]
    pub fn append(spans: &mut Vec<Span>, next: Span) {
        if let Some(last) = spans.last_mut()
            && last.start.wrapping_add(last.bytes) == next.start
            && last.phys.wrapping_add(last.bytes) == next.phys
            && last.access == next.access
        {
            last.bytes += next.bytes;
            return;
        }
        spans.push(next);
    }
}

/// The type of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum RegionKind {
    /// Plain memory.
    Snapshot,
    /// Copied before the first write; without paging, scratch itself.
    Scratch,
    /// A file mapping, without paging.
    Mapped,
}

/// Where a region lies for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct HostRange {
    /// The backing that holds the first byte; `None` where no backing does.
    pub backing: Option<Backing>,
    /// The offset in the backing, or the simulated address where there is none.
    pub offset: u64,
    /// In bytes.
    pub bytes: u64,
}

/// A region of guest memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct Region {
    /// The first guest address.
    pub start: u64,
    /// In bytes.
    pub bytes: u64,
    /// Where it lies for the host.
    pub host: HostRange,
    /// Whether the guest may write it.
    pub writable: bool,
    /// Whether the guest may execute it.
    pub executable: bool,
    /// Whether user mode may, too; without paging it may.
    pub user: bool,
    /// The type.
    pub kind: RegionKind,
}

/// The outcome of one call.
#[derive(Debug, DescribedHere)]
pub struct Outcome {
    /// The answer.
    pub result: Seen,
    /// What a walk found, merged; of a translated address itself alone, as one byte.
    pub spans: Vec<Span>,
    /// The region list.
    pub regions: Vec<Region>,
    /// The bytes that a read, a host read or a pop gave.
    pub data: Vec<u8>,
    /// The largest single allocation of the op, in bytes.
    pub reserved_bytes: u64,
    /// Whether the walk went on long after it had to stop.
    pub runaway: bool,
    /// Whether what is asked for is beyond the setup's bounds of work. It is said before the call, to a walker that
    /// claims to have no bounds of its own: it skips such a call.
    pub is_beyond: bool,
    /// How many tables there are after a mapping that was refused, where the subject shows it: those on the way to a
    /// page for which there was no room were made or not.
    pub tables: Option<u64>,
}

impl Default for Outcome {
    fn default() -> Self {
        Outcome {
            result: Seen::Skipped,
            spans: Vec::with_capacity(4096),
            regions: Vec::with_capacity(4096),
            data: Vec::with_capacity(usize::try_from(MAX_READ_BYTES).unwrap_or(0)),
            reserved_bytes: 0,
            runaway: false,
            is_beyond: false,
            tables: None,
        }
    }
}

impl Outcome {
    /// Forgets the op before.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.result = Seen::Skipped;
        self.spans.clear();
        self.regions.clear();
        self.data.clear();
        self.reserved_bytes = 0;
        self.runaway = false;
        self.is_beyond = false;
        self.tables = None;
    }
}

const fn is_map(kind: OpKind) -> bool {
    matches!(kind, OpKind::Map)
}

pub(super) const CLASSES: &[OutcomeClass] = &[
    OutcomeClass { name: "done", effect: Effect::Success },
    OutcomeClass { name: "bad_range", effect: Effect::Failure },
    OutcomeClass { name: "too_much_work", effect: Effect::Failure },
    OutcomeClass { name: "gap", effect: Effect::Failure },
    OutcomeClass { name: "no_room", effect: Effect::Failure },
    OutcomeClass { name: "corrupt", effect: Effect::Failure },
    OutcomeClass { name: "empty", effect: Effect::Failure },
    OutcomeClass { name: "skipped", effect: Effect::Skipped },
];

const DONE: usize = 0;
const BAD_RANGE: usize = 1;
const TOO_MUCH_WORK: usize = 2;
const GAP: usize = 3;
const NO_ROOM: usize = 4;
const CORRUPT: usize = 5;
const EMPTY: usize = 6;
const SKIPPED: usize = 7;

impl Seen {
    /// The index of the class in the component's outcome classes.
    #[inline]
    #[must_use]
    pub const fn class(&self) -> usize {
        match self {
            Seen::Done | Seen::Table(_) | Seen::Entry(_) | Seen::Generation(_) | Seen::Handles { .. } => DONE,
            Seen::Refused(Refusal::BadRange) => BAD_RANGE,
            Seen::Refused(Refusal::TooMuchWork) => TOO_MUCH_WORK,
            Seen::Refused(Refusal::Gap) => GAP,
            Seen::Refused(Refusal::NoRoom) => NO_ROOM,
            Seen::Refused(Refusal::Corrupt) => CORRUPT,
            Seen::Refused(Refusal::Empty) => EMPTY,
            Seen::Skipped => SKIPPED,
        }
    }
}

/// Which classes a subject with this contract can show for this kind of op, over all setups.
pub(super) const fn permits(contract: &PageWalkContract, kind: OpKind, class: usize) -> bool {
    if !contract.knows(kind) {
        return class == SKIPPED;
    }
    let is_hostile = !contract.own_entries && !contract.trusts_tables;
    if class == TOO_MUCH_WORK && contract.no_bounds || class == BAD_RANGE && contract.range_unchecked && !is_map(kind) {
        return false;
    }
    match kind {
        // Tables have no room only where their number is fixed, and lie where nothing can be mapped only where a
        // hostile guest put them there.
        OpKind::Map => match class {
            DONE | BAD_RANGE => true,
            TOO_MUCH_WORK => !contract.range_unchecked && !contract.own_entries,
            NO_ROOM => !contract.own_entries,
            CORRUPT => is_hostile,
            _ => false,
        },
        OpKind::AllocTable | OpKind::Build => matches!(class, DONE | NO_ROOM),
        OpKind::SetRoot | OpKind::ReadEntry | OpKind::WriteEntry | OpKind::FillEntries => class == DONE,
        // Without entries written by hand a walk meets no more than was mapped.
        OpKind::Walk => matches!(class, DONE | BAD_RANGE) || class == TOO_MUCH_WORK && is_hostile,
        OpKind::Read => matches!(class, DONE | BAD_RANGE | TOO_MUCH_WORK | GAP),
        OpKind::Translate => matches!(class, DONE | BAD_RANGE | GAP),
        // Mappings make no pages for user mode.
        OpKind::ReadAsUser if !is_hostile => matches!(class, DONE | BAD_RANGE | GAP),
        OpKind::ReadAsUser => matches!(class, DONE | BAD_RANGE | TOO_MUCH_WORK | GAP),
        OpKind::MapFile => matches!(class, DONE | NO_ROOM | EMPTY),
        OpKind::UnmapFile => matches!(class, DONE | EMPTY),
        OpKind::Regions => class == DONE || class == TOO_MUCH_WORK && is_hostile,
        OpKind::GuestWrite | OpKind::GuestWord | OpKind::SharedRead => matches!(class, DONE | GAP),
        OpKind::Push | OpKind::AddFileMapping => matches!(class, DONE | NO_ROOM | CORRUPT),
        OpKind::Pop | OpKind::PopPrefixed => matches!(class, DONE | EMPTY | CORRUPT | NO_ROOM),
        OpKind::Clear | OpKind::Snapshot => matches!(class, DONE | NO_ROOM),
        OpKind::Restore => matches!(class, DONE | EMPTY),
    }
}

/// The state that an audit is shown. What a subject cannot show it leaves `None` or empty.
#[derive(Debug, Default, DescribedHere)]
pub struct View {
    /// Whether the audit wants to see every byte.
    pub wants_bytes: bool,
    /// The bookkeeping words: generation, the tail's address, the first free address, the size; where scratch has them.
    pub bookkeeping: Option<[u64; 4]>,
    /// Which file mappings are there: bit `n` for that with index `n`.
    pub mapped: Option<u8>,
    /// Every byte of every backing, by its index.
    pub backings: [Vec<u8>; Backing::COUNT],
    /// A byte before a backing, of no backing itself, that was written: how far before which.
    pub stray: Option<(Backing, u64)>,
    /// Every entry of every table.
    pub entries: Vec<u64>,
}
