//! What a page walker may claim for itself. The strict contract claims nothing.

use crate::contract::freedoms;

freedoms! {
    /// What a page walker's documentation claims.
    PageWalkContract;
    no_memory: bool = false,
        "Tables and walks alone: ops on guest memory, on its buffers and on snapshots are skipped.";
}
