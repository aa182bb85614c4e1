//! What a subject may do differently from the hardened code: one method for each decision. The defaults are the
//! hardened code.
//!
//! Does not combine defects: a subject of the catalogue has one. Every method that a deviation does not name is sound.

use super::memory::Memory;
use super::registry::{Full, Registry};
use super::table::{Block, Table};
use super::tiny::Shape;
use memtwin_models::header_free::{HeaderFreeContract, Kind, Mode, SLAB_BYTES};
use memtwin_models::{Contract as _, Health};

/// What becomes of a pointer that is nobody's as far as the allocator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// libc gets it.
    Libc,
    /// The allocator says no.
    Refuse,
    /// The tiny free gets it, which ignores pointers that it does not know.
    Ignore,
}

/// A way in which the allocator decides who owns a pointer.
pub trait Deviation: 'static {
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;
    /// The subject's name. A defect of the catalogue is called by its id.
    const NAME: &'static str = Self::HEALTH.id();
    /// What its documentation claims.
    const CONTRACT: HeaderFreeContract = HeaderFreeContract::STRICT;

    /// What it looks at before it asks any registry.
    #[inline]
    fn look_first(_memory: &mut Memory, _pointer: u64) {}

    /// What it makes of a pointer that no registry knows: the kind of block whose header it believes to see.
    #[inline]
    fn look_at_unknown(_memory: &mut Memory, _pointer: u64) -> Option<Kind> {
        None
    }

    /// Whether it takes a block of its own, found in its books, for one.
    #[inline]
    fn takes_for_own(_memory: &mut Memory, _mode: Mode, _block: &Block) -> bool {
        true
    }

    /// What becomes of a pointer that is nobody's.
    #[inline]
    fn fallback(mode: Mode) -> Fallback {
        match mode {
            Mode::LdPreload | Mode::Direct0 => Fallback::Libc,
            Mode::Direct1 => Fallback::Refuse,
        }
    }

    /// Enters a SuperSlab into the registry.
    fn register(registry: &mut Registry, base: u64, index: usize) -> Result<(), Full> {
        registry.insert(base, index)
    }

    /// Finds a SuperSlab in the registry.
    #[inline]
    fn find(registry: &Registry, base: u64) -> Option<usize> {
        registry.find(base)
    }

    /// How many blocks a slab has room for.
    fn capacity(shape: &Shape) -> u64 {
        SLAB_BYTES / shape.stride()
    }

    /// What a freed tiny block leaves on the free list, of its start with header and of its start without, both as
    /// offsets in the slab: the first, which is what the list is read as.
    #[inline]
    fn list_entry(start: u64, _user: u64) -> u64 {
        start
    }

    /// Enters a block that comes from the cache of big blocks into the books.
    #[inline]
    fn note_cached(table: &mut Table, block: Block) {
        table.push(block);
    }

    /// Strikes a freed block from the books.
    #[inline]
    fn forget(table: &mut Table, position: usize) {
        table.remove(position);
    }
}
