//! HP-17: a realloc that fails frees the old block.
//!
//! Its owner still has it.

use super::super::deviation::{Deviation, free_behind_the_owner};
use super::super::free_list::FreeList;
use memtwin_models::Health;
use std::alloc::Layout;

/// The deviation.
#[derive(Debug)]
pub struct Hp17;

impl Deviation for Hp17 {
    const HEALTH: Health = Health::defect("HP-17", "a realloc that fails frees the old block");

    fn refused(heap: &mut FreeList<Self>, block: *mut u8, layout: Layout) {
        free_behind_the_owner(heap, block, layout);
    }
}
