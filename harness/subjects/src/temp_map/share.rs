//! Fork and copy-on-write. A fork that runs out of frames leaves the parent as it was; a copy that cannot be made
//! leaves the page shared. Does not copy pages that nobody may write.

use super::deviation::Deviation;
use super::kernel::{ENTRIES, Failure, KERNEL_ENTRY, Kernel, flags_of};
use memtwin_models::temp_map::mmu::{COPY_ON_WRITE, PRESENT, PageFault, USER, WRITABLE};
use memtwin_models::temp_map::{Cpu, KERNEL_HALF};

impl<D: Deviation> Kernel<D> {
    /// `clone_page_directory`.
    pub(super) fn fork(&mut self, parent: u32) -> Result<u32, Failure> {
        let child = self.create()?;
        // All frames first: after the first shared page nothing may fail.
        for index in 0..KERNEL_ENTRY {
            let table = self.machine.entry(parent, index);
            if table & PRESENT == 0 || !D::copies_table(self, table >> 12) {
                continue;
            }
            if let Err(failure) = self.make_table(child, index << 22) {
                self.release_user_half(child);
                D::release_window(self, child);
                self.release(child);
                return Err(failure);
            }
        }
        for index in 0..KERNEL_ENTRY {
            if let (Some(from), Some(to)) = (self.table_of(parent, index << 22), self.table_of(child, index << 22)) {
                self.share_table(from, to);
            }
        }
        D::after_fork(self, parent);
        Ok(child)
    }

    fn share_table(&mut self, from: u32, to: u32) {
        for index in 0..ENTRIES {
            let entry = self.machine.entry(from, index);
            if entry & PRESENT != 0 {
                let shared = D::shared_entry(entry);
                self.machine.set_entry(from, index, shared);
                self.machine.set_entry(to, index, shared & !0xfff | flags_of(shared));
                self.frames.share(entry >> 12);
            }
        }
    }

    /// The page fault handler. True when the access may be made again.
    pub(super) fn handle_fault(&mut self, cpu: Cpu, fault: PageFault) -> Result<bool, Failure> {
        let directory = self.current(cpu);
        let entry = self.entry_of(directory, fault.address);
        let is_store = fault.code & PageFault::STORE != 0;
        let may = fault.code & PageFault::USER == 0 || entry & USER != 0;
        if KERNEL_HALF <= fault.address || entry & PRESENT == 0 || !is_store || !may || !D::looks_at_fault(fault) {
            return Ok(false);
        }
        if entry & WRITABLE != 0 {
            // Another processor was faster; the fault has removed what this one still believed.
            return Ok(true);
        }
        if entry & COPY_ON_WRITE == 0 {
            return Ok(false);
        }
        match self.unshare(cpu, fault.address, entry) {
            Ok(()) => Ok(true),
            Err(Failure::NoFrames | Failure::NoSlots) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// `handle_cow_fault`: gives the process a page of its own.
    pub(super) fn unshare(&mut self, cpu: Cpu, address: u32, entry: u32) -> Result<(), Failure> {
        let old = entry >> 12;
        let directory = self.current(cpu);
        if D::keeps_frame(self.frames.references(old)) {
            self.set_entry_of(directory, address, entry & !COPY_ON_WRITE | WRITABLE);
            self.machine.ipi_invlpg(address);
            return Ok(());
        }
        let new = self.new_frame()?;
        if let Err(failure) = self.copy_frame(cpu, old, new) {
            self.release(new);
            return Err(failure);
        }
        self.set_entry_of(directory, address, D::unshared_entry(entry, new));
        self.machine.ipi_invlpg(address);
        D::give_up(self, old);
        Ok(())
    }

    /// Copies a frame through two slots.
    fn copy_frame(&mut self, cpu: Cpu, from: u32, to: u32) -> Result<(), Failure> {
        let source = self.alloc_temp_slot().ok_or(Failure::NoSlots)?.cast_signed();
        let copied = self.map_temp(cpu, from << 12, source).and_then(|source_address| {
            let copied = self
                .with_temp(cpu, to, &mut |kernel, target| Ok(kernel.machine.copy_page(cpu, source_address, target)?));
            let unmapped = self.unmap_temp(cpu, source);
            copied.and(unmapped)
        });
        D::end_copy(self, source, copied.is_ok());
        copied
    }
}
