//! What a subject may do differently from the hardened code: one method for each decision of the kernel. The defaults
//! are the hardened code.
//!
//! Does not combine defects: a subject of the catalogue has one. Every method that a deviation does not name is sound.

use super::kernel::{Failure, Kernel, WINDOW_ENTRY};
use super::slots::Slots;
use super::system_calls::is_user_range;
use memtwin_models::Health;
use memtwin_models::temp_map::mmu::{COPY_ON_WRITE, FLAGS, PRESENT, PageFault, WRITABLE};
use memtwin_models::temp_map::{Cpu, PAGE_BYTES, PhysicalAddress, Segment, TempMapContract};

/// Where temporary mappings are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// In one table, made when the machine starts, which every directory shares.
    Shared,
    /// In a table of each directory's own, made on demand.
    Own,
}

/// A way in which the parts of the kernel work together.
pub trait Deviation: Sized + 'static {
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;
    /// The subject's name. A defect of the catalogue is called by its id.
    const NAME: &'static str = Self::HEALTH.id();
    /// Where temporary mappings are entered.
    const WINDOW: Window = Window::Shared;
    /// What its documentation claims.
    const CONTRACT: TempMapContract =
        TempMapContract { private_window: matches!(Self::WINDOW, Window::Own), segments_stay_apart: false };

    /// Makes what temporary mappings need before the first process.
    fn boot_window(kernel: &mut Kernel<Self>) -> Option<()> {
        match Self::WINDOW {
            Window::Shared => kernel.boot_shared_window(),
            Window::Own => Some(()),
        }
    }

    /// Fills the kernel half of a new directory.
    fn inherit(kernel: &mut Kernel<Self>, directory: u32) {
        kernel.inherit_kernel_half(directory);
        if Self::WINDOW == Window::Own {
            kernel.machine.set_entry(directory, WINDOW_ENTRY, 0);
        }
    }

    /// Whether a directory that no processor walks may be destroyed: nothing may be mapped in its own window.
    fn may_destroy(kernel: &Kernel<Self>, directory: u32) -> bool {
        match Self::WINDOW {
            Window::Shared => true,
            Window::Own => !kernel.slots.is_home(directory),
        }
    }

    /// Gives back what a dying directory's window has of its own.
    fn release_window(kernel: &mut Kernel<Self>, directory: u32) {
        if let (Window::Own, Some(table)) = (Self::WINDOW, kernel.own_window(directory)) {
            kernel.release(table);
        }
    }

    /// The slot to hand out.
    fn choose_slot(slots: &Slots) -> Option<u32> {
        slots.first_free()
    }

    /// Whether a slot may be freed.
    fn may_free(slots: &Slots, slot: u32) -> bool {
        slots.is_allocated(slot) && !slots.is_mapped(slot)
    }

    /// Whether something may be mapped at a slot.
    fn may_map(slots: &Slots, slot: u32) -> bool {
        slots.is_allocated(slot) && !slots.is_mapped(slot)
    }

    /// What `map_temp_page` makes of a number that is no slot's.
    fn map_beyond_window(_kernel: &mut Kernel<Self>, _physical: u32, _slot: i32) -> Result<u32, Failure>
    where
        Self: Sized,
    {
        Err(Failure::Refused)
    }

    /// Whether it is the address of a frame.
    fn is_frame(physical: u32) -> bool {
        PhysicalAddress(physical).is_aligned()
    }

    /// The table to enter a temporary mapping in; `None` to enter it nowhere.
    fn window_for_mapping(kernel: &mut Kernel<Self>, cpu: Cpu) -> Result<Option<u32>, Failure> {
        match Self::WINDOW {
            Window::Shared => Ok(Some(kernel.window)),
            Window::Own => kernel.make_own_window(kernel.current(cpu)).map(Some),
        }
    }

    /// The table that a temporary mapping is removed from.
    fn window_of_mapping(kernel: &Kernel<Self>, _cpu: Cpu, slot: u32) -> Option<u32> {
        match Self::WINDOW {
            Window::Shared => Some(kernel.window),
            Window::Own => kernel.own_window(kernel.slots.home(slot)),
        }
    }

    /// Makes every processor forget a page of the window.
    fn forget_temp(kernel: &mut Kernel<Self>, address: u32) {
        kernel.machine.ipi_invlpg(address);
    }

    /// The end of a page that is unmapped, and of its reference to the frame: nobody may have the frame before every
    /// processor has forgotten the page.
    fn forget_and_release(kernel: &mut Kernel<Self>, _cpu: Cpu, address: u32, frame: u32) {
        kernel.machine.ipi_invlpg(address);
        kernel.release(frame);
    }

    /// What else happens to the frame of a temporary mapping that is removed.
    fn after_unmap_temp(_kernel: &mut Kernel<Self>, _entry: u32) {}

    /// A directory's entry for a table of user pages.
    fn user_table_entry(table: u32, flags: u32) -> u32 {
        table << 12 | flags
    }

    /// The frame's address in an entry, if the entry is in use.
    #[inline]
    fn physical_of(entry: u32) -> Option<u32> {
        (entry & PRESENT != 0).then_some(entry & !FLAGS)
    }

    /// The entry of a page that a fork shares, in both processes.
    fn shared_entry(entry: u32) -> u32 {
        if entry & WRITABLE == 0 { entry } else { entry & !WRITABLE | COPY_ON_WRITE }
    }

    /// Makes every processor that runs the parent forget what the parent may no longer do.
    fn after_fork(kernel: &mut Kernel<Self>, parent: u32) {
        kernel.machine.ipi_flush(parent);
    }

    /// The flags of a page that is to have these, on a frame with so many references.
    fn protected_flags(entry: u32, flags: u32, references: u32) -> u32 {
        let is_granted_more = entry & WRITABLE == 0 && flags & WRITABLE != 0;
        if is_granted_more && 1 < references { flags & !WRITABLE | COPY_ON_WRITE } else { flags }
    }

    /// Makes every processor forget a page whose flags are others now.
    fn after_protect(kernel: &mut Kernel<Self>, _cpu: Cpu, address: u32) {
        kernel.machine.ipi_invlpg(address);
    }

    /// Whether a fork makes a table in the child for this one of the parent's.
    fn copies_table(_kernel: &Kernel<Self>, _table: u32) -> bool {
        true
    }

    /// Gives back a table of a dying directory, whose pages are given back.
    fn release_table(kernel: &mut Kernel<Self>, table: u32) {
        kernel.release(table);
    }

    /// How many bytes of a new page are cleared.
    fn cleared_bytes() -> u32 {
        PAGE_BYTES
    }

    /// Whether the fault handler looks at this store to a shared page at all.
    fn looks_at_fault(_fault: PageFault) -> bool {
        true
    }

    /// Whether a store to a shared page with so many references keeps the frame.
    fn keeps_frame(references: u32) -> bool {
        references == 1
    }

    /// The entry of a page that was copied to a new frame.
    fn unshared_entry(entry: u32, frame: u32) -> u32 {
        frame << 12 | entry & FLAGS & !COPY_ON_WRITE | WRITABLE
    }

    /// The old frame of a page that was copied.
    fn give_up(kernel: &mut Kernel<Self>, frame: u32) {
        kernel.release(frame);
    }

    /// The slot through which a copy was read, unmapped, when the copy is done or has failed.
    fn end_copy(kernel: &mut Kernel<Self>, source: i32, _is_copied: bool) {
        kernel.give_slot_back(source);
    }

    /// Whether a system call's buffer lies in the user half.
    fn is_user_range(address: u32, count: u32) -> bool {
        is_user_range(address, count)
    }

    /// The frame that `sys_write` reads.
    fn readable_frame(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        kernel.user_frame(cpu, address)
    }

    /// The frame that `sys_read` fills.
    fn writable_frame(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        kernel.own_user_frame(cpu, address)
    }

    /// The flags of a page that one more segment lies in.
    fn united_rights(flags: u32, segment: &Segment) -> u32 {
        flags | if segment.writable { WRITABLE } else { 0 }
    }

    /// How many bytes of a segment come from the file.
    fn bytes_from_file(segment: &Segment, _file_bytes: u32) -> u32 {
        segment.file_bytes
    }

    /// Where in its last page of file bytes a segment's zeroes begin.
    fn bss_offset(segment: &Segment) -> u32 {
        segment.address.0.wrapping_add(segment.file_bytes) % PAGE_BYTES
    }
}
