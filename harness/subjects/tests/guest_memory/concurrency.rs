//! Each call is atomic towards other threads. A smoke test: schedules are the host's, and the counts are exact anyway.

use memtwin_subjects::guest_memory::hardened::{
    Alignment, GuestPhysAddr, MemoryAccess, OwnerIndex, PhysicalMemory, SoftMmu,
};
use std::sync::Arc;
use std::thread;

const THREADS: u16 = 4;

#[test]
fn increments_by_load_reserved_and_store_conditional_are_never_lost() {
    // A memory whose shards are 37 bytes: the counter at a border is in two shards and its line in more.
    let memory = Arc::new(PhysicalMemory::new(16 * 37).unwrap());
    let mmu = SoftMmu::new(memory, OwnerIndex(0), Alignment::Any);
    let increments: u64 = 20_000;
    for counter in [37 - 3, 64, 5 * 64 - 4].map(GuestPhysAddr::new) {
        thread::scope(|scope| {
            for index in 0..THREADS {
                let mut mmu = mmu.for_owner(OwnerIndex(index));
                scope.spawn(move || {
                    for _ in 0..increments {
                        loop {
                            let value = mmu.load_reserved(counter, 8).unwrap();
                            if mmu.store_conditional(counter, value + 1, 8).unwrap() {
                                break;
                            }
                        }
                    }
                });
            }
            // Stores to the same lines from outside kill reservations and must not lose increments either.
            let mut outsider = mmu.for_owner(OwnerIndex(THREADS));
            scope.spawn(move || {
                for value in 0..increments {
                    outsider.write(GuestPhysAddr::new(counter.get() - 8), value, 8).unwrap();
                    outsider.write_bulk(GuestPhysAddr::new(counter.get() + 8), &value.to_le_bytes()).unwrap();
                }
            });
        });
        assert_eq!(mmu.read(counter, 8), Ok(increments * u64::from(THREADS)), "{counter}");
    }
}

#[test]
fn bulk_transfers_over_many_shards_are_never_seen_in_halves() {
    let memory = Arc::new(PhysicalMemory::new(4096).unwrap());
    let mmu = SoftMmu::new(memory, OwnerIndex(0), Alignment::Any);
    let start = GuestPhysAddr::new(100);
    thread::scope(|scope| {
        for index in 0..THREADS {
            let mut mmu = mmu.for_owner(OwnerIndex(index));
            scope.spawn(move || {
                let mut buffer = [0; 2000];
                for round in 0..5000_u32 {
                    if index % 2 == 0 {
                        let [byte, ..] = round.to_le_bytes();
                        mmu.write_bulk(start, &[byte; 2000]).unwrap();
                    } else {
                        mmu.read_bulk(start, &mut buffer).unwrap();
                        assert!(buffer.iter().all(|&byte| byte == buffer[0]), "a torn transfer");
                    }
                }
            });
        }
    });
}
