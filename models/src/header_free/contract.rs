//! What an allocator may claim for itself. The strict contract claims nothing.

use crate::contract::freedoms;

freedoms! {
    /// What an allocator's documentation claims.
    HeaderFreeContract;
    real_libc: bool = false,
        "Setups may ask for the process's own malloc as libc; strictly libc is simulated, and every block of it lies \
         in the \
         arena.";
}
