//! The simulated process: its memory as the program sees it, its registers, and the gate to the kernel. Loads and
//! stores really happen, so a bad pointer really faults; refused is any look at what a pointer means.

use super::deviation::{BlockOrigin, Deviation};
use super::kernel::{EINVAL, Kernel};
use super::registers::{NUMBER, Registers};
use memtwin_models::Unsupported;
use memtwin_models::brk_heap::{BSS_START, CopyOrder, ENOMEM, STACK_BYTES, Setup, SystemCall, SystemCallKind};
use std::marker::PhantomData;

/// System call numbers of Linux on this kind of processor (asm-generic/unistd.h).
const BRK: u64 = 214;
const MUNMAP: u64 = 215;
const MMAP: u64 = 222;

/// Where the allocator's words lie.
const HEAD_WORD: u64 = BSS_START;
const END_WORD: u64 = HEAD_WORD + 8;

/// The process.
#[derive(Debug)]
pub struct Process<D> {
    /// What it runs on.
    pub kernel: Kernel,
    pub(super) registers: Registers,
    first_registers: Registers,
    copy_order: CopyOrder,
    /// The system calls of the present op.
    pub(super) calls: Vec<SystemCall>,
    pub(super) clobbered_register: Option<u8>,
    /// Mappings that were given up and wait to be unmapped: address and size in bytes.
    pub(super) deferred: Vec<(u64, u64)>,
    deviation: PhantomData<D>,
}

impl<D: Deviation> Process<D> {
    pub(super) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let registers = Registers::new(&D::placement(setup), setup.stack_low.0 + STACK_BYTES);
        Ok(Process {
            kernel: Kernel::new(setup)?,
            first_registers: registers.clone(),
            registers,
            copy_order: setup.copy_order,
            calls: Vec::with_capacity(16),
            clobbered_register: None,
            deferred: Vec::with_capacity(if let BlockOrigin::Mmap { deferred } = D::BLOCK_ORIGIN {
                deferred
            } else {
                0
            }),
            deviation: PhantomData,
        })
    }

    pub(super) fn reset(&mut self) {
        self.kernel.reset();
        self.registers.clone_from(&self.first_registers);
        self.calls.clear();
        self.clobbered_register = None;
        self.deferred.clear();
    }

    /// `fork`: nothing is changed but what the kernel gets wrong.
    pub(super) fn fork(&mut self) {
        self.kernel.program_break = D::child_break(&self.kernel);
    }

    /// `exec` of the same program.
    pub(super) fn exec(&mut self) {
        let (old, clobbered) = (self.kernel.program_break, self.clobbered_register);
        self.reset();
        self.kernel.program_break = D::image_break(&self.kernel, old);
        self.clobbered_register = clobbered;
    }

    pub(super) fn brk(&mut self, argument: u64) -> u64 {
        self.system_call(BRK, argument, 0)
    }

    pub(super) fn mmap(&mut self, bytes: u64) -> u64 {
        self.system_call(MMAP, bytes, 0)
    }

    /// Unmaps; what the kernel answers is nothing that the program could act on.
    pub(super) fn munmap(&mut self, start: u64, bytes: u64) {
        self.system_call(MUNMAP, start, bytes);
    }

    /// `svc #0`: the arguments are in registers, and so is the result.
    fn system_call(&mut self, number: u64, first: u64, second: u64) -> u64 {
        self.registers.x[NUMBER] = number;
        self.registers.x[0] = first;
        self.registers.x[1] = second;
        let before = self.registers.clone();
        let (kind, result) = self.kernel_entry();
        D::return_to_user(&mut self.registers, result);
        self.clobbered_register = self.clobbered_register.or(self.registers.first_change(&before));
        self.calls.push(SystemCall { kind, argument: first, length: second, result });
        self.registers.x[0]
    }

    fn kernel_entry(&mut self) -> (SystemCallKind, u64) {
        let kernel = &mut self.kernel;
        let (argument, length) = (self.registers.x[0], self.registers.x[1]);
        match self.registers.x[NUMBER] {
            MMAP => {
                let result = match D::mmap_pages(kernel, argument) {
                    Some(pages) => kernel.mmap(pages),
                    None if argument == 0 => EINVAL,
                    None => ENOMEM,
                };
                (SystemCallKind::Mmap, result)
            }
            MUNMAP => (SystemCallKind::Munmap, D::munmap(kernel, argument, length)),
            _ if argument < kernel.heap_start => (SystemCallKind::Brk, kernel.program_break),
            _ => {
                let result = match D::grant(kernel, argument) {
                    Some(to) => {
                        D::move_break(kernel, to);
                        to
                    }
                    None => D::refused(kernel),
                };
                (SystemCallKind::Brk, result)
            }
        }
    }

    /// The allocator's words in .bss: head and end.
    #[inline]
    pub(super) fn words(&self) -> (u64, u64) {
        let bytes: [u8; 16] = self.kernel.pages.array(HEAD_WORD);
        let word = |index: usize| u64::from_le_bytes(std::array::from_fn(|offset| bytes[8 * index + offset]));
        (word(0), word(1))
    }

    pub(super) fn set_head(&mut self, head: u64) {
        self.store(HEAD_WORD, &head.to_le_bytes());
    }

    pub(super) fn set_end(&mut self, end: u64) {
        self.store(END_WORD, &end.to_le_bytes());
    }

    /// The program copies bytes of its own to an address. Where every byte is mapped, the order of the stores shows
    /// nowhere.
    pub(super) fn store(&mut self, address: u64, bytes: &[u8]) {
        let length = bytes.len() as u64;
        if let Some(target) = self.kernel.pages.bytes_mut(address, length) {
            target.copy_from_slice(bytes);
            self.kernel.note_touched(address, address + length);
            return;
        }
        for offset in store_offsets(self.copy_order, length) {
            #[allow(clippy::cast_possible_truncation)] // below the slice's length
            self.store_byte(address.wrapping_add(offset), bytes[offset as usize]);
        }
    }

    /// The program copies bytes between two addresses that do not overlap.
    pub(super) fn copy(&mut self, from: u64, to: u64, length: u64) {
        if self.kernel.pages.copy_within(from, to, length) {
            self.kernel.note_touched(to, to + length);
            return;
        }
        for offset in store_offsets(self.copy_order, length) {
            let byte = self.kernel.pages.load(from.wrapping_add(offset));
            self.store_byte(to.wrapping_add(offset), byte);
        }
    }

    /// The program fills a range, one byte after the other.
    pub fn fill(&mut self, address: u64, length: u64, byte: u8) {
        if let Some(target) = self.kernel.pages.bytes_mut(address, length) {
            target.fill(byte);
            self.kernel.note_touched(address, address + length);
            return;
        }
        for offset in 0..length {
            self.store_byte(address.wrapping_add(offset), byte);
        }
    }

    fn store_byte(&mut self, address: u64, byte: u8) {
        if self.kernel.is_mapped(address) {
            self.kernel.note_touched(address, address + 1);
        }
        self.kernel.pages.store(address, byte);
    }

    /// The program looks at bytes, one after the other.
    pub(super) fn load(&self, address: u64, bytes: &mut [u8]) {
        if let Some(source) = self.kernel.pages.bytes(address, bytes.len() as u64) {
            bytes.copy_from_slice(source);
            return;
        }
        for (offset, byte) in (0..).zip(bytes) {
            *byte = self.kernel.pages.load(address.wrapping_add(offset));
        }
    }

    /// The program looks for the first byte that is not `expected`.
    pub(super) fn first_other_byte(&self, address: u64, length: u64, expected: u8) -> Option<u64> {
        if let Some(bytes) = self.kernel.pages.bytes(address, length) {
            return bytes.iter().position(|&byte| byte != expected).map(|offset| offset as u64);
        }
        (0..length).find(|offset| self.kernel.pages.load(address.wrapping_add(*offset)) != expected)
    }
}

/// The offsets of a copy's byte stores, in their order.
fn store_offsets(order: CopyOrder, length: u64) -> impl Iterator<Item = u64> {
    let (group, first) = match order {
        CopyOrder::Ascending => (1, 0),
        CopyOrder::UnrolledBy4 { first } => (4, u64::from(first)),
    };
    let grouped = length - length % group;
    let in_group = move |position: u64| if position == 0 { first } else { position - u64::from(position <= first) };
    (0..length).map(move |index| if index < grouped { index - index % group + in_group(index % group) } else { index })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_groups_of_four_begins_at_its_first_offset() {
        let offsets = |order, length| store_offsets(order, length).collect::<Vec<_>>();
        assert_eq!(offsets(CopyOrder::UnrolledBy4 { first: 3 }, 10), [3, 0, 1, 2, 7, 4, 5, 6, 8, 9]);
        assert_eq!(offsets(CopyOrder::UnrolledBy4 { first: 1 }, 4), [1, 0, 2, 3]);
        assert_eq!(offsets(CopyOrder::UnrolledBy4 { first: 3 }, 3), [0, 1, 2]);
        assert_eq!(offsets(CopyOrder::Ascending, 3), [0, 1, 2]);
    }
}
