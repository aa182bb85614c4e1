//! HP-13: a thread that ends takes its spans along, with the blocks that others hold.
//!
//! The chunks go back to the system and are given out again (mimalloc, issue 1364).

use super::super::paged::Heap;
use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp13;

impl Deviation for Hp13 {
    const HEALTH: Health =
        Health::defect("HP-13", "a thread that ends takes its spans along, with the blocks that others hold");

    fn abandon(heap: &mut Heap<Self>, thread: u32) {
        heap.remove_spans_of(thread);
    }
}
