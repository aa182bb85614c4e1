//! The SuperSlabs that the model knows of: those from which a block came and that were not given back since.

use super::super::setup::Setup;

/// A SuperSlab.
#[derive(Debug, Clone, Copy)]
struct SuperSlab {
    base: u64,
    class: usize,
    live: u32,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct SuperSlabs {
    known: Vec<SuperSlab>,
}

impl SuperSlabs {
    pub(super) fn new() -> Self {
        SuperSlabs { known: Vec::with_capacity(32) }
    }

    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Each SuperSlab's first address, class and live blocks.
    pub(super) fn each(&self) -> impl Iterator<Item = (u64, usize, u32)> + '_ {
        self.known.iter().map(|superslab| (superslab.base, superslab.class, superslab.live))
    }

    pub(super) fn add_block(&mut self, base: u64, class: usize) {
        match self.known.iter_mut().find(|superslab| superslab.base == base) {
            Some(superslab) => superslab.live += 1,
            None => self.known.push(SuperSlab { base, class, live: 1 }),
        }
    }

    pub(super) fn remove_block(&mut self, base: u64) {
        if let Some(superslab) = self.known.iter_mut().find(|superslab| superslab.base == base) {
            superslab.live = superslab.live.saturating_sub(1);
        }
    }

    /// The live blocks of a SuperSlab; `None` if there is none there.
    pub(super) fn live_blocks(&self, base: u64) -> Option<u32> {
        self.known.iter().find(|superslab| superslab.base == base).map(|superslab| superslab.live)
    }

    pub(super) fn retire(&mut self, base: u64) {
        self.known.retain(|superslab| superslab.base != base);
    }

    /// Whether a block of this class may be refused: the registry is full, and none of its SuperSlabs has room.
    pub(super) fn may_refuse(&self, setup: &Setup, class: usize) -> bool {
        let capacity = setup.tiny_capacity(class);
        setup.registry_slots() <= self.known.len()
            && self.known.iter().all(|superslab| superslab.class != class || capacity <= superslab.live)
    }
}
