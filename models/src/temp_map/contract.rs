//! What a kernel's temporary mappings may claim for themselves. The strict contract claims nothing.

use crate::{Contract, Freedom};

/// The freedoms that an implementation's documentation claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TempMapContract {
    /// See [`TempMapContract::FREEDOMS`], as for every field.
    pub private_window: bool,
}

impl Contract for TempMapContract {
    const STRICT: Self = TempMapContract { private_window: false };

    const FREEDOMS: &'static [Freedom] = &[Freedom {
        name: "private_window",
        sentence: "A temporary mapping is seen under the directory that was in force when it was made, and under no other; \
                   each directory's window may need a table of its own. Strictly there is one window, shared by all \
                   directories.",
    }];

    fn claimed(&self) -> Vec<&'static str> {
        Self::FREEDOMS.iter().filter(|_| self.private_window).map(|freedom| freedom.name).collect()
    }
}
