//! What a page walker may claim for itself. The strict contract claims nothing.

use crate::{Contract, Freedom};

/// The freedoms that an implementation's documentation claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageWalkContract {
    /// See [`PageWalkContract::FREEDOMS`], as for every field.
    pub no_memory: bool,
}

impl Contract for PageWalkContract {
    const STRICT: Self = PageWalkContract { no_memory: false };

    const FREEDOMS: &'static [Freedom] = &[Freedom {
        name: "no_memory",
        sentence: "Tables and walks alone: ops on guest memory, on its buffers and on snapshots are skipped.",
    }];

    fn claimed(&self) -> Vec<&'static str> {
        Self::FREEDOMS.iter().filter(|_| self.no_memory).map(|freedom| freedom.name).collect()
    }
}
