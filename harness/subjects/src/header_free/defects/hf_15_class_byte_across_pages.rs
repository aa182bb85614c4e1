//! HF-15: the byte before a pointer is read to learn its class, whatever page it is on.
//!
//! For a pointer at the start of a page that byte is on the page before, which need not be there.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf15;

impl Deviation for Hf15 {
    const HEALTH: Health =
        Health::defect("HF-15", "free reads the byte before every pointer, even where that is on another page");

    fn look_first(memory: &mut Memory, pointer: u64) {
        let mut class = [0];
        memory.load(pointer.wrapping_sub(1), &mut class);
        std::hint::black_box(class);
    }
}
