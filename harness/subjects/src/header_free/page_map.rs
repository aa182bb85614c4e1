//! The page map: what is mapped, with which protection, and what `mincore` says of it. Does not touch memory.

use super::layout::page_number;
use memtwin_models::header_free::{FaultPlan, MincorePlan, PAGE_BYTES, Protection};

/// The first address that no user process has (x86-64 with four levels of page tables).
const USER_END: u64 = 0x7fff_ffff_f000;

/// Error numbers of Linux (asm-generic/errno-base.h, errno.h).
pub(super) const EAGAIN: i32 = 11;
/// See [`EAGAIN`].
pub(super) const ENOMEM: i32 = 12;
/// See [`EAGAIN`].
pub(super) const EINVAL: i32 = 22;
/// See [`EAGAIN`].
pub(super) const ENOSYS: i32 = 38;

/// A page's state: unmapped, or mapped with a protection.
pub(super) type Page = Option<Protection>;

/// The page map of an address space that ends at its length.
#[derive(Debug)]
pub(super) struct PageMap {
    pages: Box<[Page]>,
    plan: MincorePlan,
    mincore_calls: u32,
}

impl PageMap {
    pub(super) fn new(pages: usize, plan: MincorePlan) -> Self {
        PageMap { pages: vec![None; pages].into(), plan, mincore_calls: 0 }
    }

    /// The fault plan begins anew.
    pub(super) fn reset(&mut self) {
        self.mincore_calls = 0;
    }

    /// The state of the page that an address lies in.
    #[inline]
    pub(super) fn get(&self, address: u64) -> Page {
        page_number(address).and_then(|page| *self.pages.get(page)?)
    }

    pub(super) fn set(&mut self, start: u64, end: u64, state: Page) {
        if let (Some(first), Some(last)) = (page_number(start), page_number(end - 1)) {
            self.pages[first..=last].fill(state);
        }
    }

    /// Whether every byte of the range lies in pages that can be read.
    #[inline]
    pub(super) fn is_readable(&self, address: u64, length: u64) -> bool {
        self.all(address, length, |page| matches!(page, Some(Protection::Read | Protection::ReadWrite)))
    }

    /// Whether every byte of the range lies in pages that can be written.
    #[inline]
    pub(super) fn is_writable(&self, address: u64, length: u64) -> bool {
        self.all(address, length, |page| page == Some(Protection::ReadWrite))
    }

    #[inline]
    fn all(&self, address: u64, length: u64, is_fit: impl Fn(Page) -> bool) -> bool {
        let Some(end) = address.checked_add(length) else { return false };
        let mut page = address & !(PAGE_BYTES - 1);
        while page < end {
            if !is_fit(self.get(page)) {
                return false;
            }
            page += PAGE_BYTES;
        }
        true
    }

    /// `mincore`, with its tests in the order of Linux (mm/mincore.c): a kernel without it, alignment, the end of the
    /// address space, no memory for the answer at present, and then page by page. Protections are nothing to it, and a
    /// length of 0 asks for nothing.
    pub(super) fn mincore(&mut self, address: u64, length: u64) -> Result<(), i32> {
        self.mincore_calls = self.mincore_calls.wrapping_add(1);
        if self.plan == MincorePlan::NotImplemented {
            return Err(ENOSYS);
        }
        if !address.is_multiple_of(PAGE_BYTES) {
            return Err(EINVAL);
        }
        let end = address.checked_add(length).filter(|end| *end <= USER_END).ok_or(ENOMEM)?;
        let is_short = match self.plan {
            MincorePlan::None | MincorePlan::NotImplemented => false,
            MincorePlan::Again => true,
            MincorePlan::SometimesAgain => self.mincore_calls.is_multiple_of(2),
        };
        if is_short {
            return Err(EAGAIN);
        }
        if self.all(address, end - address, |page| page.is_some()) { Ok(()) } else { Err(ENOMEM) }
    }
}

/// A system call that fails by its plan.
#[derive(Debug)]
pub(super) struct Gate {
    plan: FaultPlan,
    calls: u32,
}

impl Gate {
    pub(super) const fn new(plan: FaultPlan) -> Self {
        Gate { plan, calls: 0 }
    }

    /// The plan begins anew.
    pub(super) const fn reset(&mut self) {
        self.calls = 0;
    }

    /// Whether the next call fails.
    pub(super) const fn fails(&mut self) -> bool {
        self.calls = self.calls.wrapping_add(1);
        match self.plan {
            FaultPlan::None => false,
            FaultPlan::Always => true,
            FaultPlan::Sometimes => self.calls.is_multiple_of(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
    use std::num::NonZeroUsize;
    use std::ptr::NonNull;

    const PAGES: usize = 8;

    fn real_mincore(address: u64, length: u64) -> Result<(), i32> {
        let mut answer = [0_u8; 16];
        // SAFETY: mincore only writes the answer, one byte for each of at most 16 pages; the address may be anything.
        let result = unsafe { libc::syscall(libc::SYS_mincore, address, length, answer.as_mut_ptr()) };
        if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) }
    }

    /// Eight real pages: readable and writable, read-only, PROT_NONE, a hole, readable, a hole, PROT_NONE, readable.
    #[test]
    fn the_gate_answers_as_the_kernel_does() {
        let states = [
            Some(Protection::ReadWrite),
            Some(Protection::Read),
            Some(Protection::None),
            None,
            Some(Protection::ReadWrite),
            None,
            Some(Protection::None),
            Some(Protection::ReadWrite),
        ];
        let length = NonZeroUsize::new(PAGES * 4096).unwrap();
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a new private mapping at an address of the kernel's choice.
        let base =
            unsafe { mmap_anonymous(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags) }.unwrap();
        let host = base.as_ptr() as u64;
        let mut map = PageMap::new(PAGES, MincorePlan::None);
        for (index, state) in states.into_iter().enumerate() {
            map.set(index as u64 * 4096, (index as u64 + 1) * 4096, state);
            let page = NonNull::new((host + index as u64 * 4096) as *mut std::ffi::c_void).unwrap();
            match state {
                Some(Protection::ReadWrite) => {}
                // SAFETY: the page is the test's own.
                Some(Protection::Read) => unsafe { mprotect(page, 4096, ProtFlags::PROT_READ) }.unwrap(),
                // SAFETY: as above.
                Some(Protection::None) => unsafe { mprotect(page, 4096, ProtFlags::PROT_NONE) }.unwrap(),
                // SAFETY: as above; nobody has a reference to it.
                None => unsafe { munmap(page, 4096) }.unwrap(),
            }
        }
        let mut compared = 0;
        let offsets = (0..PAGES as u64).flat_map(|page| [0, 1, 8, 32, 2048, 4064, 4095].map(|byte| page * 4096 + byte));
        for offset in offsets {
            for length in [0, 1, 32, 4095, 4096, 4097, 8192, 0x3000] {
                // What lies beyond the eight pages is the host's affair.
                if (PAGES as u64 * 4096) < offset + length {
                    continue;
                }
                let expected = real_mincore(host + offset, length);
                assert_eq!(map.mincore(offset, length), expected, "offset {offset:#x}, length {length:#x}");
                compared += 1;
            }
        }
        assert!(300 < compared, "only {compared} cases");
        // The order of the tests: alignment, then the range, then the pages.
        let far = [(1, u64::MAX), (0, u64::MAX), (u64::MAX, 1), (!0xfff, 1), (!0xfff, 0x2000), (0, 1), (8, 0), (0, 0)];
        for (address, length) in far {
            assert_eq!(
                map_at_zero().mincore(address, length),
                real_mincore(address, length),
                "{address:#x}, {length:#x}"
            );
        }
        // SAFETY: the mapping is the test's own; unmapping holes is no error.
        unsafe { munmap(base, PAGES * 4096) }.unwrap();
    }

    /// An address space whose first pages are not mapped, as in every process.
    fn map_at_zero() -> PageMap {
        PageMap::new(PAGES, MincorePlan::None)
    }

    #[test]
    fn the_fault_plan_comes_where_the_kernel_has_it() {
        let mut map = PageMap::new(1, MincorePlan::SometimesAgain);
        map.set(0, 4096, Some(Protection::ReadWrite));
        let answers: Vec<_> = (0..4).map(|_| map.mincore(0, 1)).collect();
        assert_eq!(answers, [Ok(()), Err(EAGAIN), Ok(()), Err(EAGAIN)]);
        map.reset();
        assert_eq!((map.mincore(0, 1), map.mincore(1, 1)), (Ok(()), Err(EINVAL)));
        let mut absent = PageMap::new(1, MincorePlan::NotImplemented);
        assert_eq!(absent.mincore(1, 1), Err(ENOSYS));
        let mut short = PageMap::new(1, MincorePlan::Again);
        assert_eq!((short.mincore(1, 1), short.mincore(0, 1)), (Err(EINVAL), Err(EAGAIN)));
        let failing = |plan| {
            let mut gate = Gate::new(plan);
            let first: Vec<bool> = (0..4).map(|_| gate.fails()).collect();
            gate.reset();
            assert_eq!(gate.fails(), first[0]);
            first
        };
        assert_eq!(failing(FaultPlan::None), [false; 4]);
        assert_eq!(failing(FaultPlan::Always), [true; 4]);
        assert_eq!(failing(FaultPlan::Sometimes), [false, true, false, true]);
    }
}
