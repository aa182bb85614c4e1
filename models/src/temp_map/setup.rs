//! What is fixed before the first op: the machine's memory, and how many slots are taken when it starts. Also the
//! layout of the address space, which no setup changes.

use super::address::PhysicalAddress;
use crate::vocabulary::DescribedHere;
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The size of a page and of a frame in bytes.
    pub const PAGE_BYTES: u32 = 4096;
    /// The first address of the kernel half (directory entry 768).
    pub const KERNEL_HALF: u32 = 0xc000_0000;
    /// The only page of the kernel half besides the window: data of the kernel, writable, without USER.
    pub const KERNEL_PAGE: u32 = KERNEL_HALF;
    /// The first address of the window of temporary mappings (directory entry 896): one page for each slot.
    pub const WINDOW_BASE: u32 = 0xe000_0000;
    /// The number of slots.
    pub const SLOTS: u32 = 256;
    /// The number of processors.
    pub const CPUS: u8 = 2;
    /// The most bytes that one `sys_read` or `sys_write` moves.
    pub const SYSTEM_CALL_LIMIT_BYTES: u32 = 4096;
    /// The frames that the kernel owns from the start on: its directory, the table and the page at [`KERNEL_PAGE`], and
    /// the window's table.
    pub const BOOT_FRAMES: u32 = 4;
    /// The fewest frames of a machine.
    pub const MIN_FRAMES: u16 = 6;
    /// The most frames of a machine.
    pub const MAX_FRAMES: u16 = 256;
    /// The number of addresses in [`Setup::edges`].
    pub const EDGES: usize = 16;
}

/// The machine as it is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The number of frames, [`MIN_FRAMES`] to [`MAX_FRAMES`].
    pub frames: u16,
    /// Where memory begins: a multiple of [`PAGE_BYTES`]. With 0 there is a frame 0.
    pub memory_start: PhysicalAddress,
    /// How many slots, from 0 on, are allocated when the machine starts, as drivers would do: up to [`SLOTS`]. Nothing
    /// is mapped at them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub taken_slots: u16,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(number: &u16) -> bool {
    *number == 0
}

impl Setup {
    /// The number of the first frame.
    #[must_use]
    pub const fn first_frame(&self) -> u32 {
        self.memory_start.frame()
    }

    /// The first physical address after memory.
    #[must_use]
    pub const fn memory_end(&self) -> u64 {
        self.memory_start.0 as u64 + self.frames as u64 * PAGE_BYTES as u64
    }

    /// Whether memory has a frame of this number.
    #[inline]
    #[must_use]
    pub const fn has_frame(&self, frame: u32) -> bool {
        frame.wrapping_sub(self.first_frame()) < self.frames as u32
    }

    /// Says what is wrong with a setup that a person wrote.
    pub fn check(&self) -> Result<(), &'static str> {
        if !(MIN_FRAMES..=MAX_FRAMES).contains(&self.frames) {
            return Err("frames is not between 6 and 256");
        }
        if !self.memory_start.0.is_multiple_of(PAGE_BYTES) {
            return Err("memory_start is not a multiple of 4096");
        }
        if 1 << 32 < self.memory_end() {
            return Err("memory ends beyond 4 GiB");
        }
        if SLOTS < u32::from(self.taken_slots) {
            return Err("taken_slots is above 256");
        }
        Ok(())
    }

    /// The addresses near which things happen. Version 1 of the wire format writes addresses relative to these, so the
    /// table is frozen.
    #[must_use]
    pub fn edges(&self) -> [u64; EDGES] {
        [
            0,
            0x1000,
            0x40_0000,
            0x40_1000,
            0x0804_8000,
            0x4000_0000,
            0x8000_0000,
            0xbfff_e000,
            0xbfff_f000,
            KERNEL_HALF.into(),
            0xdead_beef,
            WINDOW_BASE.into(),
            (WINDOW_BASE + SLOTS * PAGE_BYTES).into(),
            u32::MAX.into(),
            self.memory_start.0.into(),
            self.memory_end(),
        ]
    }
}
