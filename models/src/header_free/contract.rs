//! What an allocator may claim for itself. The strict contract claims nothing.

use crate::contract::freedoms;

freedoms! {
    /// What an allocator's documentation claims.
    HeaderFreeContract;
    real_libc: bool = false,
        "Setups may ask for the process's own malloc as libc; strictly libc is simulated, and every block of it lies \
         in the \
         arena.";
    realloc_forgets_granted: bool = false,
        "A reallocation keeps no more than was asked for before; strictly it also keeps what the usable size granted.";
    errno_of_success: bool = false,
        "A call that succeeds may change errno, as C allows; strictly none does. Of a free POSIX asks it of all.";
}
