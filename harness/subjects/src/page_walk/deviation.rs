//! What a subject may do differently from the hardened code: one method for each decision of walker, reader, region
//! list, buffers and bookkeeping. The defaults are the hardened code.
//!
//! Does not combine defects: a subject of the catalogue has one. Every method that a deviation does not name is sound.

use super::sandbox::{Placed, Run, Sandbox, WORD};
use super::tables::TableBuffer;
use super::walker::PageRange;
use memtwin_models::page_walk::translate::{
    ACCESSED, ADDRESS, COPY_ON_WRITE, DIRTY, LARGE, NO_EXECUTE, PRESENT, WRITABLE, is_canonical, shift,
};
use memtwin_models::page_walk::{
    Access, BOOKKEEPING_BYTES, MappingKind, PAGE_BYTES, PageWalkContract, Refusal, RegionKind, WorkBounds,
};
use memtwin_models::{Contract as _, Health};

/// A way in which the parts work together.
pub trait Deviation: 'static {
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;
    /// The subject's name. A defect of the catalogue is called by its id.
    const NAME: &'static str = Self::HEALTH.id();

    /// What it claims.
    const CONTRACT: PageWalkContract = PageWalkContract::STRICT;

    /// The pages of a range that is not empty.
    #[inline]
    fn range(address: u64, length: u64) -> Result<PageRange, Refusal> {
        let last = length.checked_sub(1).and_then(|more| address.checked_add(more)).ok_or(Refusal::BadRange)?;
        if is_canonical(address) && is_canonical(last) && address >> 63 == last >> 63 {
            Ok(PageRange::new(address, last))
        } else {
            Err(Refusal::BadRange)
        }
    }

    /// The pages that a walk of no bytes looks at.
    #[inline]
    fn empty_range(_address: u64) -> Result<Option<PageRange>, Refusal> {
        Ok(None)
    }

    /// Whether a walk may go on.
    #[inline]
    fn is_within_bounds(bounds: WorkBounds, visits: u64, leaves: u64) -> bool {
        visits <= bounds.table_visits() && leaves <= bounds.leaves()
    }

    /// Whether a present entry is a large leaf, at levels above the lowest.
    #[inline]
    fn is_large(entry: u64, _level: u32) -> bool {
        entry & LARGE != 0
    }

    /// Whether a large leaf is valid.
    #[inline]
    fn is_valid_large(entry: u64, level: u32) -> bool {
        let reserved = ADDRESS & ((1 << shift(level)) - 1) & !(1 << 12);
        level < 3 && entry & reserved == 0
    }

    /// Whether a leaf of the lowest level is valid.
    #[inline]
    fn is_valid_small(_entry: u64) -> bool {
        true
    }

    /// What may be done below an entry, from what may be done above it and what it allows itself.
    #[inline]
    fn allowed_below(upper: Access, own: Access) -> Access {
        Access {
            writable: upper.writable && own.writable,
            executable: upper.executable && own.executable,
            copy_on_write: own.copy_on_write,
            user: upper.user && own.user,
        }
    }

    /// Whether a leaf is copied before the first write.
    #[inline]
    fn is_copy_on_write(leaf: u64) -> bool {
        leaf & COPY_ON_WRITE != 0 && leaf & WRITABLE == 0
    }

    /// Whether a mapping is aligned.
    fn is_aligned(phys: u64, virt: u64, length: u64) -> bool {
        [phys, virt, length].iter().all(|number| number.is_multiple_of(PAGE_BYTES))
    }

    /// The entry of a page that is mapped; none where it is taken away.
    fn leaf_entry(phys: u64, kind: MappingKind) -> Option<u64> {
        let executable = |x: bool| if x { 0 } else { NO_EXECUTE };
        let flags = match kind {
            MappingKind::Unmapped => return None,
            MappingKind::Basic { r: _, w, x } => (if w { WRITABLE } else { 0 }) | executable(x),
            MappingKind::Cow { r: _, x } => COPY_ON_WRITE | executable(x),
        };
        Some(phys | PRESENT | ACCESSED | DIRTY | flags)
    }

    /// Whether the tables on the way to a page that is taken away are made.
    fn unmaps_through_tables() -> bool {
        false
    }

    /// The entry of a table that was made on the way to a page.
    fn table_entry(table: u64) -> u64 {
        table | PRESENT | WRITABLE | ACCESSED
    }

    /// The entry of a page that is taken away, from what it was.
    fn absent_entry(_before: u64) -> u64 {
        0
    }

    /// Writes the entry of a page, or takes it away, with the tables on the way to it.
    fn map_page(tables: &mut TableBuffer<Self>, virt: u64, leaf: Option<u64>) -> Result<(), Refusal>
    where
        Self: Sized,
    {
        tables.map_page(virt, leaf)
    }

    /// The index of an entry in a table buffer of so many entries.
    #[inline]
    fn entry_index(base: u64, address: u64, count: usize) -> Option<usize> {
        let offset = address.checked_sub(base).filter(|offset| offset.is_multiple_of(8))?;
        usize::try_from(offset / 8).ok().filter(|index| *index < count)
    }

    /// How many bytes of a backing the guest sees.
    #[inline]
    fn visible_bytes(placed: &Placed) -> u64 {
        placed.visible
    }

    /// Whether user mode may read a page: the first of a read, or a later one.
    #[inline]
    fn may_user_read(access: Access, _is_first: bool) -> bool {
        access.user
    }

    /// Where the next piece of a read lies, as its page's entry says it, from the number of pieces before and where
    /// they end.
    #[inline]
    fn piece(found: u64, _before: usize, _end: u64) -> u64 {
        found
    }

    /// Which files are mapped after a restore, from those that were when the snapshot was taken and those that are, bit
    /// by bit.
    fn restored_files(kept: u8, _now: u8) -> u8 {
        kept
    }

    /// The backings that a list of regions looks at.
    #[inline]
    fn listed(backings: &[Placed]) -> &[Placed] {
        backings
    }

    /// The backings that a read by guest virtual address looks at.
    #[inline]
    fn readable(backings: &[Placed]) -> &[Placed] {
        backings
    }

    /// What a read reserves before it knows what is there, in bytes.
    #[inline]
    fn reserved_early(_length: u64) -> u64 {
        0
    }

    /// The position after so many bytes.
    #[inline]
    fn advance(position: u64, bytes: u64) -> u64 {
        position.wrapping_add(bytes)
    }

    /// Whether a read goes on with the mapping that begins at `next`.
    #[inline]
    fn follows(position: u64, next: u64) -> bool {
        position == next
    }

    /// What stands for a page that no backing has.
    #[inline]
    fn run_without_backing() -> Option<Run> {
        None
    }

    /// With how many of the guest's bytes a run is listed.
    #[inline]
    fn listed_bytes(_start: u64, bytes: u64) -> u64 {
        bytes
    }

    /// What a list of regions says where no page is mapped.
    #[inline]
    fn list_of_nothing() -> Result<(), Refusal> {
        Ok(())
    }

    /// By how many bytes a region grows with a run that goes on where it ends.
    #[inline]
    fn grown_by(_start: u64, bytes: u64) -> u64 {
        bytes
    }

    /// Whether host bytes at `next` go on where others end.
    #[inline]
    fn goes_on(end: u64, next: u64) -> bool {
        end == next
    }

    /// Whether regions of these types may become one.
    #[inline]
    fn is_same_kind(left: RegionKind, right: RegionKind) -> bool {
        left == right
    }

    /// Whether regions in these backings may become one.
    #[inline]
    fn is_same_backing(left: usize, right: usize) -> bool {
        left == right
    }

    /// Whether the guest may write to a backing.
    #[inline]
    fn may_guest_write(placed: &Placed) -> bool {
        placed.writable
    }

    /// The generation after a restore, from the snapshot's and the one before.
    #[inline]
    fn restored_generation(kept: u64, _now: u64) -> u64 {
        kept
    }

    /// Whether a host access lies in a backing.
    #[inline]
    fn fits(offset: u64, length: u64, size: u64) -> bool {
        offset.checked_add(length).is_some_and(|end| end <= size)
    }

    /// Where the bookkeeping words lie in scratch.
    #[inline]
    fn bookkeeping_offset(scratch_bytes: u64) -> Option<u64> {
        scratch_bytes.checked_sub(BOOKKEEPING_BYTES)
    }

    /// The shortest element that can be popped, in bytes.
    #[inline]
    fn shortest_element_bytes() -> u64 {
        0
    }

    /// Whether the start of the last element, as the buffer says it, can be one.
    #[inline]
    fn is_back_pointer(start: u64, end: u64) -> bool {
        WORD <= start && start <= end
    }

    /// The element's size, from its prefix and the bytes that lie there.
    #[inline]
    fn prefixed_bytes(prefix: u32, element_bytes: u64) -> Option<u64> {
        (u64::from(prefix) + 4 == element_bytes).then_some(element_bytes)
    }

    /// Takes an element out of the buffer: from its start on, up to the pointer behind it.
    fn take(sandbox: &mut Sandbox<Self>, start: u64, pointer: u64)
    where
        Self: Sized,
    {
        sandbox.wipe_popped(start, pointer);
        sandbox.set_pointer(start);
    }

    /// Empties the buffer.
    fn clear(sandbox: &mut Sandbox<Self>) -> Result<(), Refusal>
    where
        Self: Sized,
    {
        sandbox.clear_all()
    }
}
