//! Where RAM lies: runs of guest addresses, and where the bytes of each begin in memory. Does not look at a byte.

use super::super::setup::Setup;

/// Ranges that meet are one run: no access sees where they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Run {
    /// The first guest physical address.
    pub(super) base: u64,
    /// The size in bytes.
    pub(super) bytes: u64,
    /// How many bytes of memory lie before it.
    pub(super) offset: u64,
}

impl Run {
    pub(super) const fn end(self) -> u64 {
        self.base + self.bytes
    }
}

/// All runs, ascending. The first is looked at first: most setups have no other.
#[derive(Debug, Clone, Default)]
pub(super) struct Ram {
    first: Run,
    others: Vec<Run>,
}

impl Ram {
    pub(super) fn reset(&mut self, setup: &Setup) {
        self.others.clear();
        self.first = Run { base: 0, bytes: setup.memory_size, offset: 0 };
        let mut offset = 0;
        for (index, range) in setup.ram.iter().enumerate() {
            let run = Run { base: range.base, bytes: range.bytes, offset };
            offset += range.bytes;
            let last = self.others.last_mut().unwrap_or(&mut self.first);
            if index == 0 {
                self.first = run;
            } else if last.end() == run.base {
                last.bytes += run.bytes;
            } else {
                self.others.push(run);
            }
        }
    }

    /// The runs, ascending.
    pub(super) fn runs(&self) -> impl Iterator<Item = Run> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// The last run that begins at this address or below.
    #[inline]
    pub(super) fn run_from_below(&self, address: u64) -> Option<Run> {
        if self.others.is_empty() && self.first.base <= address {
            return Some(self.first);
        }
        self.runs().filter(|run| run.base <= address).last()
    }

    /// Where in memory the bytes from `address` on lie, if all `length` are RAM. No bytes lie in a run up to its end.
    #[inline]
    pub(super) fn offset(&self, address: u64, length: u64) -> Option<u64> {
        let offset = address.wrapping_sub(self.first.base);
        if offset <= self.first.bytes && length <= self.first.bytes - offset {
            return Some(offset);
        }
        if self.others.is_empty() { None } else { self.offset_in_others(address, length) }
    }

    fn offset_in_others(&self, address: u64, length: u64) -> Option<u64> {
        let lies_in = |run: &&Run| run.base <= address && address <= run.end() && length <= run.end() - address;
        self.others.iter().find(lies_in).map(|run| run.offset + (address - run.base))
    }

    /// The guest address of the byte at this offset of memory.
    pub(super) fn address(&self, offset: u64) -> u64 {
        let run = self.runs().filter(|run| run.offset <= offset).last().unwrap_or_default();
        run.base + (offset - run.offset)
    }

    /// Calls `visit` with (address, offset of memory, length) of each piece of RAM from an address to another, which is
    /// the last.
    pub(super) fn visit_between(&self, first: u64, last: u64, mut visit: impl FnMut(u64, u64, u64)) {
        for run in self.runs().filter(|run| run.bytes != 0) {
            let (low, high) = (first.max(run.base), last.min(run.end() - 1));
            if low <= high {
                visit(low, run.offset + (low - run.base), high - low + 1);
            }
        }
    }

    /// Calls `visit` with (address, length) of each piece of RAM that the bytes from `offset` on are.
    pub(super) fn visit(&self, offset: u64, length: u64, mut visit: impl FnMut(u64, u64)) {
        for run in self.runs() {
            let (low, high) = (offset.max(run.offset), (offset + length).min(run.offset + run.bytes));
            if low < high {
                visit(run.base + (low - run.offset), high - low);
            }
        }
    }
}
