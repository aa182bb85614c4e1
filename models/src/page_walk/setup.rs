//! What is fixed before the first op: how large the backings are, where they lie for the guest and for the host, and
//! where the table buffer begins.

use super::op::Backing;
use crate::vocabulary::DescribedHere;
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The page size in bytes.
    pub const PAGE_BYTES: u64 = 4096;
    /// Where the snapshot lies for the guest.
    pub const SNAPSHOT_GPA: u64 = 0x1000;
    /// The end of the guest-physical address space (36 bits): scratch lies at its top.
    pub const GPA_END: u64 = 1 << 36;
    /// The end of what an entry can point to (52 bits).
    pub const PHYSICAL_END: u64 = 1 << 52;
    /// The largest backing in bytes.
    pub const MAX_BACKING_BYTES: u32 = 0x1_0000;
    /// The most pages of page tables behind the snapshot's guest-visible part.
    pub const MAX_TAIL_PAGES: u8 = 4;
    /// The most file mappings that a setup has, and so the number of backings less two.
    pub const MAX_MAPPED: usize = 3;
    /// Tables in the table buffer at most.
    pub const MAX_TABLES: usize = 32;
    /// Entries of the list of file mappings at most.
    pub const MAX_FILE_MAPPINGS: u64 = 8;
    /// An entry of the list of file mappings: address, length, and a word of flags, in bytes.
    pub const FILE_MAPPING_BYTES: u64 = 24;
    /// The list of file mappings, with its count, in bytes.
    pub const FILE_MAPPING_LIST_BYTES: u64 = 8 + MAX_FILE_MAPPINGS * FILE_MAPPING_BYTES;
    /// The words at the end of scratch, in bytes: generation, the tail's address, the first free address, scratch's
    /// size.
    pub const BOOKKEEPING_BYTES: u64 = 0x20;
    /// How far the ends of backings lie apart for the host, in bytes.
    pub const HOST_SLOT_BYTES: u64 = 1 << 20;
    /// The number of edges that addresses are written relative to.
    pub const EDGES: usize = 32;
}

/// The setup of a trace.
///
/// Scratch holds, in this order: the buffer from offset 0, the list of file mappings (from the next multiple of 8), the
/// copy of the snapshot's tail (from the next page, if there is one), what the guest allocates, and at its end the
/// bookkeeping words. Where these do not fit, memory cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Whether guest addresses are translated; without paging they are guest-physical.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub paging: bool,
    /// The guest-visible part of the snapshot in bytes, 1 to [`MAX_BACKING_BYTES`].
    pub snapshot_bytes: u32,
    /// The pages of page tables behind it, at most [`MAX_TAIL_PAGES`]. They begin at the next page.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tail_pages: u8,
    /// Scratch in bytes, 1 to [`MAX_BACKING_BYTES`].
    pub scratch_bytes: u32,
    /// The buffer in scratch in bytes, at most all of scratch.
    pub buffer_bytes: u32,
    /// The guest-physical address of the table buffer: a multiple of the page size.
    #[serde(with = "crate::hex")]
    pub table_base: u64,
    /// The file mappings, at most [`MAX_MAPPED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mapped: Vec<MappedSetup>,
    /// Whether the first file mapping lies right behind the snapshot for the host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adjacent: bool,
    /// How much work a walk may take.
    #[serde(default, skip_serializing_if = "WorkBounds::is_full")]
    pub work_bounds: WorkBounds,
}

/// How much work a walk may take before it ends with an error. A large leaf is one leaf; the root is a table that is
/// visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(rename_all = "snake_case")]
pub enum WorkBounds {
    /// 2^20 leaves and 2^16 visits of tables.
    #[default]
    Full,
    /// 2^12 leaves and 2^10 visits: bounds that are met within microseconds, and so in many traces.
    Small,
}

impl WorkBounds {
    /// The most leaves.
    #[inline]
    #[must_use]
    pub const fn leaves(self) -> u64 {
        match self {
            WorkBounds::Full => 1 << 20,
            WorkBounds::Small => 1 << 12,
        }
    }

    /// The most visits of tables.
    #[inline]
    #[must_use]
    pub const fn table_visits(self) -> u64 {
        match self {
            WorkBounds::Full => 1 << 16,
            WorkBounds::Small => 1 << 10,
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
    fn is_full(&self) -> bool {
        *self == WorkBounds::Full
    }
}

/// A file mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct MappedSetup {
    /// Where it lies for the guest: a multiple of the page size below [`GPA_END`].
    #[serde(with = "crate::hex")]
    pub gpa: u64,
    /// Its length in bytes, 1 to [`MAX_BACKING_BYTES`].
    pub bytes: u32,
    /// Whether the guest may write it.
    pub writable: bool,
    /// Whether the guest may execute it.
    pub executable: bool,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_yes(paging: &bool) -> bool {
    *paging
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(pages: &u8) -> bool {
    *pages == 0
}

impl Setup {
    /// A setup that a person would write first.
    #[must_use]
    pub fn plain() -> Self {
        Setup {
            paging: true,
            snapshot_bytes: 0x4000,
            tail_pages: 0,
            scratch_bytes: 0x4000,
            buffer_bytes: 0x400,
            table_base: 0x10_0000,
            mapped: Vec::new(),
            adjacent: false,
            work_bounds: WorkBounds::Full,
        }
    }

    /// Where scratch lies for the guest.
    #[must_use]
    pub fn scratch_gpa(&self) -> u64 {
        GPA_END - u64::from(self.scratch_bytes).next_multiple_of(PAGE_BYTES)
    }

    /// The snapshot's backing in bytes: with its tail, if there is one.
    #[must_use]
    pub fn snapshot_backing_bytes(&self) -> u64 {
        let visible = u64::from(self.snapshot_bytes);
        if self.tail_pages == 0 { visible } else { self.tail_offset() + u64::from(self.tail_pages) * PAGE_BYTES }
    }

    /// Where the tail begins in the snapshot's backing.
    #[must_use]
    pub fn tail_offset(&self) -> u64 {
        u64::from(self.snapshot_bytes).next_multiple_of(PAGE_BYTES)
    }

    /// Where a backing begins and ends for the host, in simulated addresses: from the start of the memory that all
    /// backings lie in. Each ends right before inaccessible memory, and other backings are far away, except in adjacent
    /// setups.
    #[must_use]
    pub fn host_range(&self, backing: Backing) -> Option<(u64, u64)> {
        let first_mapped = self.mapped.first().filter(|_| self.adjacent).map_or(0, |mapped| u64::from(mapped.bytes));
        let slot = |index: usize| index as u64 * HOST_SLOT_BYTES + HOST_SLOT_BYTES / 2;
        let (end, bytes) = match backing {
            Backing::Scratch => (slot(backing.index()), u64::from(self.scratch_bytes)),
            Backing::Snapshot => (slot(backing.index()) - first_mapped, self.snapshot_backing_bytes()),
            Backing::Mapped(index) => {
                let bytes = u64::from(self.mapped.get(usize::from(index))?.bytes);
                let is_behind = self.adjacent && index == 0;
                (slot(if is_behind { Backing::Snapshot.index() } else { backing.index() }), bytes)
            }
        };
        Some((end - bytes, end))
    }

    /// The setup with every number in its range.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        self.snapshot_bytes = self.snapshot_bytes.clamp(1, MAX_BACKING_BYTES);
        self.tail_pages = self.tail_pages.min(MAX_TAIL_PAGES);
        self.scratch_bytes = self.scratch_bytes.clamp(1, MAX_BACKING_BYTES);
        self.buffer_bytes = self.buffer_bytes.min(self.scratch_bytes);
        let last_base = PHYSICAL_END - MAX_TABLES as u64 * PAGE_BYTES;
        self.table_base = (self.table_base & !(PAGE_BYTES - 1)).min(last_base);
        self.mapped.truncate(MAX_MAPPED);
        for mapped in &mut self.mapped {
            mapped.gpa = mapped.gpa & !(PAGE_BYTES - 1) & (GPA_END - 1);
            mapped.bytes = mapped.bytes.clamp(1, MAX_BACKING_BYTES);
        }
        self.adjacent &= !self.mapped.is_empty();
        self
    }

    /// Says what is wrong with a setup that a person wrote.
    pub fn check(&self) -> Result<(), &'static str> {
        if *self == self.clone().normalised() {
            Ok(())
        } else {
            Err("a size is 0 or too large, an address is no multiple of 4096 or too large, or adjacent has nothing \
                 behind")
        }
    }

    /// The addresses near which things happen. Version 1 of the wire format writes numbers relative to these, so the
    /// table is frozen.
    #[must_use]
    pub fn edges(&self) -> [u64; EDGES] {
        let mapped = |index: usize| self.mapped.get(index).map_or((0, 0), |mapped| (mapped.gpa, mapped.bytes));
        let end = |index: usize| mapped(index).0 + u64::from(mapped(index).1);
        let scratch = self.scratch_gpa();
        [
            0,
            SNAPSHOT_GPA,
            SNAPSHOT_GPA + u64::from(self.snapshot_bytes),
            SNAPSHOT_GPA + self.tail_offset(),
            scratch,
            scratch + u64::from(self.scratch_bytes),
            GPA_END,
            mapped(0).0,
            end(0),
            mapped(1).0,
            end(1),
            mapped(2).0,
            end(2),
            self.table_base,
            self.table_base + PAGE_BYTES,
            self.table_base + MAX_TABLES as u64 * PAGE_BYTES,
            1 << 47,
            0xffff_8000_0000_0000,
            u64::MAX,
            0xffff_ffff_ffff_f000,
            1 << 48,
            0x7fff_ffff_f000,
            PHYSICAL_END,
            1 << 21,
            1 << 30,
            1 << 39,
            1 << 40,
            1 << 63,
            0x1_0000,
            0x0040_0000,
            1 << 32,
            scratch + u64::from(self.buffer_bytes).next_multiple_of(8),
        ]
    }
}
