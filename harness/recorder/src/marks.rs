//! Which memory live blocks take, as one bit for 8 bytes in chunks of 2 MiB. A bit says that a block is near, not that
//! blocks overlap: then the blocks themselves are asked.

use crate::words::Words;

/// Bytes for a bit, as a power of two.
pub(crate) const GRAIN_SHIFT: u32 = 3;
/// Bytes for a chunk, as a power of two.
const CHUNK_SHIFT: u32 = 21;
/// Words of a chunk, as a power of two.
const WORDS_SHIFT: u32 = CHUNK_SHIFT - GRAIN_SHIFT - 6;
/// The most chunks, as a power of two.
const CHUNKS_SHIFT: u32 = 16;
/// Blocks of this many bytes have no marks: they are compared one by one.
pub(crate) const LARGE_BYTES: u64 = 1 << CHUNK_SHIFT;

/// The bits.
#[derive(Debug)]
pub(crate) struct Marks {
    /// Open addressing by the chunk's number, from 1 on; beside it the index of its bits.
    table: Words,
    bits: Words,
    chunks: usize,
}

impl Marks {
    pub(crate) fn reserve() -> Option<Self> {
        // Twice as many places as chunks, and two words for each.
        let table = Words::reserve(CHUNKS_SHIFT + 2)?;
        Some(Marks { table, bits: Words::reserve(CHUNKS_SHIFT + WORDS_SHIFT)?, chunks: 0 })
    }

    /// The place in the table where a chunk is, or would be.
    #[allow(clippy::cast_possible_truncation)] // addresses have the size of a pointer
    fn place(&self, chunk: u64) -> usize {
        let mut place = chunk as usize;
        // There are more places than chunks.
        while !matches!(self.table.get(2 * place), known if known == 0 || known == chunk + 1) {
            place += 1;
        }
        place
    }

    /// Where the bits of a chunk begin, in words; `None` where nothing was ever marked.
    #[allow(clippy::cast_possible_truncation)] // an index of a chunk
    fn start(&self, chunk: u64) -> Option<usize> {
        let place = self.place(chunk);
        (self.table.get(2 * place) != 0).then(|| (self.table.get(2 * place + 1) as usize) << WORDS_SHIFT)
    }

    /// The same, and the chunk is made where it is not there; `None` where there are no more.
    fn start_made(&mut self, chunk: u64) -> Option<usize> {
        if let Some(start) = self.start(chunk) {
            return Some(start);
        }
        if self.chunks == 1 << CHUNKS_SHIFT {
            return None;
        }
        let (place, index) = (self.place(chunk), self.chunks);
        self.table.set(2 * place, chunk + 1);
        self.table.set(2 * place + 1, index as u64);
        self.chunks += 1;
        Some(index << WORDS_SHIFT)
    }

    /// The words that a range has bits in, with these bits, each given to `each`.
    fn each_word(&mut self, start: u64, end: u64, makes: bool, mut each: impl FnMut(&mut Words, usize, u64)) {
        let (mut grain, last) = (start >> GRAIN_SHIFT, end.wrapping_sub(1) >> GRAIN_SHIFT);
        while grain <= last {
            let word_last = (grain | 63).min(last);
            let chunk = grain >> (CHUNK_SHIFT - GRAIN_SHIFT);
            let from = if makes { self.start_made(chunk) } else { self.start(chunk) };
            if let Some(from) = from {
                let mask = u64::MAX << (grain & 63) & u64::MAX >> (63 - (word_last & 63));
                each(&mut self.bits, from + word_of(grain), mask);
            }
            grain = word_last + 1;
        }
    }

    /// Marks a range of less than [`LARGE_BYTES`]; whether a part of it was marked before.
    #[inline]
    pub(crate) fn take(&mut self, start: u64, end: u64) -> bool {
        let mut taken = 0;
        self.each_word(start, end, true, |bits, word, mask| {
            let old = bits.get(word);
            taken |= old & mask;
            bits.set(word, old | mask);
        });
        taken != 0
    }

    /// Takes the marks of a range of less than [`LARGE_BYTES`] away.
    #[inline]
    pub(crate) fn give(&mut self, start: u64, end: u64) {
        self.each_word(start, end, false, |bits, word, mask| bits.set(word, bits.get(word) & !mask));
    }

    /// Whether these 8 bytes are marked.
    pub(crate) fn has(&self, grain: u64) -> bool {
        let start = self.start(grain >> (CHUNK_SHIFT - GRAIN_SHIFT));
        start.is_some_and(|start| self.bits.get(start + word_of(grain)) & 1 << (grain & 63) != 0)
    }

    /// The first 8 bytes from `grain` to `last` that are marked. Where nothing was ever marked, 2 MiB are one step.
    pub(crate) fn next(&self, mut grain: u64, last: u64) -> Option<u64> {
        while grain <= last {
            let chunk = grain >> (CHUNK_SHIFT - GRAIN_SHIFT);
            let Some(start) = self.start(chunk) else {
                grain = (chunk + 1) << (CHUNK_SHIFT - GRAIN_SHIFT);
                continue;
            };
            let word = self.bits.get(start + word_of(grain)) & u64::MAX << (grain & 63);
            if word != 0 {
                let found = (grain & !63) + u64::from(word.trailing_zeros());
                return (found <= last).then_some(found);
            }
            grain = (grain | 63) + 1;
        }
        None
    }
}

/// The word within its chunk that has this bit.
#[allow(clippy::cast_possible_truncation)] // below the number of words
const fn word_of(grain: u64) -> usize {
    (grain >> 6) as usize & ((1 << WORDS_SHIFT) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_marked_where_it_is_and_nowhere_else() {
        let mut marks = Marks::reserve().unwrap();
        // Within a word, across words, across chunks, a byte, and all but a chunk.
        for (start, end) in [
            (0x7000_0008, 0x7000_0010),
            (0x7000_01f9, 0x7000_0407),
            (0x701f_fff8, 0x7020_0011),
            (0x7100_0003, 0x7100_0004),
            (0x7200_0000, 0x7200_0000 + LARGE_BYTES - 1),
        ] {
            let (first, last) = (start >> GRAIN_SHIFT, (end - 1) >> GRAIN_SHIFT);
            assert!(!marks.take(start, end), "{start:#x}");
            assert!((first..=last).all(|grain| marks.has(grain)));
            assert!(!marks.has(first - 1) && !marks.has(last + 1));
            assert_eq!(marks.next(first - 100_000, last), Some(first));
            assert_eq!(marks.next(last, last + 100_000), Some(last));
            assert_eq!(marks.next(last + 1, last + 100), None);
            assert!(marks.take(end - 1, end));
            marks.give(start, end);
            assert_eq!(marks.next(first - 1000, last + 1000), None);
        }
    }
}
