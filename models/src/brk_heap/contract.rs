//! What a brk heap may claim for itself. The strict contract claims nothing.

use crate::contract::freedoms;

freedoms! {
    /// What a brk heap's documentation claims.
    BrkHeapContract;
    blocks_from_mmap: bool = false,
        "Each block is a mapping of its own, unmapped when freed; strictly blocks lie between the heap's start and \
         its break.";
    trusts_fresh_pages: bool = false,
        "Memory that was never handed out is taken for zero, so nothing is poisoned beyond the blocks; strictly it \
         may hold \
         anything.";
    no_raw_brk: bool = false,
        "Other users of brk are not served: such ops are skipped.";
    sole_user_of_brk: bool = false,
        "The heap is the only user of brk: it takes all below the break for its own, and what another user got there \
         is lost. Strictly that stays the other user's.";
    no_processes: bool = false,
        "The process neither forks nor runs another program: such ops are skipped.";
    no_new_alignment: bool = false,
        "A reallocation keeps the block's alignment: those to another one are skipped.";
    books_in_heap: bool = false,
        "The allocator keeps data of its own between blocks and behind them, so what lies there is its own affair; \
         strictly it writes no byte outside of the block that it hands out.";
    overhead_bytes: u64 = 0,
        "A request may fail that would fit without this many bytes of bookkeeping; strictly there are none.";
}
