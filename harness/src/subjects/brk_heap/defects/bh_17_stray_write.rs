//! BH-17: a stray write changes the allocator's words.
//!
//! The program writes through a pointer that it no longer has a right to, and the words in .bss lie where it points.

use super::super::deviation::Deviation;
use super::super::process::Process;
use super::super::program::Program;
use memtwin_models::Health;
use memtwin_models::brk_heap::BSS_START;

/// The deviation.
#[derive(Debug)]
pub struct StrayWrite;

impl Deviation for StrayWrite {
    const NAME: &'static str = "BH-17";
    const HEALTH: Health = Health::Broken {
        defect: Some("BH-17"),
        story: "writing to an empty slot goes through a dangling pointer, which points at the allocator's words",
    };

    fn write_to_nothing(process: &mut Process<Self>) {
        process.store(BSS_START, b"dangling");
    }
}

/// The subject `BH-17`.
pub type Bh17 = Program<StrayWrite>;
