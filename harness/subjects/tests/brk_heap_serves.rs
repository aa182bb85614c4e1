//! The hardened brk heap is good enough to serve: a real program runs on it. It is alone in this test program, because
//! the allocator is the program's.

mod program;

use memtwin_models::brk_heap::{Granularity, Setup};
use memtwin_subjects::brk_heap::ServingHeap;

#[global_allocator]
static HEAP: ServingHeap = ServingHeap::new();

#[test]
fn a_program_runs_on_the_hardened_heap() {
    let before = Box::new(1_u64);
    assert!(!HEAP.owns((&raw const *before).cast()), "the system served before the heap did");
    HEAP.serve(&Setup { frames: 4096, granularity: Granularity::SixteenPages, ..Setup::reported(0) }).unwrap();
    let block = vec![1_u8; 100];
    assert!(HEAP.owns(block.as_ptr()), "the heap does not serve");
    program::run();
    assert_eq!(block, vec![1_u8; 100], "the program wrote over a block that is not its own");
    // More than there can be is an error that a program can handle, not a fault.
    let mut large = Vec::<u8>::new();
    assert!(large.try_reserve_exact(1 << 29).is_err());
    // Blocks go back to where they came from, and a zeroed one is zero.
    drop(before);
    assert!(vec![0_u8; 5000].iter().all(|&byte| byte == 0));
}
