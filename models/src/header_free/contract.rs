//! What an allocator may claim for itself. The strict contract claims nothing.

use crate::{Contract, Freedom};

/// The freedoms that an implementation's documentation claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderFreeContract {
    /// See [`HeaderFreeContract::FREEDOMS`].
    pub real_libc: bool,
}

impl Contract for HeaderFreeContract {
    const STRICT: Self = HeaderFreeContract { real_libc: false };

    const FREEDOMS: &'static [Freedom] = &[Freedom {
        name: "real_libc",
        sentence: "Setups may ask for the process's own malloc as libc; strictly libc is simulated, and every block of it lies in the arena.",
    }];

    fn claimed(&self) -> Vec<&'static str> {
        Self::FREEDOMS
            .iter()
            .zip([self.real_libc])
            .filter(|(_, claimed)| *claimed)
            .map(|(freedom, _)| freedom.name)
            .collect()
    }
}
