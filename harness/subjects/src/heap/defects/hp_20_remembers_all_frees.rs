//! HP-20: every freed block is remembered in a table that only grows.
//!
//! The blocks themselves come back.

use super::super::paged::Heap;
use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp20;

impl Deviation for Hp20 {
    const HEALTH: Health = Health::defect("HP-20", "every freed block is remembered in a table that only grows");

    fn freed(heap: &mut Heap<Self>) {
        heap.remembered.push([0; 8]);
    }
}
