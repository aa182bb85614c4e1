//! Memory of the recorder's own: words that are zero until they are set, taken from the system a page at a time as they
//! are touched. Does not give anything back: the recorder lives as long as its process.

use std::ptr;

/// So many words, a power of two.
#[derive(Debug)]
pub(crate) struct Words {
    start: *mut u64,
    mask: usize,
}

impl Words {
    /// Reserves 2 to the power of `exponent` words; `None` where the system does not have the address space.
    pub(crate) fn reserve(exponent: u32) -> Option<Self> {
        let count = 1_usize << exponent;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new private mapping at a place of the kernel's choice touches no memory in use.
        let start = unsafe { libc::mmap(ptr::null_mut(), 8 * count, protection, flags, -1, 0) };
        (start != libc::MAP_FAILED).then(|| Words { start: start.cast(), mask: count - 1 })
    }

    /// Where the words lie.
    #[cfg(not(test))]
    pub(crate) fn start(&self) -> *mut u64 {
        self.start
    }

    #[inline]
    fn place(&self, index: usize) -> *mut u64 {
        self.start.wrapping_add(index & self.mask)
    }

    /// The word with this index, modulo their number.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> u64 {
        // SAFETY: the mask keeps the index within the mapping, which is aligned, never given back, and zeroed.
        unsafe { self.place(index).read() }
    }

    /// Sets the word with this index, modulo their number.
    #[inline]
    pub(crate) fn set(&mut self, index: usize, word: u64) {
        // SAFETY: as above, and whoever sets a word has the words for itself.
        unsafe { self.place(index).write(word) };
    }
}
