//! Which memory live blocks take, as one bit for 8 bytes, so that an overlap is found in a word or two. A bit that is
//! taken says that a block is near, not that blocks overlap: then the blocks themselves are asked.

/// Bytes for a bit, as a power of two.
const GRAIN_SHIFT: u32 = 3;
/// Bytes for a chunk of bits, as a power of two.
const CHUNK_SHIFT: u32 = 21;
/// Words of a chunk.
const WORDS: usize = 1 << (CHUNK_SHIFT - GRAIN_SHIFT - 6);
/// Blocks of this many bytes are not marked: the caller compares them one by one.
pub(super) const LARGE_BYTES: u64 = 1 << CHUNK_SHIFT;
/// Empty chunks are given up when there are more than so many at a reset.
const MOST_CHUNKS: usize = 128;
/// Places in the table of chunks at the start: a power of two.
const TABLE: usize = 256;

/// The bits.
#[derive(Debug, Clone)]
pub(super) struct Occupied {
    /// Open addressing by the chunk's number; 0 is an empty place, else the index of a chunk plus one.
    table: Vec<(u64, u32)>,
    chunks: Vec<Box<[u64; WORDS]>>,
}

impl Occupied {
    pub(super) fn new() -> Self {
        Occupied { table: vec![(0, 0); TABLE], chunks: Vec::new() }
    }

    /// Gives chunks up if there are too many. No bit is set any more: blocks were taken out one by one.
    pub(super) fn reset(&mut self) {
        if MOST_CHUNKS < self.chunks.len() {
            *self = Occupied::new();
        }
    }

    fn place(&self, chunk: u64) -> usize {
        #[allow(clippy::cast_possible_truncation)] // a hash
        let mut place = (chunk.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize;
        loop {
            place &= self.table.len() - 1;
            let (known, index) = self.table[place];
            if index == 0 || known == chunk {
                return place;
            }
            place += 1;
        }
    }

    fn chunk(&mut self, chunk: u64) -> &mut [u64; WORDS] {
        let mut place = self.place(chunk);
        if self.table[place].1 == 0 {
            if self.table.len() <= 2 * self.chunks.len() {
                let larger = vec![(0, 0); 2 * self.table.len()];
                let old = std::mem::replace(&mut self.table, larger);
                for entry in old.into_iter().filter(|(_, index)| *index != 0) {
                    let place = self.place(entry.0);
                    self.table[place] = entry;
                }
                place = self.place(chunk);
            }
            self.chunks.push(Box::new([0; WORDS]));
            #[allow(clippy::cast_possible_truncation)] // far fewer chunks
            let index = self.chunks.len() as u32;
            self.table[place] = (chunk, index);
        }
        let index = self.table[place].1 as usize - 1;
        &mut self.chunks[index]
    }

    /// Sets the bits of a range of less than [`LARGE_BYTES`]; whether one was set before.
    #[inline]
    pub(super) fn take(&mut self, start: u64, end: u64) -> bool {
        let mut taken = 0;
        self.each_word(start, end, |word, mask| {
            taken |= *word & mask;
            *word |= mask;
        });
        taken != 0
    }

    /// Clears the bits of a range of less than [`LARGE_BYTES`].
    #[inline]
    pub(super) fn give(&mut self, start: u64, end: u64) {
        self.each_word(start, end, |word, mask| *word &= !mask);
    }

    #[inline]
    fn each_word(&mut self, start: u64, end: u64, mut each: impl FnMut(&mut u64, u64)) {
        if end <= start {
            return;
        }
        let (mut grain, last) = (start >> GRAIN_SHIFT, (end - 1) >> GRAIN_SHIFT);
        while grain <= last {
            let chunk = grain >> (CHUNK_SHIFT - GRAIN_SHIFT);
            let chunk_last = (((chunk + 1) << (CHUNK_SHIFT - GRAIN_SHIFT)) - 1).min(last);
            let words = self.chunk(chunk);
            #[allow(clippy::cast_possible_truncation)] // below the number of words
            let index = |grain: u64| ((grain >> 6) as usize) & (WORDS - 1);
            let (first_word, last_word) = (index(grain), index(chunk_last));
            let first_mask = u64::MAX << (grain & 63);
            let last_mask = u64::MAX >> (63 - (chunk_last & 63));
            if first_word == last_word {
                each(&mut words[first_word], first_mask & last_mask);
            } else {
                each(&mut words[first_word], first_mask);
                for word in &mut words[first_word + 1..last_word] {
                    each(word, u64::MAX);
                }
                each(&mut words[last_word], last_mask);
            }
            grain = chunk_last + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bit_is_taken_where_a_range_was_and_nowhere_else(
            ranges in proptest::collection::vec((0..6_u64 << CHUNK_SHIFT, 0..100_000_u64), 1..12)
        ) {
            let mut occupied = Occupied::new();
            let grains = |start: u64, end: u64| (start >> 3, end.saturating_sub(1) >> 3);
            let mut kept: Vec<(u64, u64)> = Vec::new();
            for (start, length) in ranges {
                let end = start + length;
                let (low, high) = grains(start, end);
                let meets = |other: &&(u64, u64)| {
                    let (other_low, other_high) = grains(other.0, other.1);
                    start < end && low <= other_high && other_low <= high
                };
                let meeting = kept.iter().any(|other| meets(&other));
                prop_assert_eq!(occupied.take(start, end), meeting);
                if start < end {
                    kept.push((start, end));
                }
                if meeting {
                    // As the model does: blocks that overlap end the trace.
                    break;
                }
            }
            for (start, end) in kept {
                occupied.give(start, end);
            }
            prop_assert!(occupied.chunks.iter().all(|chunk| chunk.iter().all(|word| *word == 0)));
        }
    }
}
