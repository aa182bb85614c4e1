//! The frame allocator: first fit, with a reference count for each frame; zero means free. Refuses frames that are not
//! memory, and references to frames that nobody uses.

use memtwin_models::temp_map::Setup;

/// The frames of memory.
#[derive(Debug)]
pub struct Frames {
    first: u32,
    references: Box<[u32]>,
    /// No frame before this one is free.
    lowest: usize,
    free: u32,
    /// The frames that were handed out during the present call, for who traces them.
    taken: Vec<u32>,
}

impl Frames {
    pub(super) fn new(setup: &Setup) -> Self {
        let count = usize::from(setup.frames);
        Frames {
            first: setup.first_frame(),
            references: vec![0; count].into(),
            lowest: 0,
            free: setup.frames.into(),
            taken: Vec::with_capacity(2 * count),
        }
    }

    pub(super) fn reset(&mut self) {
        self.references.fill(0);
        self.lowest = 0;
        self.free = u32::try_from(self.references.len()).unwrap_or(u32::MAX);
        self.taken.clear();
    }

    fn index(&self, frame: u32) -> Option<usize> {
        Some(frame.wrapping_sub(self.first) as usize).filter(|index| *index < self.references.len())
    }

    /// Whether it is a frame of memory.
    #[must_use]
    pub fn is_memory(&self, frame: u32) -> bool {
        self.index(frame).is_some()
    }

    /// How many frames are free.
    #[must_use]
    pub fn free_count(&self) -> u32 {
        self.free
    }

    /// A frame with one reference; its bytes are what they were.
    pub fn alloc(&mut self) -> Option<u32> {
        let index = self.lowest + self.references[self.lowest..].iter().position(|count| *count == 0)?;
        self.lowest = index + 1;
        Some(self.hand_out(index))
    }

    /// The last free frame: where the kernel lies when the machine starts.
    pub(super) fn alloc_last(&mut self) -> Option<u32> {
        let index = self.references.iter().rposition(|count| *count == 0)?;
        Some(self.hand_out(index))
    }

    #[allow(clippy::cast_possible_truncation)] // there are at most 256 frames
    fn hand_out(&mut self, index: usize) -> u32 {
        self.references[index] = 1;
        self.free -= 1;
        let frame = self.first.wrapping_add(index as u32);
        self.taken.push(frame);
        frame
    }

    /// The reference count.
    #[must_use]
    pub fn references(&self, frame: u32) -> u32 {
        self.index(frame).map_or(0, |index| self.references[index])
    }

    /// One more reference to a frame in use.
    pub fn share(&mut self, frame: u32) {
        if let Some(index) = self.index(frame).filter(|index| self.references[*index] != 0) {
            self.references[index] = self.references[index].saturating_add(1);
        }
    }

    /// One reference less; without any the frame is free. Whether it became so.
    pub(super) fn release(&mut self, frame: u32) -> bool {
        let Some(index) = self.index(frame).filter(|index| self.references[*index] != 0) else { return false };
        self.references[index] -= 1;
        let is_free = self.references[index] == 0;
        if is_free {
            self.free += 1;
            self.lowest = self.lowest.min(index);
        }
        is_free
    }

    /// The frames handed out since the last call of this kind.
    pub(super) fn drain_taken(&mut self, target: &mut Vec<u32>) {
        target.append(&mut self.taken);
    }

    /// All reference counts, in the order of the frames.
    #[must_use]
    pub fn all_references(&self) -> &[u32] {
        &self.references
    }
}
