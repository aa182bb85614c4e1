//! What the bug report found: temporary mappings go into the kernel's own directory, whatever is in force. Arguments
//! are hardly checked, and copy-on-write has defects of its own. `sys_write` of a process that was created before the
//! first temporary mapping faults in the kernel.

use super::defects::{
    any_mapped_frame, give_up_shared, in_kernel_directory, is_user_start, share_every_page, unmasked_entry,
};
use super::deviation::Deviation;
use super::kernel::{Failure, Kernel};
use super::slots::Slots;
use super::subject::Program;
use memtwin_models::Health;
use memtwin_models::temp_map::mmu::{PRESENT, WRITABLE};
use memtwin_models::temp_map::{Cpu, PAGE_BYTES, WINDOW_BASE};

/// The reported kernel.
#[derive(Debug)]
pub struct Reported;

impl Deviation for Reported {
    const NAME: &'static str = "original";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "temporary mappings go into the kernel's directory while a process's is in force; little is checked",
    };

    fn boot_window(_kernel: &mut Kernel<Self>) -> Option<()> {
        Some(())
    }

    fn may_free(_slots: &Slots, _slot: u32) -> bool {
        true
    }

    fn may_map(_slots: &Slots, _slot: u32) -> bool {
        true
    }

    fn map_beyond_window(kernel: &mut Kernel<Self>, physical: u32, slot: i32) -> Result<u32, Failure> {
        if !kernel.frames.is_memory(physical >> 12) {
            return Err(Failure::Refused);
        }
        let address = WINDOW_BASE.wrapping_add(slot.cast_unsigned().wrapping_mul(PAGE_BYTES));
        kernel.make_table(kernel.kernel_directory, address)?;
        kernel.set_entry_of(kernel.kernel_directory, address, physical | PRESENT | WRITABLE);
        Ok(address)
    }

    fn is_frame(_physical: u32) -> bool {
        true
    }

    fn window_for_mapping(kernel: &mut Kernel<Self>, _cpu: Cpu) -> Result<Option<u32>, Failure> {
        in_kernel_directory(kernel)
    }

    fn window_of_mapping(kernel: &Kernel<Self>, _cpu: Cpu, _slot: u32) -> Option<u32> {
        kernel.own_window(kernel.kernel_directory)
    }

    fn shared_entry(entry: u32) -> u32 {
        share_every_page(entry)
    }

    fn keeps_frame(_references: u32) -> bool {
        false
    }

    fn unshared_entry(entry: u32, frame: u32) -> u32 {
        unmasked_entry(entry, frame)
    }

    fn give_up(kernel: &mut Kernel<Self>, frame: u32) {
        give_up_shared(kernel, frame);
    }

    fn is_user_range(address: u32, _count: u32) -> bool {
        is_user_start(address)
    }

    fn readable_frame(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        any_mapped_frame(kernel, cpu, address)
    }

    fn writable_frame(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        any_mapped_frame(kernel, cpu, address)
    }
}

/// The subject `original`.
pub type Original = Program<Reported>;
