//! `sys_read` and `sys_write`: page by page through the window. Refuses ranges that leave the user half, and pages that
//! the program itself could not use so.

use super::deviation::Deviation;
use super::kernel::{Failure, Kernel};
use memtwin_models::temp_map::mmu::{COPY_ON_WRITE, PRESENT, USER, WRITABLE};
use memtwin_models::temp_map::{Cpu, KERNEL_HALF, PAGE_BYTES, SYSTEM_CALL_LIMIT_BYTES};

/// Whether a range lies in the user half, as a whole.
pub(super) fn is_user_range(address: u32, count: u32) -> bool {
    address.checked_add(count).is_some_and(|end| end <= KERNEL_HALF)
}

impl<D: Deviation> Kernel<D> {
    /// `sys_write`: copies a program's bytes to `target`, which has room for the limit. How many; `Refused` for -1.
    pub(super) fn sys_write(&mut self, cpu: Cpu, address: u32, count: u32, target: &mut [u8]) -> Result<u32, Failure> {
        self.in_pieces(address, count, |kernel, at, from, length| {
            let frame = D::readable_frame(kernel, cpu, at)?;
            let piece = &mut target[from as usize..(from + length) as usize];
            kernel.with_temp(cpu, frame, &mut |kernel, window| {
                Ok(kernel.machine.read(cpu, window + at % PAGE_BYTES, piece)?)
            })
        })
    }

    /// `sys_read`: copies `source` to a program's bytes, likewise.
    pub(super) fn sys_read(&mut self, cpu: Cpu, address: u32, count: u32, source: &[u8]) -> Result<u32, Failure> {
        self.in_pieces(address, count, |kernel, at, from, length| {
            let frame = D::writable_frame(kernel, cpu, at)?;
            let piece = &source[from as usize..(from + length) as usize];
            kernel.with_temp(cpu, frame, &mut |kernel, window| {
                Ok(kernel.machine.write(cpu, window + at % PAGE_BYTES, piece)?)
            })
        })
    }

    /// Does `work` for the bytes of each page: (address, offset in the buffer, length). Stops at the first that fails.
    fn in_pieces(
        &mut self,
        address: u32,
        count: u32,
        mut work: impl FnMut(&mut Self, u32, u32, u32) -> Result<(), Failure>,
    ) -> Result<u32, Failure> {
        let count = count.min(SYSTEM_CALL_LIMIT_BYTES);
        if count == 0 {
            return Ok(0);
        }
        if !D::is_user_range(address, count) {
            return Err(Failure::Refused);
        }
        let mut moved = 0;
        while moved < count {
            let at = address.wrapping_add(moved);
            let length = (PAGE_BYTES - at % PAGE_BYTES).min(count - moved);
            match work(self, at, moved, length) {
                Ok(()) => moved += length,
                Err(failure @ Failure::Fault(_)) => return Err(failure),
                Err(Failure::NoFrames | Failure::NoSlots | Failure::Refused) => break,
            }
        }
        if moved == 0 { Err(Failure::Refused) } else { Ok(moved) }
    }

    /// The frame behind a page that the program may read.
    pub(super) fn user_frame(&self, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        let entry = self.entry_of(self.current(cpu), address);
        let frame = D::physical_of(entry).filter(|_| entry & (PRESENT | USER) == PRESENT | USER);
        frame.map(|physical| physical >> 12).ok_or(Failure::Refused)
    }

    /// The frame behind a page that the program may write; a shared page becomes its own first.
    pub(super) fn own_user_frame(&mut self, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        self.user_frame(cpu, address)?;
        let entry = self.entry_of(self.current(cpu), address);
        if entry & WRITABLE == 0 {
            if entry & COPY_ON_WRITE == 0 {
                return Err(Failure::Refused);
            }
            self.unshare(cpu, address, entry)?;
        }
        self.user_frame(cpu, address)
    }
}
