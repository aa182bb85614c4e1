//! HF-20: a full registry drops what is entered, and says that all is well.
//!
//! The SuperSlab is used all the same. Its blocks are nobody's.

use super::super::deviation::Deviation;
use super::super::registry::Full;
use super::super::registry::Registry;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf20;

impl Deviation for Hf20 {
    const HEALTH: Health =
        Health::defect("HF-20", "a full registry forgets a new SuperSlab without a word, and the SuperSlab is used");

    fn register(registry: &mut Registry, base: u64, index: usize) -> Result<(), Full> {
        let _ = registry.insert(base, index);
        Ok(())
    }
}
