//! HF-13: the registry keeps the SuperSlab that came last.
//!
//! With one SuperSlab all is well; the second makes every block of the first nobody's.

use super::super::deviation::Deviation;
use super::super::registry::Full;
use super::super::registry::Registry;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf13;

impl Deviation for Hf13 {
    const HEALTH: Health =
        Health::defect("HF-13", "entering a SuperSlab into the registry drops those that were there");

    fn register(registry: &mut Registry, base: u64, index: usize) -> Result<(), Full> {
        registry.clear();
        registry.insert(base, index)
    }
}
