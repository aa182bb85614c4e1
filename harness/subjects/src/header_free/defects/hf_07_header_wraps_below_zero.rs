//! HF-07: the header of a pointer below the header's size.
//!
//! `8 - 32` wraps around the end of the address space. The range from there up to the pointer looks empty, so a check
//! of each of its pages finds nothing wrong.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use memtwin_models::Health;
use memtwin_models::header_free::{HEADER_BYTES, Kind};

/// The deviation.
#[derive(Debug)]
pub struct Hf07;

impl Deviation for Hf07 {
    const HEALTH: Health = Health::defect(
        "HF-07",
        "free subtracts the header's size from any pointer, and the difference wraps below zero",
    );

    fn look_at_unknown(memory: &mut Memory, pointer: u64) -> Option<Kind> {
        let header = pointer.wrapping_sub(HEADER_BYTES);
        let mut pages = (header..pointer).step_by(4);
        if pages.all(|address| memory.is_readable(address, 4)) {
            std::hint::black_box(memory.load_u32(header));
        }
        None
    }
}
