//! Implementations that are no part of the catalogue. An *equivalent* is right in another way than the hardened code:
//! the model must agree. An *unseen* defect was in nobody's mind when the model was written: the model must catch it
//! all the same. Each component has a module with both lists.
//!
//! Does not belong to memtwin: no trace, report or table names these subjects, and nothing is built of them by default.

mod brk_heap;
mod guest_memory;
mod header_free;
mod page_walk;
pub mod public_bugs;
mod temp_map;

use memtwin::Registry;

/// All variants.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with_all(brk_heap::equivalents::ROWS)
        .with_all(brk_heap::defects::ROWS)
        .with_all(guest_memory::equivalents::ROWS)
        .with_all(guest_memory::logs::ROWS)
        .with_all(guest_memory::defects::ROWS)
        .with_all(header_free::equivalents::ROWS)
        .with_all(header_free::defects::ROWS)
        .with_all(page_walk::equivalents::ROWS)
        .with_all(page_walk::claims::ROWS)
        .with_all(page_walk::defects::ROWS)
        .with_all(temp_map::equivalents::ROWS)
        .with_all(temp_map::defects::ROWS)
        .held_to_contract()
}
