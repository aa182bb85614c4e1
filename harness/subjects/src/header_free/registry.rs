//! The registry of SuperSlabs: open addressing with linear probing and tombstones. Refuses an entry rather than lose
//! it.

/// A slot of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Never used: a probe ends here.
    Empty,
    /// Used once: a probe goes on.
    Tombstone,
    /// The SuperSlab with this base, and its index among the SuperSlabs.
    Used {
        /// The first address.
        base: u64,
        /// The index.
        index: usize,
    },
}

/// The registry has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The registry.
#[derive(Debug)]
pub struct Registry {
    entries: Vec<Entry>,
    superslab_log2: u8,
}

impl Registry {
    pub(super) fn new(slots: usize, superslab_log2: u8) -> Self {
        Registry { entries: vec![Entry::Empty; slots], superslab_log2 }
    }

    pub(super) fn clear(&mut self) {
        self.entries.fill(Entry::Empty);
    }

    /// The slots in the order in which a base is looked for (Fibonacci hashing of its number).
    pub(super) fn probe(&self, base: u64) -> impl Iterator<Item = usize> + use<> {
        let slots = self.entries.len();
        let number = base >> self.superslab_log2;
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let first = usize::try_from(hash).unwrap_or(0);
        (0..slots).map(move |step| (first + step) % slots)
    }

    pub(super) fn entry(&self, slot: usize) -> Entry {
        self.entries[slot]
    }

    /// The index of the SuperSlab with this base.
    #[inline]
    pub(super) fn find(&self, base: u64) -> Option<usize> {
        for slot in self.probe(base) {
            match self.entries[slot] {
                Entry::Empty => return None,
                Entry::Used { base: known, index } if known == base => return Some(index),
                Entry::Used { .. } | Entry::Tombstone => {}
            }
        }
        None
    }

    /// Enters a SuperSlab that is not there yet.
    pub(super) fn insert(&mut self, base: u64, index: usize) -> Result<(), Full> {
        let mut probe = self.probe(base);
        let slot = probe.find(|slot| !matches!(self.entries[*slot], Entry::Used { .. })).ok_or(Full)?;
        self.put(slot, Entry::Used { base, index });
        Ok(())
    }

    /// The slot that a SuperSlab has.
    pub fn slot_of(&self, base: u64) -> Option<usize> {
        self.entries.iter().position(|entry| matches!(entry, Entry::Used { base: known, .. } if *known == base))
    }

    /// Fills a slot.
    pub fn put(&mut self, slot: usize, entry: Entry) {
        self.entries[slot] = entry;
    }

    pub(super) fn remove(&mut self, base: u64) {
        if let Some(slot) = self.slot_of(base) {
            self.put(slot, Entry::Tombstone);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, Entry::Used { .. })).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_over_tombstones_and_when_full() {
        let mut registry = Registry::new(4, 20);
        let base = |number: u64| number << 20;
        for (index, number) in (0..4).enumerate() {
            assert_eq!(registry.insert(base(number), index), Ok(()));
        }
        assert_eq!(registry.insert(base(9), 9), Err(Full));
        registry.remove(base(0));
        for (index, number) in (0..4).enumerate().skip(1) {
            assert_eq!(registry.find(base(number)), Some(index));
        }
        assert_eq!((registry.find(base(0)), registry.len()), (None, 3));
        assert_eq!(registry.insert(base(9), 9), Ok(()));
        assert_eq!(registry.find(base(9)), Some(9));
    }
}
