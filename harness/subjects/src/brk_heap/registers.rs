//! The register file that the user code is written over, and where its locals live. Does not know what they mean.

use memtwin_models::brk_heap::{Placement, Storage};

/// The number of the system call's register.
pub(super) const NUMBER: usize = 8;

/// A local of the allocator that is needed while a system call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    Size,
    Mask,
    Head,
    NewHead,
    NewEnd,
}

/// x0 to x30 and the stack pointer, and the allocator's stack frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    /// x0 to x30.
    pub x: [u64; 31],
    /// The stack pointer.
    pub sp: u64,
    frame: [u64; 5],
    places: [Storage; 5],
}

impl Registers {
    pub(super) fn new(placement: &Placement, sp: u64) -> Self {
        let Placement { size, mask, head, new_head, new_end } = *placement;
        let mut x = [0; 31];
        for (number, register) in (0_u64..).zip(&mut x) {
            // Not one of them looks like an address, a size or a result.
            *register = 0x5eed_0000_0000_0000 + (number << 32);
        }
        Registers { x, sp, frame: [0; 5], places: [size, mask, head, new_head, new_end] }
    }

    #[inline]
    pub(super) fn get(&self, local: Local) -> u64 {
        match self.places[local as usize] {
            Storage::Saved => self.frame[local as usize],
            Storage::X(number) => self.x[usize::from(number)],
        }
    }

    #[inline]
    pub(super) fn set(&mut self, local: Local, value: u64) {
        match self.places[local as usize] {
            Storage::Saved => self.frame[local as usize] = value,
            Storage::X(number) => self.x[usize::from(number)] = value,
        }
    }

    /// The first register, other than x0, that is not as it was; 31 is the stack pointer.
    pub(super) fn first_change(&self, before: &Registers) -> Option<u8> {
        let changed = (1_u8..31).find(|&number| self.x[usize::from(number)] != before.x[usize::from(number)]);
        changed.or((self.sp != before.sp).then_some(31))
    }
}
