//! HF-21: realloc reads the header before a pointer that free and malloc_usable_size look up.
//!
//! A block of libc's has no header; where it begins a page, nothing need be mapped before it.

use super::super::deviation::{Deviation, Entry};
use super::super::memory::Memory;
use memtwin_models::Health;
use memtwin_models::header_free::HEADER_BYTES;

/// The deviation.
#[derive(Debug)]
pub struct Hf21;

impl Deviation for Hf21 {
    const HEALTH: Health = Health::defect(
        "HF-21",
        "realloc reads the header before every pointer, where free and malloc_usable_size ask the books",
    );

    fn look_when_asked(memory: &mut Memory, entry: Entry, pointer: u64) {
        if entry == Entry::Realloc {
            std::hint::black_box(memory.load_u32(pointer.wrapping_sub(HEADER_BYTES)));
        }
    }
}
