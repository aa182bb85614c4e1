//! HF-26: the registry's key is cut to 32 bits.
//!
//! SuperSlabs that lie 4 GiB apart are one and the same to it.

use super::super::deviation::Deviation;
use super::super::registry::{Full, Registry};
use memtwin_models::Health;

/// The low 32 bits of a SuperSlab's first address.
const KEY: u64 = 0xffff_ffff;

/// The deviation.
#[derive(Debug)]
pub struct Hf26;

impl Deviation for Hf26 {
    const HEALTH: Health = Health::defect(
        "HF-26",
        "the registry keeps 32 bits of a SuperSlab's address, so that it mistakes those 4 GiB apart for each other",
    );

    fn register(registry: &mut Registry, base: u64, index: usize) -> Result<(), Full> {
        registry.insert(base & KEY, index)
    }

    fn find(registry: &Registry, base: u64) -> Option<usize> {
        registry.find(base & KEY)
    }

    fn unregister(registry: &mut Registry, base: u64) {
        registry.remove(base & KEY);
    }
}
