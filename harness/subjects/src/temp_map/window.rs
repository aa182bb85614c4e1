//! Temporary mappings: slots, and the pages of the window. Refuses slots that are none, that nobody allocated, that are
//! mapped already or still, and addresses that are no frame's.

use super::deviation::Deviation;
use super::kernel::{Failure, Kernel, WINDOW_ENTRY};
use super::slots::slot_index;
use memtwin_models::temp_map::mmu::{PRESENT, WRITABLE};
use memtwin_models::temp_map::{Cpu, PAGE_BYTES, WINDOW_BASE};

impl<D: Deviation> Kernel<D> {
    /// `alloc_temp_slot`.
    pub(super) fn alloc_temp_slot(&mut self) -> Option<u32> {
        let slot = D::choose_slot(&self.slots)?;
        self.slots.hand_out(slot);
        Some(slot)
    }

    /// `free_temp_slot`.
    pub(super) fn free_temp_slot(&mut self, slot: i32) -> Result<(), Failure> {
        let slot = slot_index(slot).filter(|slot| D::may_free(&self.slots, *slot)).ok_or(Failure::Refused)?;
        self.slots.take_back(slot);
        Ok(())
    }

    /// `map_temp_page`: the virtual address.
    pub(super) fn map_temp(&mut self, cpu: Cpu, physical: u32, slot: i32) -> Result<u32, Failure> {
        let Some(slot) = slot_index(slot) else { return D::map_beyond_window(self, physical, slot) };
        if !D::may_map(&self.slots, slot) {
            return Err(Failure::Refused);
        }
        if !D::is_frame(physical) || !self.frames.is_memory(physical >> 12) {
            return Err(Failure::Refused);
        }
        let address = WINDOW_BASE + slot * PAGE_BYTES;
        if let Some(table) = D::window_for_mapping(self, cpu)? {
            self.machine.set_entry(table, slot, physical | PRESENT | WRITABLE);
        }
        self.slots.set_mapped(slot, self.current(cpu));
        Ok(address)
    }

    /// `unmap_temp_page`: the frame stays as it is.
    pub(super) fn unmap_temp(&mut self, cpu: Cpu, slot: i32) -> Result<(), Failure> {
        let slot = slot_index(slot).filter(|slot| self.slots.is_mapped(*slot)).ok_or(Failure::Refused)?;
        let table = D::window_of_mapping(self, cpu, slot);
        let entry = table.map_or(0, |table| self.machine.entry(table, slot));
        if let Some(table) = table {
            self.machine.set_entry(table, slot, 0);
        }
        self.slots.set_unmapped(slot);
        D::forget_temp(self, WINDOW_BASE + slot * PAGE_BYTES);
        D::after_unmap_temp(self, entry);
        Ok(())
    }

    /// Reaches a frame through the window for the time of `work`.
    pub(super) fn with_temp(
        &mut self,
        cpu: Cpu,
        frame: u32,
        work: &mut dyn FnMut(&mut Self, u32) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let slot = self.alloc_temp_slot().ok_or(Failure::NoSlots)?.cast_signed();
        let worked = match self.map_temp(cpu, frame << 12, slot) {
            Ok(address) => {
                let worked = work(self, address);
                worked.and(self.unmap_temp(cpu, slot))
            }
            Err(failure) => Err(failure),
        };
        self.give_slot_back(slot);
        worked
    }

    /// A slot of the kernel's own is given back; it was unmapped before.
    pub(super) fn give_slot_back(&mut self, slot: i32) {
        if let Some(slot) = slot_index(slot) {
            self.slots.take_back(slot);
        }
    }

    /// The window's table of one directory, where each has its own.
    pub(super) fn own_window(&self, directory: u32) -> Option<u32> {
        let entry = self.machine.entry(directory, WINDOW_ENTRY);
        (entry & PRESENT != 0).then_some(entry >> 12)
    }

    /// The same, made on demand.
    pub(super) fn make_own_window(&mut self, directory: u32) -> Result<u32, Failure> {
        if let Some(table) = self.own_window(directory) {
            return Ok(table);
        }
        let table = self.new_frame()?;
        self.machine.clear_table(table);
        self.machine.set_entry(directory, WINDOW_ENTRY, table << 12 | PRESENT | WRITABLE);
        Ok(table)
    }
}
