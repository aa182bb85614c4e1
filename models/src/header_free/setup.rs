//! What is fixed before the first op: how the allocator is linked, its sizes, and how libc and the kernel behave.
//!
//! The facts behind the numbers are those of a published allocator; what is chosen here to keep traces short is named
//! so: slabs of one page, small registries, few blocks of each large kind.

use super::op::Kind;
use crate::allocation::Alignment;
use crate::vocabulary::DescribedHere;
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The page size in bytes.
    pub const PAGE_BYTES: u64 = 4096;
    /// The bytes of a header directly before the user pointer: magic, method, size, start of the memory (chosen).
    pub const HEADER_BYTES: u64 = 32;
    /// The header's first four bytes.
    pub const HEADER_MAGIC: u32 = 0x4841_4b4d;
    /// The first four bytes of a SuperSlab.
    pub const SUPERSLAB_MAGIC: u32 = 0x5353_504c;
    /// The sizes of tiny blocks in bytes.
    pub const TINY_CLASSES_BYTES: [u64; 8] = [8, 16, 32, 64, 128, 256, 512, 1024];
    /// The bytes of a SuperSlab that hold blocks (chosen: one page, so that few blocks fill it).
    pub const SLAB_BYTES: u64 = PAGE_BYTES;
    /// The largest alignment that any kind serves, in bytes.
    pub const MAX_ALIGNMENT_BYTES: u64 = PAGE_BYTES;
    /// How many blocks of each kind can live at once, in the order of [`Kind::ALL`] (chosen). Tiny blocks are limited
    /// by the registry, malloc-method blocks by [`CELLS`].
    pub const BLOCKS: [u32; 6] = [u32::MAX, 16, 8, 8, 8, u32::MAX];
    /// How many blocks libc has room for, those behind malloc-method blocks included (chosen).
    pub const CELLS: u32 = 32;
    /// How many blocks the static pool from before the allocator was up has room for (chosen).
    pub const BOOT_BLOCKS: u32 = 8;
    /// The largest of them, in bytes (chosen).
    pub const BOOT_LIMIT_BYTES: u64 = 512;
    /// Where in a SuperSlab its blocks may begin at the lowest, in bytes (chosen): what is before is not mapped.
    pub const SLAB_OFFSET_BYTES: u64 = 0x1_0000;
    /// The number of edges that sizes and distances are written relative to.
    pub const EDGES: usize = 16;
}

/// A header's bytes.
pub type Header = [u8; 32];
const _: () = assert!(size_of::<Header>() as u64 == HEADER_BYTES);

/// The setup of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// How the allocator got into the program.
    pub mode: Mode,
    /// The size of SuperSlabs as a power of two: 20 or 21.
    pub superslab_log2: u8,
    /// The registry's slots as a power of two, 1 to 4.
    pub registry_log2: u8,
    /// Whether a byte before each tiny block names its class.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tiny_header: bool,
    /// How `mincore` fails.
    #[serde(default, skip_serializing_if = "MincorePlan::is_none")]
    pub mincore: MincorePlan,
    /// Which libc lies beneath.
    #[serde(default, skip_serializing_if = "Libc::is_ledger")]
    pub libc: Libc,
    /// How `munmap` fails: with ENOMEM.
    #[serde(default, skip_serializing_if = "FaultPlan::is_none")]
    pub munmap: FaultPlan,
    /// How `madvise` fails: with EAGAIN.
    #[serde(default, skip_serializing_if = "FaultPlan::is_none")]
    pub madvise: FaultPlan,
    /// Where in a SuperSlab its blocks begin: a multiple of [`PAGE_BYTES`], at least [`SLAB_OFFSET_BYTES`], so that a
    /// page is left for them.
    #[serde(default, skip_serializing_if = "SlabOffset::is_usual")]
    pub slab_offset: SlabOffset,
    /// Whether every second place for a block of the allocator's lies 4 GiB further.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub two_arenas: bool,
}

/// A distance from the start of a SuperSlab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(transparent)]
pub struct SlabOffset(#[serde(with = "crate::hex")] pub u64);

/// How a system call fails besides where it has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(rename_all = "snake_case")]
pub enum FaultPlan {
    /// It does not.
    #[default]
    None,
    /// Every call fails.
    Always,
    /// Every second call fails.
    Sometimes,
}

/// How the allocator got into the program, which decides what becomes of pointers that are not its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
pub enum Mode {
    /// `LD_PRELOAD`: they go to libc.
    #[serde(rename = "ld_preload")]
    LdPreload,
    /// Linked, invalid-free mode 0: they go to libc, or are refused.
    #[serde(rename = "direct_0")]
    Direct0,
    /// Linked, invalid-free mode 1: they are refused.
    #[serde(rename = "direct_1")]
    Direct1,
}

/// How `mincore` fails besides where the page map makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(rename_all = "snake_case")]
pub enum MincorePlan {
    /// It does not.
    #[default]
    None,
    /// Every call fails with EAGAIN.
    Again,
    /// Every second call fails with EAGAIN.
    SometimesAgain,
    /// Every call fails with ENOSYS.
    NotImplemented,
}

/// Where libc has its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(rename_all = "snake_case")]
pub enum Libc {
    /// In the arena, with a ledger.
    #[default]
    Ledger,
    /// In the process's own heap, guarded by the ledger.
    Real,
}

impl MincorePlan {
    fn is_none(&self) -> bool {
        *self == MincorePlan::None
    }
}

impl Libc {
    fn is_ledger(&self) -> bool {
        *self == Libc::Ledger
    }
}

impl FaultPlan {
    fn is_none(&self) -> bool {
        *self == FaultPlan::None
    }
}

impl Default for SlabOffset {
    fn default() -> Self {
        SlabOffset(SLAB_OFFSET_BYTES)
    }
}

impl SlabOffset {
    fn is_usual(&self) -> bool {
        *self == SlabOffset::default()
    }
}

impl Default for Setup {
    /// A preloaded allocator of which nothing fails.
    fn default() -> Self {
        Setup::PRELOADED
    }
}

impl Setup {
    /// A preloaded allocator of which nothing fails.
    pub const PRELOADED: Setup = Setup {
        mode: Mode::LdPreload,
        superslab_log2: 21,
        registry_log2: 4,
        tiny_header: false,
        mincore: MincorePlan::None,
        libc: Libc::Ledger,
        munmap: FaultPlan::None,
        madvise: FaultPlan::None,
        slab_offset: SlabOffset(SLAB_OFFSET_BYTES),
        two_arenas: false,
    };

    /// What is wrong with the setup.
    pub fn check(&self) -> Result<(), &'static str> {
        if !(20..=21).contains(&self.superslab_log2) {
            return Err("superslab_log2 is 20 or 21");
        }
        if !(1..=4).contains(&self.registry_log2) {
            return Err("registry_log2 is 1 to 4");
        }
        let SlabOffset(offset) = self.slab_offset;
        if !offset.is_multiple_of(PAGE_BYTES) || !(SLAB_OFFSET_BYTES..=self.last_slab_offset()).contains(&offset) {
            return Err("slab_offset is no multiple of 0x1000 from 0x10000 to a page before the SuperSlab's end");
        }
        Ok(())
    }

    /// How many SuperSlabs the registry must be able to hold.
    #[inline]
    #[must_use]
    pub const fn registry_slots(&self) -> usize {
        1 << self.registry_log2
    }

    /// The furthest place in a SuperSlab for its blocks.
    #[must_use]
    pub const fn last_slab_offset(&self) -> u64 {
        (1 << self.superslab_log2) - SLAB_BYTES
    }

    /// The first address of the SuperSlab that an address would lie in.
    #[inline]
    #[must_use]
    pub const fn superslab_base(&self, address: u64) -> u64 {
        address >> self.superslab_log2 << self.superslab_log2
    }

    /// The class that serves a tiny request, as an index of [`TINY_CLASSES_BYTES`].
    #[inline]
    #[must_use]
    pub fn tiny_class(&self, size: u64, align: Alignment) -> Option<usize> {
        let needed = size.max(align.bytes());
        let widest = if self.tiny_header { 16 } else { u64::MAX };
        if widest < align.bytes() { None } else { TINY_CLASSES_BYTES.iter().position(|class| needed <= *class) }
    }

    /// How many blocks of a class a SuperSlab must have room for. With the byte before it a block takes up to 16 bytes
    /// more, so that it stays aligned.
    #[inline]
    #[must_use]
    pub fn tiny_capacity(&self, class: usize) -> u32 {
        let bytes = TINY_CLASSES_BYTES[class];
        let stride = if self.tiny_header { bytes + bytes.min(16) } else { bytes };
        u32::try_from(SLAB_BYTES / stride).unwrap_or(0)
    }

    /// Whether a kind serves such a request at all.
    #[inline]
    #[must_use]
    pub fn serves(&self, kind: Kind, size: u64, align: Alignment) -> bool {
        match kind {
            Kind::Tiny => self.tiny_class(size, align).is_some(),
            Kind::Mid | Kind::L25 | Kind::Mmap | Kind::BigCache | Kind::Malloc => {
                size <= kind.limit_bytes() && align.bytes() <= MAX_ALIGNMENT_BYTES
            }
        }
    }

    /// The kind that a reallocation ends in: the one it was if that serves the new size, else the first that does.
    #[inline]
    #[must_use]
    pub fn kind_after_realloc(&self, kind: Kind, size: u64, align: Alignment) -> Option<Kind> {
        let candidates = [kind, Kind::Tiny, Kind::Mid, Kind::L25, Kind::Mmap];
        candidates.into_iter().find(|candidate| self.serves(*candidate, size, align))
    }

    /// The numbers near which sizes and distances are interesting. Frozen with version 1 of the wire format.
    #[must_use]
    pub fn edges(&self) -> [u64; EDGES] {
        [
            0,
            64,
            512,
            1024,
            PAGE_BYTES,
            2 * PAGE_BYTES,
            3 * PAGE_BYTES,
            Kind::L25.limit_bytes(),
            Kind::Mmap.limit_bytes(),
            1 << 20,
            1 << self.superslab_log2,
            1 << 31,
            1 << 32,
            1 << 47,
            1 << 63,
            u64::MAX,
        ]
    }
}

/// A header as an attacker, or chance, would forge it: a right magic, a method, a plausible size, and a start just
/// before the pointer that it seems to belong to.
#[must_use]
pub fn forged_header(method: Kind, pointer: u64) -> Header {
    let mut header = [0; 32];
    header[..4].copy_from_slice(&HEADER_MAGIC.to_le_bytes());
    header[4..8].copy_from_slice(&(method as u32).to_le_bytes());
    header[8..16].copy_from_slice(&64_u64.to_le_bytes());
    header[16..24].copy_from_slice(&pointer.wrapping_sub(HEADER_BYTES).to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETUP: Setup = Setup { superslab_log2: 20, registry_log2: 2, ..Setup::PRELOADED };

    #[test]
    fn tiny_classes_serve_sizes_and_alignments() {
        let align = Alignment::from_exponent_folded;
        assert_eq!(SETUP.tiny_class(0, align(0)), Some(0));
        assert_eq!(SETUP.tiny_class(9, align(0)), Some(1));
        assert_eq!(SETUP.tiny_class(1, align(10)), Some(7));
        assert_eq!(SETUP.tiny_class(1025, align(0)), None);
        assert_eq!(Setup { tiny_header: true, ..SETUP }.tiny_class(1, align(5)), None);
        assert_eq!((SETUP.tiny_capacity(7), Setup { tiny_header: true, ..SETUP }.tiny_capacity(7)), (4, 3));
    }

    #[test]
    fn blocks_lie_within_their_superslab() {
        let at = |offset| Setup { slab_offset: SlabOffset(offset), ..SETUP }.check();
        for good in [SLAB_OFFSET_BYTES, 0x9_9000, 0xf_f000] {
            assert_eq!(at(good), Ok(()), "{good:#x}");
        }
        for bad in [0, 0xf000, 0x1_0008, 0x10_0000, 1 << 63] {
            assert!(at(bad).is_err(), "{bad:#x}");
        }
    }

    #[test]
    fn a_reallocation_stays_in_its_kind_if_it_can() {
        let align = Alignment::from_exponent_folded(4);
        assert_eq!(SETUP.kind_after_realloc(Kind::BigCache, 8, align), Some(Kind::BigCache));
        assert_eq!(SETUP.kind_after_realloc(Kind::Tiny, 2000, align), Some(Kind::Mid));
        assert_eq!(SETUP.kind_after_realloc(Kind::Malloc, 0x9000, align), Some(Kind::L25));
        assert_eq!(SETUP.kind_after_realloc(Kind::Tiny, u64::MAX, align), None);
    }
}
