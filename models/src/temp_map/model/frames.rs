//! The frames of memory: who refers to them, and what their bytes are known to be. Does not know which frames the
//! kernel uses for tables: those are counted elsewhere, and their bytes are not followed.

use super::super::setup::{MAX_FRAMES, PAGE_BYTES, Setup};

const PAGE: usize = PAGE_BYTES as usize;
const WORDS: usize = PAGE / 4;

/// A frame's place in the books; the last one stands for the kernel's page, whose number nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameIndex(u16);

#[derive(Debug, Clone, Copy, Default)]
struct Twin {
    /// Pages mapped to it and variables that hold it.
    references: u32,
    /// Temporary mappings.
    pins: u32,
    is_touched: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Frames {
    first: u32,
    count: u32,
    twins: Vec<Twin>,
    bytes: Vec<u8>,
    /// For each frame, which words are known: a bit a word.
    known: Vec<[u64; WORDS / 64]>,
    touched: Vec<FrameIndex>,
    in_use: u32,
}

const KERNEL_PAGE_INDEX: FrameIndex = FrameIndex(MAX_FRAMES);

impl Frames {
    pub(super) fn new(setup: &Setup) -> Self {
        let places = usize::from(MAX_FRAMES) + 1;
        let mut frames = Frames {
            first: 0,
            count: 0,
            twins: vec![Twin::default(); places],
            bytes: vec![0; places * PAGE],
            known: vec![[0; WORDS / 64]; places],
            touched: Vec::with_capacity(places),
            in_use: 0,
        };
        frames.reset(setup);
        frames
    }

    pub(super) fn reset(&mut self, setup: &Setup) {
        for index in self.touched.drain(..) {
            self.twins[usize::from(index.0)] = Twin::default();
            self.known[usize::from(index.0)] = [0; WORDS / 64];
        }
        (self.first, self.count, self.in_use) = (setup.first_frame(), setup.frames.into(), 0);
    }

    /// The place of a frame of memory.
    #[inline]
    pub(super) fn index(&self, frame: u32) -> Option<FrameIndex> {
        let offset = frame.wrapping_sub(self.first);
        u16::try_from(offset).ok().filter(|_| offset < self.count).map(FrameIndex)
    }

    pub(super) fn kernel_page() -> FrameIndex {
        KERNEL_PAGE_INDEX
    }

    #[inline]
    fn touch(&mut self, index: FrameIndex) -> &mut Twin {
        let twin = &mut self.twins[usize::from(index.0)];
        if !twin.is_touched {
            twin.is_touched = true;
            self.touched.push(index);
        }
        twin
    }

    /// How many frames are referred to.
    pub(super) fn in_use(&self) -> u32 {
        self.in_use
    }

    #[inline]
    pub(super) fn references(&self, index: FrameIndex) -> u32 {
        self.twins[usize::from(index.0)].references
    }

    /// Of the kernel's page nobody counts the references: it is always the kernel's.
    #[inline]
    pub(super) fn is_owned(&self, index: FrameIndex) -> bool {
        index == KERNEL_PAGE_INDEX || self.references(index) != 0
    }

    pub(super) fn is_pinned(&self, index: FrameIndex) -> bool {
        self.twins[usize::from(index.0)].pins != 0
    }

    pub(super) fn pin(&mut self, index: FrameIndex) {
        self.touch(index).pins += 1;
    }

    pub(super) fn unpin(&mut self, index: FrameIndex) {
        self.touch(index).pins -= 1;
    }

    /// One more page or variable refers to the frame. The bytes of a frame that nobody owned are not known.
    pub(super) fn refer(&mut self, index: FrameIndex) {
        let twin = self.touch(index);
        twin.references += 1;
        if twin.references == 1 {
            self.in_use += 1;
            self.known[usize::from(index.0)] = [0; WORDS / 64];
        }
    }

    /// One less. True when nobody is left.
    pub(super) fn release(&mut self, index: FrameIndex) -> bool {
        let twin = self.touch(index);
        twin.references = twin.references.saturating_sub(1);
        let is_free = twin.references == 0;
        self.in_use -= u32::from(is_free);
        is_free
    }

    #[inline]
    fn range(index: FrameIndex, offset: u32, length: usize) -> std::ops::Range<usize> {
        let start = usize::from(index.0) * PAGE + offset as usize;
        start..start + length
    }

    #[inline]
    fn knows(&self, index: FrameIndex, word: usize) -> bool {
        self.known[usize::from(index.0)][word / 64] >> (word % 64) & 1 != 0
    }

    #[inline]
    fn learn(&mut self, index: FrameIndex, word: usize) {
        self.touch(index);
        self.known[usize::from(index.0)][word / 64] |= 1 << (word % 64);
    }

    /// The word at an offset that is a multiple of four, if it is known.
    #[inline]
    pub(super) fn word(&self, index: FrameIndex, offset: u32) -> Option<u32> {
        let bytes = self.bytes[Self::range(index, offset, 4)].first_chunk::<4>()?;
        self.knows(index, offset as usize / 4).then(|| u32::from_le_bytes(*bytes))
    }

    #[inline]
    pub(super) fn set_word(&mut self, index: FrameIndex, offset: u32, value: u32) {
        self.bytes[Self::range(index, offset, 4)].copy_from_slice(&value.to_le_bytes());
        self.learn(index, offset as usize / 4);
    }

    /// The frame is cleared.
    pub(super) fn clear(&mut self, index: FrameIndex) {
        self.bytes[Self::range(index, 0, PAGE)].fill(0);
        self.touch(index);
        self.known[usize::from(index.0)] = [u64::MAX; WORDS / 64];
    }

    /// One frame becomes a copy of another.
    pub(super) fn copy(&mut self, from: FrameIndex, to: FrameIndex) {
        self.bytes.copy_within(Self::range(from, 0, PAGE), to_start(to));
        self.touch(to);
        self.known[usize::from(to.0)] = self.known[usize::from(from.0)];
    }

    /// Bytes are written. A word that is written in part and was not known stays so.
    pub(super) fn write(&mut self, index: FrameIndex, offset: u32, bytes: &[u8]) {
        self.bytes[Self::range(index, offset, bytes.len())].copy_from_slice(bytes);
        let first = (offset as usize).div_ceil(4);
        let end = (offset as usize + bytes.len()) / 4;
        for word in first..end {
            self.learn(index, word);
        }
    }

    /// Where the first of these bytes is that is known to be another.
    pub(super) fn first_difference(&self, index: FrameIndex, offset: u32, bytes: &[u8]) -> Option<u32> {
        let known = &self.bytes[Self::range(index, offset, bytes.len())];
        if known == bytes {
            return None;
        }
        let differs = |at: &usize| known[*at] != bytes[*at] && self.knows(index, (offset as usize + at) / 4);
        let at = (0..bytes.len()).find(differs)?;
        u32::try_from(at).ok().map(|at| offset + at)
    }

    /// Every frame of memory, by number.
    pub(super) fn each(&self) -> impl Iterator<Item = (u32, FrameIndex)> + '_ {
        (self.first..).zip((0..u16::try_from(self.count).unwrap_or(0)).map(FrameIndex))
    }
}

fn to_start(index: FrameIndex) -> usize {
    usize::from(index.0) * PAGE
}
