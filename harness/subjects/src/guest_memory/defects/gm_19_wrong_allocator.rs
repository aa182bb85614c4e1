//! GM-19: memory on huge pages is freed by the wrong allocator.
//!
//! The pages are mapped, and drop hands them to the global allocator, which never saw them. It looks for its
//! bookkeeping in front of the first byte, where the guard of the mapping is, and the process dies.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::{Backing, LazyMapping, PhysicalMemory};
use crate::guest_memory::sound;
use memtwin_models::guest_memory::Setup;
use memtwin_models::{Health, Unsupported};
use std::alloc::Layout;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

/// The deviation.
#[derive(Debug)]
pub struct Gm19;

impl Deviation for Gm19 {
    const HEALTH: Health =
        Health::defect("GM-19", "memory on huge pages comes from a mapping and is freed with the global allocator");
    const REUSABLE: bool = false;

    fn memory(setup: &Setup) -> Result<Arc<PhysicalMemory>, Unsupported> {
        let refused = |_| Unsupported("the host refuses the address space for a memory of this size");
        let mapping = ManuallyDrop::new(LazyMapping::new(setup.memory_size).map_err(refused)?);
        Ok(sound::logged(setup, PhysicalMemory::with_backing(Box::new(HugePages { mapping }))))
    }
}

/// A multiple of this, in bytes, is where a huge page begins.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// A mapping that begins where a huge page can (mappings are aligned to 4 MiB) and that drop does not unmap.
#[derive(Debug)]
struct HugePages {
    mapping: ManuallyDrop<LazyMapping>,
}

// SAFETY: the bytes are the mapping's, which is never unmapped.
unsafe impl Backing for HugePages {
    fn base(&self) -> NonNull<u8> {
        self.mapping.base()
    }

    fn size_bytes(&self) -> usize {
        self.mapping.size_bytes()
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        let size_bytes = self.mapping.size_bytes().max(1);
        let Ok(layout) = Layout::from_size_align(size_bytes, HUGE_PAGE_BYTES) else { return };
        // SAFETY: none: the allocator did not make this block. That is the defect, and the worker dies of it here: the
        // allocator's header would lie in the guard in front of the mapping.
        unsafe { std::alloc::dealloc(self.mapping.base().as_ptr(), layout) };
    }
}
