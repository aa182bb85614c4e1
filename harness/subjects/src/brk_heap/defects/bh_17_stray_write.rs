//! BH-17: a stray write changes the allocator's words.
//!
//! The program writes through a pointer that it no longer has a right to, and the words in .bss lie where it points.

use super::super::deviation::Deviation;
use super::super::process::Process;
use memtwin_models::Health;
use memtwin_models::brk_heap::BSS_START;

/// The deviation.
#[derive(Debug)]
pub struct Bh17;

impl Deviation for Bh17 {
    const HEALTH: Health = Health::defect(
        "BH-17",
        "writing to an empty slot goes through a dangling pointer, which points at the allocator's words",
    );

    fn write_to_nothing(process: &mut Process<Self>) {
        process.store(BSS_START, b"dangling");
    }
}
