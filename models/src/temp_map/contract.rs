//! What a kernel's temporary mappings may claim for themselves. The strict contract claims nothing.

use crate::contract::freedoms;

freedoms! {
    /// What a kernel's documentation claims of its temporary mappings.
    TempMapContract;
    private_window: bool = false,
        "A temporary mapping is seen under the directory that was in force when it was made, and under no other; each \
         directory's window may need a table of its own. Strictly there is one window, shared by all directories.";
    segments_stay_apart: bool = false,
        "An ELF file with two segments in one page is refused. Strictly both are kept, with the rights of both, in \
         whatever order the file names them.";
}
