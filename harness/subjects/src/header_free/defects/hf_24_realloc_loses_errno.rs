//! HF-24: realloc leaves the error number of a system call that it made for itself.
//!
//! free saves errno around munmap and madvise; the free at the end of a reallocation does not.

use super::super::deviation::{Deviation, Entry};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf24;

impl Deviation for Hf24 {
    const HEALTH: Health =
        Health::defect("HF-24", "a realloc that moves a block leaves the error number of munmap or madvise in errno");

    fn keeps_errno(entry: Entry) -> bool {
        entry != Entry::Realloc
    }
}
