//! The published fix: temporary mappings go into the directory in force, in a table made on demand. They are removed
//! from the directory in force as well, whichever that is by then; the tables are never given back, and the defects of
//! arguments and of copy-on-write are still there.

use super::defects::{any_mapped_frame, give_up_shared, is_user_start, share_every_page, unmasked_entry};
use super::deviation::{Deviation, Window};
use super::kernel::{Failure, Kernel};
use super::slots::Slots;
use super::subject::Program;
use memtwin_models::Health;
use memtwin_models::temp_map::Cpu;

/// The fix.
#[derive(Debug)]
pub struct MapsInForce;

impl Deviation for MapsInForce {
    const NAME: &'static str = "published_fix";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "temporary mappings go into the directory in force, and are removed from whichever is in force later",
    };
    const WINDOW: Window = Window::Own;

    fn release_window(_kernel: &mut Kernel<Self>, _directory: u32) {}

    fn may_free(_slots: &Slots, _slot: u32) -> bool {
        true
    }

    fn may_map(_slots: &Slots, _slot: u32) -> bool {
        true
    }

    fn is_frame(_physical: u32) -> bool {
        true
    }

    fn window_for_mapping(kernel: &mut Kernel<Self>, cpu: Cpu) -> Result<Option<u32>, Failure> {
        Ok(kernel.make_own_window(kernel.current(cpu)).ok())
    }

    fn window_of_mapping(kernel: &Kernel<Self>, cpu: Cpu, _slot: u32) -> Option<u32> {
        kernel.own_window(kernel.current(cpu))
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

/// The subject `published_fix`.
pub type PublishedFix = Program<MapsInForce>;
