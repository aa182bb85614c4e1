//! The code that the bug report found: the memory does not override the bulk methods, so every bulk access to it takes
//! the guest physical address for a host pointer. Reading 16 bytes at 0x1000 dies with a segmentation fault at host
//! address 0x1000. The wrapper for devices overrides them, and does not crash there.

use super::hardened::{GuestPhysAddr, VmError};
use super::reported::{BulkPath, ReportedMmu, ShardedVec};
use super::{subject::Adapter, unsafe_default};

/// The bulk methods are the trait's defaults.
#[derive(Debug)]
pub struct TraitDefaults;

impl BulkPath for TraitDefaults {
    const NAME: &'static str = "original";
    const STORY: &'static str =
        "the memory's bulk methods are the trait's unsafe defaults, which dereference guest addresses";

    fn read_bulk(_memory: &ShardedVec, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        unsafe_default::read_bulk(pa, buffer)
    }

    fn write_bulk(_memory: &ShardedVec, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        unsafe_default::write_bulk(pa, bytes)
    }
}

/// The subject `original`.
pub type Original = Adapter<ReportedMmu<TraitDefaults>>;
