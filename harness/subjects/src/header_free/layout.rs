//! Where things lie in the simulated address space: fixed, so that collisions and neighbours never depend on the host.

use memtwin_models::header_free::{BOOT_BLOCKS, BOOT_LIMIT_BYTES, CELLS, Kind, PAGE_BYTES, Setup};

/// The first address after the first arena of the simulated space, in bytes (128 MiB).
pub(super) const ARENA_END: u64 = 0x800_0000;
/// How much further the second arena lies, in bytes (4 GiB): all that is in it looks the same in 32 bits.
pub(super) const APART_BYTES: u64 = 1 << 32;

/// A row of equal windows, each with room for one block of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) start: u64,
    /// The distance of two windows in bytes.
    pub(super) stride: u64,
    /// Where in a window memory may be: the pages before are never anything but foreign.
    pub(super) gap: u64,
    /// How many bytes of memory follow the gap at most.
    pub(super) bytes: u64,
    pub(super) count: u32,
}

/// Before the allocator is up; a page.
pub(super) const BOOT: Windows =
    Windows { start: 0x80_0000, stride: BOOT_LIMIT_BYTES, gap: 0, bytes: BOOT_LIMIT_BYTES, count: BOOT_BLOCKS };
pub(super) const MID: Windows = Windows { start: 0x100_0000, stride: 0x4000, gap: 0, bytes: 0x4000, count: 16 };
pub(super) const L25: Windows = Windows { start: 0x140_0000, stride: 0x1_0000, gap: 0, bytes: 0x1_0000, count: 8 };
/// A line at the start of each window is the cache's own, so that no header begins a page.
pub(super) const BIG_CACHE: Windows =
    Windows { start: 0x180_0000, stride: 0x1_0000, gap: 64, bytes: 0x1_0000 - 64, count: 8 };
pub(super) const MMAP: Windows =
    Windows { start: 0x1c0_0000, stride: 0x2_0000, gap: 0x1_0000, bytes: 0x1_0000, count: 8 };
pub(super) const LIBC: Windows =
    Windows { start: 0x200_0000, stride: 0x8000, gap: PAGE_BYTES, bytes: 4 * PAGE_BYTES, count: CELLS };
/// One window for each slot of the program.
pub(super) const FOREIGN: Windows = Windows { start: 0x280_0000, stride: 0x4000, gap: 0x4000, bytes: 0, count: 64 };

/// Where the first SuperSlab may lie, and how many fit one after the other: more than any registry holds.
pub(super) const SUPERSLABS_START: u64 = 0x400_0000;
pub(super) const SUPERSLABS: usize = 24;
const _: () = assert!(SUPERSLABS_START + ((SUPERSLABS as u64) << 21) <= ARENA_END);

impl Windows {
    pub(super) const fn end(&self) -> u64 {
        self.start + self.stride * self.count as u64
    }

    pub(super) const fn contains(&self, address: u64) -> bool {
        self.start <= address && address < self.end()
    }

    /// Where the memory of a window begins.
    pub(super) const fn memory(&self, index: u32) -> u64 {
        self.start + self.stride * index as u64 + self.gap
    }

    /// The window that an address lies in.
    #[allow(clippy::cast_possible_truncation)] // at most 64 windows
    pub(super) const fn index_of(&self, address: u64) -> u32 {
        ((address - self.start) / self.stride) as u32
    }

    const fn is_gap(&self, address: u64) -> bool {
        self.contains(address) && (address - self.start) % self.stride < self.gap
    }
}

/// The windows that a kind has its blocks in.
pub(super) const fn windows(kind: Kind) -> Option<&'static Windows> {
    match kind {
        Kind::Mid => Some(&MID),
        Kind::L25 => Some(&L25),
        Kind::Mmap => Some(&MMAP),
        Kind::BigCache => Some(&BIG_CACHE),
        Kind::Tiny | Kind::Malloc => None,
    }
}

/// The place with this number of those that are every second one in the second arena, if there are two: the number of
/// its place in the arena, and the distance of that.
pub(super) const fn in_arenas(setup: &Setup, index: u32) -> (u32, u64) {
    if setup.two_arenas { (index / 2, index as u64 % 2 * APART_BYTES) } else { (index, 0) }
}

/// The address in the first arena of what lies there or in the second one.
pub(super) const fn in_first_arena(setup: &Setup, address: u64) -> u64 {
    if setup.two_arenas && APART_BYTES <= address && address < APART_BYTES + ARENA_END {
        address - APART_BYTES
    } else {
        address
    }
}

/// The number of a page of either arena, the second one's after the first one's.
#[inline]
pub(super) fn page_number(address: u64) -> Option<usize> {
    let arena_pages = ARENA_END / PAGE_BYTES;
    let number = match address.checked_sub(APART_BYTES) {
        None if address < ARENA_END => address / PAGE_BYTES,
        Some(further) if further < ARENA_END => arena_pages + further / PAGE_BYTES,
        None | Some(_) => return None,
    };
    usize::try_from(number).ok()
}

/// Whether a page is one that neither the allocator nor libc ever maps, so that anybody may.
pub(super) const fn is_free_for_all(page: u64, setup: &Setup) -> bool {
    let superslab_log2 = setup.superslab_log2;
    let superslabs_end = SUPERSLABS_START + ((SUPERSLABS as u64) << superslab_log2);
    let in_superslab = SUPERSLABS_START <= page && page < superslabs_end;
    MMAP.is_gap(page)
        || LIBC.is_gap(page)
        || FOREIGN.is_gap(page)
        || in_superslab && page & ((1 << superslab_log2) - 1) < setup.slab_offset.0
}
