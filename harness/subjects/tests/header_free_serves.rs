//! The hardened allocator is good enough to serve: a real program runs on it, with the system's allocator behind it. It
//! is alone in this test program, because the allocator is the program's.

mod program;

use memtwin_models::header_free::{Kind, Setup};
use memtwin_subjects::header_free::ServingAllocator;

#[global_allocator]
static ALLOCATOR: ServingAllocator = ServingAllocator::new();

#[test]
fn a_program_runs_on_the_hardened_allocator() {
    let before = Box::new(1_u64);
    ALLOCATOR.serve(&Setup { superslab_log2: 20, ..Setup::PRELOADED }).unwrap();
    let block = vec![1_u8; 100];
    let large = [vec![2_u8; 5000], vec![3_u8; 50_000]];
    program::run();
    assert_eq!(block, vec![1_u8; 100], "the program wrote over a block that is not its own");
    assert!(large[0].iter().all(|&byte| byte == 2) && large[1].iter().all(|&byte| byte == 3));
    // Blocks go back to where they came from.
    drop((before, block, large));
    let (books, passed_on) = ALLOCATOR.books();
    for kind in [Kind::Tiny, Kind::Mid, Kind::L25, Kind::Mmap] {
        let balance = books[kind as usize];
        assert!(0 < balance.freed && balance.freed <= balance.allocated, "{kind:?}: {balance:?}");
    }
    assert!(1000 < books[Kind::Tiny as usize].freed, "{books:?}");
    assert!(1000 < passed_on, "hardly any block was the system's, so hardly any pointer was to be told apart");
    assert!(vec![0_u8; 5000].iter().all(|&byte| byte == 0));
}
