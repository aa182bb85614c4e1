//! What a kernel's temporary mappings may claim for themselves. The strict contract claims nothing.

use crate::contract::freedoms;

freedoms! {
    /// What a kernel's documentation claims of its temporary mappings.
    TempMapContract;
    private_window: bool = false,
        "A temporary mapping is seen under the directory that was in force when it was made, and under no other; each \
         directory's window may need a table of its own. Strictly there is one window, shared by all directories.";
}
