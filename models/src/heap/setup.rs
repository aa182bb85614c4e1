//! What is fixed before the first op: how many threads the program has, the memory that an arena manages, and which
//! request for memory the system refuses.

use crate::vocabulary::DescribedHere;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

crate::numbers! {
    /// The nominal address of the 2 MiB boundary below an arena's first region: a multiple of any alignment that
    /// matters. Addresses of arenas are told relative to it, so that they repeat; those of heaps with memory of their
    /// own are the process's.
    pub const ARENA_BASE: u64 = 1 << 40;
    /// Regions begin at a distance from a multiple of this, in bytes.
    pub const BOUNDARY_BYTES: u64 = 2 << 20;
    /// The most bytes of a first region, and the most that `extend` adds to it.
    pub const MAX_REGION_BYTES: u32 = 8 << 20;
    /// The most bytes of the gap before a second region, and of that region.
    pub const MAX_SECOND_BYTES: u32 = 1 << 20;
    /// The most bytes from the boundary to the end of what an arena may have.
    pub const ARENA_BYTES: u64 = BOUNDARY_BYTES + 2 * MAX_REGION_BYTES as u64 + 2 * MAX_SECOND_BYTES as u64;
    /// The most threads of a program.
    pub const MAX_THREADS: u8 = 4;
    /// The number of edges that sizes are written relative to.
    pub const EDGES: usize = 16;
}

/// The setup of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// How many threads the program has, 1 to [`MAX_THREADS`].
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub threads: u8,
    /// The distance of an arena's first region from a multiple of [`BOUNDARY_BYTES`], below it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skew_bytes: u32,
    /// The first region's size at the start, 1 to [`MAX_REGION_BYTES`].
    pub first_bytes: u32,
    /// What `extend` may add to it in all, at most [`MAX_REGION_BYTES`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub extend_bytes: u32,
    /// A second region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<SecondRegion>,
    /// What memory holds before anybody has written it.
    #[serde(default, skip_serializing_if = "Fill::is_zeros")]
    pub memory_holds: Fill,
    /// Which request to the system fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// A second region of an arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct SecondRegion {
    /// What lies between the end of all that `extend` may add to the first region and this one, 1 to
    /// [`MAX_SECOND_BYTES`].
    pub gap_bytes: u32,
    /// Its size, 1 to [`MAX_SECOND_BYTES`].
    pub bytes: u32,
}

/// What every byte of fresh memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// 0x00.
    #[default]
    Zeros,
    /// 0xff.
    Ones,
    /// 0xdd.
    Freed,
    /// 0x41.
    Letters,
}

/// A request to the system that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What is asked for.
    pub request: Request,
    /// How many such requests are granted before.
    pub after: u16,
    /// Whether all that follow fail, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lasts: bool,
}

/// What a heap asks the system for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Memory: `mmap`, `brk`, `mremap`.
    Map,
    /// To take memory back: `munmap`.
    Unmap,
    /// To treat memory otherwise: `madvise`, `mprotect`.
    Advise,
}

impl Fault {
    /// The numbers of the requests of this kind that fail, counted from 0.
    #[must_use]
    pub const fn refused(self) -> RangeInclusive<u32> {
        let first = self.after as u32;
        first..=if self.lasts { u32::MAX } else { first }
    }
}

impl Request {
    /// Every request, in the order of their numbers on the wire.
    pub const ALL: [Request; 3] = [Request::Map, Request::Unmap, Request::Advise];
}

const fn one() -> u8 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
const fn is_one(threads: &u8) -> bool {
    *threads == 1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
const fn is_zero(bytes: &u32) -> bool {
    *bytes == 0
}

impl Fill {
    /// Every fill, in the order of their numbers on the wire.
    pub const ALL: [Fill; 4] = [Fill::Zeros, Fill::Ones, Fill::Freed, Fill::Letters];

    fn is_zeros(&self) -> bool {
        *self == Fill::Zeros
    }

    /// The byte.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Fill::Zeros => 0x00,
            Fill::Ones => 0xff,
            Fill::Freed => 0xdd,
            Fill::Letters => 0x41,
        }
    }
}

impl Setup {
    /// A program of one thread, and an arena of so many bytes that cannot grow.
    #[must_use]
    pub const fn flat(first_bytes: u32) -> Self {
        Setup {
            threads: 1,
            skew_bytes: 0,
            first_bytes,
            extend_bytes: 0,
            second: None,
            memory_holds: Fill::Zeros,
            fault: None,
        }
    }

    /// The first address of an arena's first region.
    #[must_use]
    pub const fn first_start(&self) -> u64 {
        ARENA_BASE + self.skew_bytes as u64
    }

    /// The first address beyond all that the first region may have.
    #[must_use]
    pub const fn first_limit(&self) -> u64 {
        self.first_start() + self.first_bytes as u64 + self.extend_bytes as u64
    }

    /// The second region, from its first address to the first one beyond it.
    #[must_use]
    pub fn second_range(&self) -> Option<(u64, u64)> {
        self.second.map(|second| {
            let start = self.first_limit() + u64::from(second.gap_bytes);
            (start, start + u64::from(second.bytes))
        })
    }

    /// Says what is wrong with a setup that a person wrote.
    pub fn check(&self) -> Result<(), &'static str> {
        if !(1..=MAX_THREADS).contains(&self.threads) {
            return Err("threads is not between 1 and 4");
        }
        if BOUNDARY_BYTES <= u64::from(self.skew_bytes) {
            return Err("skew_bytes is not below 2097152");
        }
        if !(1..=MAX_REGION_BYTES).contains(&self.first_bytes) {
            return Err("first_bytes is not between 1 and 8388608");
        }
        if MAX_REGION_BYTES < self.extend_bytes {
            return Err("extend_bytes is above 8388608");
        }
        let fits = |bytes: u32| (1..=MAX_SECOND_BYTES).contains(&bytes);
        if self.second.is_some_and(|second| !fits(second.gap_bytes) || !fits(second.bytes)) {
            return Err("gap_bytes or bytes of the second region is not between 1 and 1048576");
        }
        Ok(())
    }

    /// The sizes near which things happen. Version 1 of the wire format writes numbers relative to these, so the table
    /// is frozen.
    #[must_use]
    pub fn edges(&self) -> [u64; EDGES] {
        let first = u64::from(self.first_bytes);
        [
            0,
            256,
            4096,
            0x1_0000,
            first,
            first / 2,
            first + u64::from(self.extend_bytes),
            self.second.map_or(1 << 10, |second| u64::from(second.bytes)),
            0x2_0000,
            BOUNDARY_BYTES,
            64 << 20,
            1 << 30,
            1 << 40,
            u64::MAX >> 1,
            u64::MAX,
            1 << 63,
        ]
    }
}
