//! The state map: what a model saw, as counted features. One map, three consumers: counts in run files, the guided
//! engine and the extra counters of external fuzzers.

/// A borrowed map of feature counters. A feature is a number below [`StateMap::SIZE`]; larger numbers are folded.
#[derive(Debug)]
pub struct StateMap<'a> {
    counts: &'a mut [u8; StateMap::SIZE],
}

impl<'a> StateMap<'a> {
    /// The number of features. A power of two, so that folding is a mask.
    pub const SIZE: usize = 1 << 13;

    /// A map over `counts`.
    pub fn new(counts: &'a mut [u8; StateMap::SIZE]) -> Self {
        StateMap { counts }
    }

    /// Counts one occurrence of `feature`; a full counter stays full.
    #[inline]
    pub fn hit(&mut self, feature: usize) {
        let count = &mut self.counts[feature & (StateMap::SIZE - 1)];
        *count = count.saturating_add(1);
    }

    /// The number of features that were hit at least once.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.counts.iter().filter(|&&count| count != 0).count()
    }
}
