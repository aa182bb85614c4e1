//! What a subject may do differently from the hardened code: one method for each decision. The defaults are the
//! hardened code.
//!
//! Does not combine defects: a subject of the catalogue has one. Every method that a deviation does not name is sound.

use super::memory::Memory;
use super::registry::{Full, Registry};
use super::table::{Block, Table};
use super::tiny::{Lists, Shape};
use memtwin_models::header_free::{Alignment, HEADER_BYTES, HeaderFreeContract, Kind, Mode, SLAB_BYTES, Setup};
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

/// The ways into the allocator that take a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// `free`.
    Free,
    /// `realloc`.
    Realloc,
    /// `malloc_usable_size`.
    UsableSize,
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

    /// What it looks at first when it is asked for a reallocation or for a size.
    #[inline]
    fn look_when_asked(_memory: &mut Memory, _entry: Entry, _pointer: u64) {}

    /// Whether it asks the pool from before the allocator was up, in this entry point.
    #[inline]
    fn knows_boot(_entry: Entry) -> bool {
        true
    }

    /// Whether this entry point takes the beginning of a block alone for one, and not what lies within a tiny block.
    #[inline]
    fn asks_for_starts(_entry: Entry) -> bool {
        true
    }

    /// Whether errno is as it was when a system call has failed that this entry point made for itself.
    #[inline]
    fn keeps_errno(_entry: Entry) -> bool {
        true
    }

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

    /// What becomes of such a pointer in a reallocation or a question about a size.
    #[inline]
    fn fallback_when_asked(_entry: Entry, mode: Mode) -> Fallback {
        Self::fallback(mode)
    }

    /// Where the SuperSlab begins that an address would lie in.
    #[inline]
    fn superslab_base(setup: &Setup, address: u64) -> u64 {
        setup.superslab_base(address)
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

    /// Takes a SuperSlab out of the registry.
    fn unregister(registry: &mut Registry, base: u64) {
        registry.remove(base);
    }

    /// The class that serves a tiny request.
    #[inline]
    fn tiny_class(setup: &Setup, size: u64, align: Alignment) -> Option<usize> {
        setup.tiny_class(size, align)
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

    /// The free block of a SuperSlab that is handed out next: what its owner freed before what others did.
    #[inline]
    fn next_free(lists: &mut Lists) -> Option<u64> {
        if lists.free.is_empty() {
            std::mem::swap(&mut lists.free, &mut lists.remote);
        }
        lists.free.pop()
    }

    /// Whether blocks that were never handed out are handed out before those that were freed by others.
    #[inline]
    fn prefers_fresh() -> bool {
        true
    }

    /// What becomes of the free blocks of a SuperSlab whose owner ends.
    #[inline]
    fn leave(lists: &mut Lists) {
        lists.free.append(&mut lists.remote);
    }

    /// Which of the free windows of a kind is used next, of a bit for each.
    #[inline]
    fn window(free: u64) -> u32 {
        free.trailing_zeros()
    }

    /// Which big block that stays with the allocator serves next.
    #[inline]
    fn next_cached(cached: &mut Vec<u64>) -> Option<u64> {
        cached.pop()
    }

    /// What the program may use of a block with a header, in bytes.
    #[inline]
    fn usable_bytes(block: &Block) -> u64 {
        block.high - block.user
    }

    /// Whether a block that has room for its new size stays where it is.
    #[inline]
    fn stays(_size: u64, _usable: u64) -> bool {
        true
    }

    /// How many bytes a reallocation keeps at most, of the size once asked for and the bytes that may be used.
    #[inline]
    fn kept_bytes(_size: u64, usable: u64) -> u64 {
        usable
    }

    /// Whether a mapping that the kernel did not take back serves again.
    #[inline]
    fn reuses_kept() -> bool {
        true
    }

    /// Whether a SuperSlab is given back, for all that the program sees, if the kernel took it or not.
    #[inline]
    fn is_retired(is_unmapped: bool) -> bool {
        is_unmapped
    }

    /// How much more than the size is asked of libc for a malloc-method block, in bytes, for the header and for
    /// alignments beyond libc's own.
    #[inline]
    fn malloc_room(align: Alignment) -> u64 {
        HEADER_BYTES + if align.bytes() <= 16 { 0 } else { align.bytes() }
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
