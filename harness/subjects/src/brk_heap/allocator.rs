//! The allocator: user code over the register file. What must outlive a system call lives where the build keeps it, so
//! a gate that loses a register loses what is in it. All subjects share this code; there is no second copy.

use super::deviation::{BlockOrigin, Deviation};
use super::process::Process;
use super::registers::Local;
use memtwin_models::brk_heap::{FIRST_EXTENT_BYTES, PAGE_BYTES, is_error_number};

impl<D: Deviation> Process<D> {
    /// `GlobalAlloc::alloc`, with null as `None`.
    pub(super) fn alloc(&mut self, size: u64, align: u64) -> Option<u64> {
        match D::BLOCK_ORIGIN {
            BlockOrigin::Brk => self.alloc_from_heap(size, align),
            BlockOrigin::Mmap { .. } => self.alloc_mapping(size, align),
        }
    }

    /// `GlobalAlloc::alloc_zeroed`.
    pub(super) fn alloc_zeroed(&mut self, size: u64, align: u64) -> Option<u64> {
        let block = self.alloc(size, align)?;
        D::zero(self, block, size);
        Some(block)
    }

    /// `GlobalAlloc::realloc`: a new block, a copy, and the old block is given up.
    pub(super) fn realloc(&mut self, block: u64, old_size: u64, align: u64, size: u64) -> Option<u64> {
        let (_, end) = self.words();
        if D::stays_in_place(block, size, end) {
            return Some(block);
        }
        let new_block = self.alloc(size, align)?;
        self.copy(block, new_block, D::copied_bytes(old_size, size));
        self.give_up(block, old_size);
        Some(new_block)
    }

    /// `GlobalAlloc::dealloc`: a bump allocator forgets, a mapping is given back.
    pub(super) fn dealloc(&mut self, block: u64, size: u64) {
        match D::BLOCK_ORIGIN {
            BlockOrigin::Brk => {}
            BlockOrigin::Mmap { .. } => {
                while let Some((block, size)) = self.deferred.pop() {
                    D::release(self, block, size);
                }
                D::release(self, block, size);
            }
        }
    }

    /// The block that a reallocation leaves.
    fn give_up(&mut self, block: u64, size: u64) {
        match D::BLOCK_ORIGIN {
            BlockOrigin::Mmap { deferred } if deferred != 0 => {
                if self.deferred.len() < deferred {
                    self.deferred.push((block, size));
                }
            }
            BlockOrigin::Brk | BlockOrigin::Mmap { .. } => self.dealloc(block, size),
        }
    }

    fn alloc_from_heap(&mut self, size: u64, align: u64) -> Option<u64> {
        self.registers.set(Local::Size, size);
        self.registers.set(Local::Mask, D::mask(align));
        if self.words().0 == 0 {
            self.first_use();
        }
        let (head, mut end) = self.words();
        let (mut aligned, mut new_head) = self.place(head)?;
        if end < new_head && D::ASKS_FOR_BREAK {
            let program_break = self.brk(0);
            if program_break != end {
                // Another user has moved it: what lies between the end and the break is his.
                end = program_break;
                (aligned, new_head) = self.place(end)?;
                if new_head <= end {
                    // No byte is asked for, so nothing need be granted there.
                    self.set_end(end);
                }
            }
        }
        self.registers.set(Local::Head, aligned);
        self.registers.set(Local::NewHead, new_head);
        if end < new_head && !self.expand(end, new_head)? {
            return None;
        }
        self.set_head(self.registers.get(Local::NewHead));
        Some(self.registers.get(Local::Head))
    }

    /// A block above the head, and the head after it, for the size and the alignment that are asked for.
    fn place(&self, head: u64) -> Option<(u64, u64)> {
        let aligned = D::align_up(head, self.registers.get(Local::Mask))?;
        Some((aligned, D::advance(head, aligned, self.registers.get(Local::Size))?))
    }

    fn first_use(&mut self) {
        let head = self.brk(0);
        self.registers.set(Local::Head, head);
        let wanted = head.saturating_add(FIRST_EXTENT_BYTES);
        let result = self.brk(wanted);
        let head = self.registers.get(Local::Head);
        self.set_head(head);
        self.set_end(D::first_end(head, head.saturating_add(FIRST_EXTENT_BYTES), result));
    }

    /// Asks for more pages; whether it has them. `None` if the address space ends before.
    fn expand(&mut self, end: u64, new_head: u64) -> Option<bool> {
        let new_end = end.checked_add(D::growth(new_head - end)?)?;
        self.registers.set(Local::NewEnd, new_end);
        let (_, known_end) = self.words();
        self.set_end(D::end_while_asking(known_end, new_end));
        let result = self.brk(new_end);
        let wanted = self.registers.get(Local::NewEnd);
        let is_granted = D::is_granted(wanted, result);
        if is_granted {
            self.set_end(D::end_after(wanted, result));
        }
        Some(is_granted)
    }

    /// A mapping with room for the alignment, less what was mapped for that room.
    fn alloc_mapping(&mut self, size: u64, align: u64) -> Option<u64> {
        let bytes = size.checked_next_multiple_of(PAGE_BYTES)?;
        let room = align.saturating_sub(PAGE_BYTES);
        let mapping = self.mmap(bytes.checked_add(room)?);
        if is_error_number(mapping) {
            return None;
        }
        let block = mapping.checked_next_multiple_of(align)?;
        if mapping < block {
            self.munmap(mapping, block - mapping);
        }
        if block - mapping < room {
            self.munmap(block + bytes, room - (block - mapping));
        }
        Some(block)
    }
}
