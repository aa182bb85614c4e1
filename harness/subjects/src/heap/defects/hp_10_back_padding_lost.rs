//! HP-10: what is left behind a block and is small is lost when the block is freed.
//!
//! It is taken with the block and not given back with it (linked_list_allocator 0.10.1).

use super::super::deviation::Deviation;
use super::super::free_list::GRAIN_BYTES;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp10;

impl Deviation for Hp10 {
    const HEALTH: Health =
        Health::defect("HP-10", "what is left behind a block and is small is lost when the block is freed");

    fn split(left: usize) -> usize {
        if left < 2 * GRAIN_BYTES { 0 } else { left }
    }
}
