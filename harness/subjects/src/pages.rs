//! Simulated memory whose faults are real: one reserved range of the host, inaccessible but for the pages that are
//! opened. It knows what each page allows, so every slice that it lends is checked. What is not accessible it refuses
//! to lend; a single byte of it can be touched on purpose, and then the processor faults.

use memtwin_models::Unsupported;
use memtwin_wild as wild;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};
use std::arch::asm;
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// The size of a page in bytes.
pub(crate) const PAGE_BYTES: u64 = 4096;
/// The memory begins at a multiple of this in the host, with as much inaccessible memory on either side, in bytes.
pub(crate) const GUARD_BYTES: usize = 4 << 20;

/// What a page allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing: every access faults.
    None,
    /// Loads.
    Read,
    /// Loads and stores.
    ReadWrite,
}

/// The memory. Addresses are simulated: distances from its base.
#[derive(Debug)]
pub(crate) struct Pages {
    reservation: NonNull<c_void>,
    reserved_bytes: usize,
    /// The host address of address 0.
    base: NonNull<u8>,
    /// The first address beyond the memory.
    end: u64,
    /// The pages that can be read.
    readable: PageSet,
    /// The pages that can be written, once they were others.
    writable: Option<PageSet>,
}

impl Pages {
    /// Reserves memory from address 0 to `end`, a multiple of the page size. No page is accessible.
    pub(crate) fn new(end: u64) -> Result<Self, Unsupported> {
        let refused = Unsupported("the host refuses the address space for simulated memory");
        assert!(end.is_multiple_of(PAGE_BYTES), "{end:#x} is within a page");
        let bytes = usize::try_from(end).map_err(|_| refused)?;
        let reserved_bytes = bytes.checked_add(3 * GUARD_BYTES).ok_or(refused)?;
        let length = NonZeroUsize::new(reserved_bytes).ok_or(refused)?;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a new private mapping at an address of the kernel's choice touches no memory in use.
        let reservation = unsafe { mmap_anonymous(None, length, ProtFlags::PROT_NONE, flags) }.map_err(|_| refused)?;
        let offset = GUARD_BYTES + reservation.cast::<u8>().align_offset(GUARD_BYTES);
        // SAFETY: the offset is below two guards, and the reservation has three and the memory.
        let base = unsafe { reservation.cast::<u8>().add(offset) };
        wild::register_arena(base.as_ptr() as u64, end);
        Ok(Pages { reservation, reserved_bytes, base, end, readable: PageSet::new(end), writable: None })
    }

    /// The host address of an address up to the end.
    #[inline]
    fn host(&self, address: u64) -> NonNull<u8> {
        assert!(address <= self.end, "{address:#x} is beyond the memory");
        #[allow(clippy::cast_possible_truncation)] // no more than the end, which is a usize
        let offset = address as usize;
        // SAFETY: up to its end the memory is part of one reservation, with a guard after it.
        unsafe { self.base.add(offset) }
    }

    /// Where an address is in this process: for a program that really uses the memory.
    pub(crate) fn host_of(&self, address: u64) -> *mut u8 {
        self.host(address).as_ptr()
    }

    /// The simulated address of an address of this process.
    pub(crate) fn address_of(&self, pointer: *const u8) -> Option<u64> {
        let offset = (pointer as u64).checked_sub(self.base.as_ptr() as u64)?;
        (offset < self.end).then_some(offset)
    }

    /// Says what whole pages allow from here on; they keep what they hold. No pages are fine.
    pub(crate) fn protect(&mut self, start: u64, end: u64, access: Access) {
        if end <= start {
            return;
        }
        assert!(start.is_multiple_of(PAGE_BYTES) && end.is_multiple_of(PAGE_BYTES), "{start:#x} to {end:#x}");
        assert!(end <= self.end, "{end:#x} is beyond the memory");
        let flags = match access {
            Access::None => ProtFlags::PROT_NONE,
            Access::Read => ProtFlags::PROT_READ,
            Access::ReadWrite => ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        };
        #[allow(clippy::cast_possible_truncation)] // no more than the end, which is a usize
        let length = (end - start) as usize;
        // SAFETY: the pages are this reservation's, and nothing that it lent is left: it is borrowed mutably.
        let changed = unsafe { mprotect(self.host(start).cast(), length, flags) };
        assert!(changed.is_ok(), "mprotect of {length:#x} bytes of simulated memory: {changed:?}");
        if access == Access::Read && self.writable.is_none() {
            self.writable = Some(self.readable.clone());
        }
        self.readable.put(start, end, access != Access::None);
        if let Some(writable) = &mut self.writable {
            writable.put(start, end, access == Access::ReadWrite);
        }
    }

    /// The pages that can be written.
    #[inline]
    fn writable(&self) -> &PageSet {
        self.writable.as_ref().unwrap_or(&self.readable)
    }

    /// Lets a page hold zeros again, whatever it allows.
    pub(crate) fn discard_page(&mut self, start: u64) {
        assert!(start.is_multiple_of(PAGE_BYTES) && start < self.end, "{start:#x} is no page of the memory");
        #[allow(clippy::cast_possible_truncation)] // 4096
        let length = PAGE_BYTES as usize;
        // SAFETY: the page is this reservation's, private and anonymous, so that it reads as zeros from here on;
        // nothing that the reservation lent is left.
        let discarded = unsafe { madvise(self.host(start).cast(), length, MmapAdvise::MADV_DONTNEED) };
        assert!(discarded.is_ok(), "madvise of a page of simulated memory: {discarded:?}");
    }

    /// Whether a byte can be read.
    #[inline]
    pub(crate) fn is_readable(&self, address: u64) -> bool {
        self.readable.has(address)
    }

    /// The first address of a range that cannot be read. The range may wrap around the end of the address space.
    #[inline]
    pub(crate) fn first_unreadable(&self, start: u64, end: u64) -> Option<u64> {
        let mut address = start;
        while address < end {
            if !self.is_readable(address) {
                return Some(address);
            }
            address = (address | (PAGE_BYTES - 1)) + 1;
        }
        None
    }

    /// The first page of a range of whole pages that can be read.
    pub(crate) fn first_readable(&self, start: u64, end: u64) -> Option<u64> {
        self.readable.first_in(start, end)
    }

    /// Where a range is in this process, if it lies in the memory and all of its pages are in the set.
    #[inline]
    fn place(&self, address: u64, length: u64, pages: &PageSet) -> Option<NonNull<[u8]>> {
        if self.end < address || self.end - address < length {
            return None;
        }
        if length != 0 && !pages.has_all(address, address + (length - 1)) {
            return None;
        }
        #[allow(clippy::cast_possible_truncation)] // no more than the end, which is a usize
        Some(NonNull::slice_from_raw_parts(self.host(address), length as usize))
    }

    /// The bytes of a range, if all of it can be read.
    #[inline]
    pub(crate) fn bytes(&self, address: u64, length: u64) -> Option<&[u8]> {
        let place = self.place(address, length, &self.readable)?;
        // SAFETY: the place is within the reservation, its pages are readable as long as that is borrowed, nobody has
        // it mutably, and anonymous memory is initialised. Bytes need no alignment.
        Some(unsafe { place.as_ref() })
    }

    /// The bytes of a range, if all of it can be written.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, address: u64, length: u64) -> Option<&mut [u8]> {
        let mut place = self.place(address, length, self.writable())?;
        // SAFETY: as above; the pages are writable too, and the reservation is borrowed mutably.
        Some(unsafe { place.as_mut() })
    }

    /// Copies, if all of one range can be read and all of the other written, and says whether it did. They may overlap.
    #[inline]
    pub(crate) fn copy_within(&mut self, from: u64, to: u64, length: u64) -> bool {
        let source = self.place(from, length, &self.readable);
        let target = self.place(to, length, self.writable());
        let (Some(source), Some(target)) = (source, target) else { return false };
        // SAFETY: both places have the length and lie within the reservation, in pages that allow this, and nothing
        // that it lent is left. Overlap is allowed, and bytes need no alignment.
        unsafe { target.cast::<u8>().copy_from(source.cast(), source.len()) };
        true
    }

    /// So many bytes, wherever they are: the first that cannot be read faults.
    #[inline]
    pub(crate) fn array<const BYTES: usize>(&self, address: u64) -> [u8; BYTES] {
        match self.bytes(address, BYTES as u64).and_then(|bytes| bytes.first_chunk()) {
            Some(bytes) => *bytes,
            None => self.array_bytewise(address),
        }
    }

    #[cold]
    fn array_bytewise<const BYTES: usize>(&self, address: u64) -> [u8; BYTES] {
        std::array::from_fn(|offset| self.load(address.wrapping_add(offset as u64)))
    }

    /// Loads a byte, wherever it is: where nothing can be read, the load faults.
    pub(crate) fn load(&self, address: u64) -> u8 {
        match self.bytes(address, 1) {
            Some(bytes) => bytes[0],
            None => self.load_wild(address),
        }
    }

    /// Stores a byte, wherever that is: where nothing can be written, the store faults.
    pub(crate) fn store(&mut self, address: u64, byte: u8) {
        match self.bytes_mut(address, 1) {
            Some(bytes) => bytes[0] = byte,
            None => self.store_wild(address, byte),
        }
    }

    #[cold]
    fn load_wild(&self, address: u64) -> u8 {
        if self.end <= address {
            return wild::read_byte(address);
        }
        let host = self.host(address).as_ptr();
        let byte: u8;
        // SAFETY: deliberately not that the byte is accessible: where it is not, the instruction raises SIGSEGV and the
        // worker dies. The byte lies in the reservation, which is borrowed, so no other memory is read.
        unsafe {
            asm!("mov {byte}, byte ptr [{host}]", byte = out(reg_byte) byte, host = in(reg) host,
                options(nostack, readonly, preserves_flags));
        }
        byte
    }

    #[cold]
    fn store_wild(&mut self, address: u64, byte: u8) {
        if self.end <= address {
            return wild::write_byte(address, byte);
        }
        let host = self.host(address).as_ptr();
        // SAFETY: as for the load; the reservation is borrowed mutably, so nobody else has the byte.
        unsafe {
            asm!("mov byte ptr [{host}], {byte}", byte = in(reg_byte) byte, host = in(reg) host,
                options(nostack, preserves_flags));
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the reservation is this memory's alone and ends with it; nothing that it lent is left.
        let unmapped = unsafe { munmap(self.reservation, self.reserved_bytes) };
        debug_assert!(unmapped.is_ok(), "munmap of simulated memory: {unmapped:?}");
    }
}

// SAFETY: the reservation is owned, and its bytes are reached through borrows of this value only.
unsafe impl Send for Pages {}

/// A set of pages, with a bit for each.
#[derive(Debug, Clone)]
struct PageSet {
    words: Box<[u64]>,
}

impl PageSet {
    /// No page of those below an address.
    fn new(end: u64) -> Self {
        PageSet { words: vec![0; page_of(end).div_ceil(64)].into() }
    }

    /// Whether the page of an address is in the set. Beyond the memory none is.
    #[inline]
    fn has(&self, address: u64) -> bool {
        let page = page_of(address);
        self.words.get(page / 64).is_some_and(|word| word >> (page % 64) & 1 != 0)
    }

    /// Whether all pages from that of one address to that of another are in the set.
    #[inline]
    fn has_all(&self, first: u64, last: u64) -> bool {
        let mut page = first;
        while page_of(page) < page_of(last) {
            if !self.has(page) {
                return false;
            }
            page += PAGE_BYTES;
        }
        self.has(last)
    }

    /// The address of the first page of the set in a range of whole pages.
    fn first_in(&self, start: u64, end: u64) -> Option<u64> {
        let (mut page, end) = (page_of(start), page_of(end));
        while page < end {
            let word = self.words.get(page / 64)? >> (page % 64);
            if word != 0 {
                page += word.trailing_zeros() as usize;
                return (page < end).then_some(page as u64 * PAGE_BYTES);
            }
            page = (page / 64 + 1) * 64;
        }
        None
    }

    /// Puts whole pages into the set, or takes them out. There is at least one.
    fn put(&mut self, start: u64, end: u64, is_in: bool) {
        let (first, last) = (page_of(start), page_of(end - 1));
        let (from, to) = (u64::MAX << (first % 64), u64::MAX >> (63 - last % 64));
        let mut put = |word: usize, pages: u64| {
            let others = self.words[word] & !pages;
            self.words[word] = if is_in { others | pages } else { others };
        };
        if first / 64 == last / 64 {
            put(first / 64, from & to);
        } else {
            put(first / 64, from);
            put(last / 64, to);
            self.words[first / 64 + 1..last / 64].fill(if is_in { u64::MAX } else { 0 });
        }
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // x86-64
const fn page_of(address: u64) -> usize {
    (address / PAGE_BYTES) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: u64 = 130;
    const END: u64 = PAGES * PAGE_BYTES;

    fn memory() -> Pages {
        Pages::new(END).unwrap()
    }

    #[test]
    fn a_slice_is_lent_only_where_every_page_allows_it() {
        let mut memory = memory();
        // Ends in all places of the words that hold the bits.
        for (first, last) in [(0, 0), (0, 63), (1, 62), (63, 64), (5, 129), (64, 127), (129, 129)] {
            let (start, end) = (first * PAGE_BYTES, (last + 1) * PAGE_BYTES);
            memory.protect(start, end, Access::ReadWrite);
            assert!(memory.bytes_mut(start, end - start).is_some(), "pages {first} to {last}");
            assert!(memory.bytes(start.wrapping_sub(1), end - start).is_none(), "pages {first} to {last}");
            assert!(memory.bytes(start, end - start + 1).is_none(), "pages {first} to {last}");
            assert_eq!(memory.first_unreadable(start, END), (end < END).then_some(end));
            if first != last {
                memory.protect(start + PAGE_BYTES, start + 2 * PAGE_BYTES, Access::Read);
                assert!(memory.bytes(start, end - start).is_some(), "pages {first} to {last}");
                assert!(memory.bytes_mut(start, end - start).is_none(), "pages {first} to {last}");
                memory.protect(start + PAGE_BYTES, start + 2 * PAGE_BYTES, Access::None);
                assert!(memory.bytes(start, end - start).is_none(), "pages {first} to {last}");
            }
            memory.protect(0, END, Access::None);
            assert!(memory.bytes(start, 1).is_none() && !memory.is_readable(start), "pages {first} to {last}");
        }
    }

    #[test]
    fn nothing_beyond_the_memory_is_lent() {
        let mut memory = memory();
        memory.protect(0, END, Access::ReadWrite);
        assert_eq!(memory.bytes(END - 1, 1), Some(&[0][..]));
        assert_eq!(memory.bytes(END, 0), Some(&[][..]));
        for (address, length) in [(END - 1, 2), (END, 1), (END + 1, 0), (u64::MAX, 1), (1, u64::MAX), (0, u64::MAX)] {
            assert!(memory.bytes(address, length).is_none(), "{length:#x} bytes at {address:#x}");
            assert!(memory.bytes_mut(address, length).is_none(), "{length:#x} bytes at {address:#x}");
            assert!(!memory.copy_within(address, 0, length), "{length:#x} bytes at {address:#x}");
            assert!(!memory.copy_within(0, address, length), "{length:#x} bytes at {address:#x}");
        }
    }

    #[test]
    fn pages_keep_what_they_hold_until_it_is_discarded() {
        let mut memory = memory();
        memory.protect(0, 2 * PAGE_BYTES, Access::ReadWrite);
        memory.bytes_mut(PAGE_BYTES - 4, 8).unwrap().copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(memory.array(PAGE_BYTES - 4), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(memory.copy_within(PAGE_BYTES - 4, PAGE_BYTES - 2, 8), "an overlap");
        memory.protect(0, 2 * PAGE_BYTES, Access::None);
        memory.discard_page(PAGE_BYTES);
        memory.protect(0, 2 * PAGE_BYTES, Access::Read);
        assert_eq!(memory.bytes(PAGE_BYTES - 4, 6), Some(&[1, 2, 1, 2, 0, 0][..]));
    }

    #[test]
    fn addresses_of_the_process_lead_back() {
        let memory = memory();
        for address in [0, 1, END - 1] {
            assert_eq!(memory.address_of(memory.host_of(address)), Some(address));
        }
        assert_eq!(memory.address_of(memory.host_of(END)), None);
        assert_eq!(memory.address_of(memory.host_of(0).wrapping_sub(1)), None);
    }
}
