//! The kernel's directories: made, put in force, destroyed; and the pages in them. Refuses to map in the kernel half,
//! to map over a page, and to destroy a directory that a processor walks.

use super::deviation::Deviation;
use super::frames::Frames;
use super::machine::Machine;
use super::slots::Slots;
use memtwin_models::Unsupported;
use memtwin_models::temp_map::mmu::{ACCESSED, DIRTY, FLAGS, PRESENT, PageFault, USER, WRITABLE};
use memtwin_models::temp_map::{CPUS, Cpu, KERNEL_HALF, PAGE_BYTES, Setup, WINDOW_BASE};
use std::marker::PhantomData;

/// The first directory entry of the kernel half.
pub(super) const KERNEL_ENTRY: u32 = KERNEL_HALF >> 22;
/// The directory entry of the window.
pub(super) const WINDOW_ENTRY: u32 = WINDOW_BASE >> 22;
/// The entries of a table.
pub(super) const ENTRIES: u32 = 1024;
/// A directory's entry for a table of user pages: the rights are those of the pages.
const USER_TABLE: u32 = PRESENT | WRITABLE | USER;

/// Why the kernel did not do what it was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No frame is free.
    NoFrames,
    /// No slot is free.
    NoSlots,
    /// An argument is wrong.
    Refused,
    /// The kernel itself faulted: a bug.
    Fault(PageFault),
}

impl From<PageFault> for Failure {
    fn from(fault: PageFault) -> Self {
        Failure::Fault(fault)
    }
}

/// The kernel on its machine.
#[derive(Debug)]
pub struct Kernel<D: Deviation> {
    /// The hardware.
    pub machine: Machine,
    /// The frame allocator.
    pub frames: Frames,
    /// The slots of the window.
    pub slots: Slots,
    /// For each processor the directory that the kernel believes in force.
    current: [u32; CPUS as usize],
    /// The frame of the kernel's own directory.
    pub kernel_directory: u32,
    /// The table of the window that all directories share.
    pub(super) window: u32,
    deviation: PhantomData<fn() -> D>,
}

impl<D: Deviation> Kernel<D> {
    pub(super) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let mut kernel = Kernel {
            machine: Machine::new(setup),
            frames: Frames::new(setup),
            slots: Slots::default(),
            current: [0; CPUS as usize],
            kernel_directory: 0,
            window: 0,
            deviation: PhantomData,
        };
        kernel.boot(setup).ok_or(Unsupported("the kernel itself does not fit"))?;
        Ok(kernel)
    }

    pub(super) fn reset(&mut self, setup: &Setup) -> bool {
        self.machine.reset();
        self.frames.reset();
        self.slots.reset();
        self.boot(setup).is_some()
    }

    /// Lays the kernel's own tables at the end of memory and puts its directory in force.
    fn boot(&mut self, setup: &Setup) -> Option<()> {
        let (directory, table, page) =
            (self.frames.alloc_last()?, self.frames.alloc_last()?, self.frames.alloc_last()?);
        self.machine.clear_table(directory);
        self.machine.clear_table(table);
        self.machine.set_entry(directory, KERNEL_ENTRY, table << 12 | PRESENT | WRITABLE);
        self.machine.set_entry(table, 0, page << 12 | PRESENT | WRITABLE);
        self.kernel_directory = directory;
        D::boot_window(self)?;
        for cpu in (0..CPUS).map(Cpu::new_folded) {
            self.switch(cpu, directory);
        }
        for slot in 0..setup.taken_slots {
            self.slots.hand_out(slot.into());
        }
        Some(())
    }

    /// Makes the window's table, present from the start on, so that every directory that is made later has it.
    pub(super) fn boot_shared_window(&mut self) -> Option<()> {
        self.window = self.frames.alloc_last()?;
        self.machine.clear_table(self.window);
        self.machine.set_entry(self.kernel_directory, WINDOW_ENTRY, self.window << 12 | PRESENT | WRITABLE);
        Some(())
    }

    /// The directory that the kernel believes in force.
    #[must_use]
    pub fn current(&self, cpu: Cpu) -> u32 {
        self.current[cpu.index()]
    }

    /// A reference to a frame is given up. Whoever takes the machine's measure sees when it becomes free too early.
    pub fn release(&mut self, frame: u32) {
        if self.frames.release(frame) {
            self.machine.note_free(frame);
        }
    }

    pub(super) fn new_frame(&mut self) -> Result<u32, Failure> {
        self.frames.alloc().ok_or(Failure::NoFrames)
    }

    /// `create_page_directory`.
    pub(super) fn create(&mut self) -> Result<u32, Failure> {
        let directory = self.new_frame()?;
        self.machine.clear_table(directory);
        D::inherit(self, directory);
        Ok(directory)
    }

    /// The kernel half of a new directory is the kernel's.
    pub(super) fn inherit_kernel_half(&mut self, directory: u32) {
        for index in KERNEL_ENTRY..ENTRIES {
            let entry = self.machine.entry(self.kernel_directory, index);
            self.machine.set_entry(directory, index, entry & !ACCESSED);
        }
    }

    /// `switch_page_directory`.
    pub(super) fn switch(&mut self, cpu: Cpu, directory: u32) {
        self.current[cpu.index()] = directory;
        self.machine.load_cr3(cpu, directory);
    }

    /// `destroy_page_directory`.
    pub(super) fn destroy(&mut self, directory: u32) -> Result<(), Failure> {
        if self.machine.is_in_force(directory) || !D::may_destroy(self, directory) {
            return Err(Failure::Refused);
        }
        self.release_user_half(directory);
        D::release_window(self, directory);
        self.release(directory);
        Ok(())
    }

    /// Gives back the pages and tables of the user half.
    pub(super) fn release_user_half(&mut self, directory: u32) {
        for index in 0..KERNEL_ENTRY {
            let table = self.machine.entry(directory, index);
            if table & PRESENT == 0 {
                continue;
            }
            for inner in 0..ENTRIES {
                let entry = self.machine.entry(table >> 12, inner);
                if entry & PRESENT != 0 {
                    self.release(entry >> 12);
                }
            }
            D::release_table(self, table >> 12);
        }
    }

    /// The table that holds the entry of an address.
    #[must_use]
    pub fn table_of(&self, directory: u32, address: u32) -> Option<u32> {
        let entry = self.machine.entry(directory, address >> 22);
        (entry & PRESENT != 0).then_some(entry >> 12)
    }

    /// The table's entry of an address; 0 where there is no table.
    #[inline]
    #[must_use]
    pub fn entry_of(&self, directory: u32, address: u32) -> u32 {
        let table = self.table_of(directory, address);
        table.map_or(0, |table| self.machine.entry(table, (address >> 12) % ENTRIES))
    }

    /// Writes the table's entry of an address, if there is a table.
    pub fn set_entry_of(&mut self, directory: u32, address: u32, entry: u32) {
        if let Some(table) = self.table_of(directory, address) {
            self.machine.set_entry(table, (address >> 12) % ENTRIES, entry);
        }
    }

    /// Makes sure that there is a table for a user address. True when it had to be made.
    pub(super) fn make_table(&mut self, directory: u32, address: u32) -> Result<bool, Failure> {
        if self.table_of(directory, address).is_some() {
            return Ok(false);
        }
        let table = self.new_frame()?;
        self.machine.clear_table(table);
        self.machine.set_entry(directory, address >> 22, D::user_table_entry(table, USER_TABLE));
        Ok(true)
    }

    /// Takes back a table that was made for nothing.
    pub fn unmake_table(&mut self, directory: u32, address: u32) {
        if let Some(table) = self.table_of(directory, address) {
            self.machine.set_entry(directory, address >> 22, 0);
            self.release(table);
        }
    }

    /// Whether a user page can be mapped here.
    fn check_page(&self, cpu: Cpu, address: u32) -> Result<(), Failure> {
        let is_page = address.is_multiple_of(PAGE_BYTES) && address < KERNEL_HALF;
        let directory = self.current(cpu);
        if is_page && directory != self.kernel_directory && self.entry_of(directory, address) & PRESENT == 0 {
            Ok(())
        } else {
            Err(Failure::Refused)
        }
    }

    /// `map_page` of a frame that has an owner: the page becomes another one.
    pub(super) fn map_held(&mut self, cpu: Cpu, address: u32, frame: u32, flags: u32) -> Result<(), Failure> {
        self.check_page(cpu, address)?;
        let directory = self.current(cpu);
        self.make_table(directory, address)?;
        self.set_entry_of(directory, address, frame << 12 | flags | PRESENT);
        self.frames.share(frame);
        self.machine.invlpg(cpu, address);
        Ok(())
    }

    /// `map_page` of a new, clear frame.
    pub(super) fn map_new(&mut self, cpu: Cpu, address: u32, flags: u32) -> Result<(), Failure> {
        self.check_page(cpu, address)?;
        self.map_filled(cpu, address, flags, &mut |kernel, window| {
            Ok(kernel.machine.clear(cpu, window, D::cleared_bytes())?)
        })
    }

    /// Maps a new frame that is filled through the window first. Leaves nothing behind when it fails.
    pub(super) fn map_filled(
        &mut self,
        cpu: Cpu,
        address: u32,
        flags: u32,
        fill: &mut dyn FnMut(&mut Self, u32) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let directory = self.current(cpu);
        let is_new_table = self.make_table(directory, address)?;
        let frame = self.new_frame();
        let filled = frame.and_then(|frame| self.with_temp(cpu, frame, fill).map(|()| frame));
        match filled {
            Ok(frame) => {
                self.set_entry_of(directory, address, frame << 12 | flags | PRESENT);
                self.machine.invlpg(cpu, address);
                Ok(())
            }
            Err(failure) => {
                if let Ok(frame) = frame {
                    self.release(frame);
                }
                if is_new_table {
                    self.unmake_table(directory, address);
                }
                Err(failure)
            }
        }
    }

    /// `unmap_page_no_free`: the page's reference goes to the caller.
    pub(super) fn unmap_no_free(&mut self, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        let frame = self.take_page(cpu, address)?;
        self.machine.ipi_invlpg(address);
        Ok(frame)
    }

    /// Empties a page's entry. The processors may still know it.
    fn take_page(&mut self, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        let directory = self.current(cpu);
        let entry = self.entry_of(directory, address);
        if !address.is_multiple_of(PAGE_BYTES) || KERNEL_HALF <= address || entry & PRESENT == 0 {
            return Err(Failure::Refused);
        }
        self.set_entry_of(directory, address, 0);
        Ok(entry >> 12)
    }

    /// `unmap_page`.
    pub(super) fn unmap(&mut self, cpu: Cpu, address: u32) -> Result<(), Failure> {
        let frame = self.take_page(cpu, address)?;
        D::forget_and_release(self, cpu, address, frame);
        Ok(())
    }

    /// `protect_page`: other flags. A frame that anybody else refers to is written to only through a copy.
    pub(super) fn protect(&mut self, cpu: Cpu, address: u32, flags: u32) -> Result<(), Failure> {
        let directory = self.current(cpu);
        let entry = self.entry_of(directory, address);
        if !address.is_multiple_of(PAGE_BYTES) || KERNEL_HALF <= address || entry & PRESENT == 0 {
            return Err(Failure::Refused);
        }
        let flags = D::protected_flags(entry, flags, self.frames.references(entry >> 12));
        self.set_entry_of(directory, address, entry & !FLAGS | flags | PRESENT);
        D::after_protect(self, cpu, address);
        Ok(())
    }

    /// `get_phys_addr`.
    #[inline]
    pub(super) fn physical(&self, cpu: Cpu, address: u32) -> Option<u32> {
        let entry = self.entry_of(self.current(cpu), address);
        D::physical_of(entry).map(|frame| frame | address & FLAGS)
    }
}

/// The entry's flags without the bits that the processor sets.
#[inline]
pub(super) fn flags_of(entry: u32) -> u32 {
    entry & FLAGS & !(ACCESSED | DIRTY)
}
