//! HF-18: the registry's probe stops at a tombstone.
//!
//! A SuperSlab that was entered behind another is lost when the other is given back.

use super::super::deviation::Deviation;
use super::super::registry::Entry;
use super::super::registry::Registry;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf18;

impl Deviation for Hf18 {
    const HEALTH: Health =
        Health::defect("HF-18", "looking up a SuperSlab stops at the place of one that was given back");

    fn find(registry: &Registry, base: u64) -> Option<usize> {
        for slot in registry.probe(base) {
            match registry.entry(slot) {
                Entry::Used { base: known, index } if known == base => return Some(index),
                Entry::Used { .. } => {}
                Entry::Empty | Entry::Tombstone => return None,
            }
        }
        None
    }
}
