//! memtwin runs a memory component beside its twin, a simple reference model, operation by operation, and reports the
//! first step at which the two part ways, or at which the component faults.
//!
//! To put an implementation of your own to the test, implement [`Subject`](memtwin_models::Subject) for a component and
//! give it to [`main!`]: your program then has the command line. `docs/own-subject/` is such a program. It asks for its
//! component alone (`default-features = false, features = ["guest_memory"]`); `docs/own-subject.md` has the features.
//!
//! ```no_run
//! use memtwin::models::guest_memory::{GuestMemory, GuestMemoryContract, Op, Outcome, Setup};
//! use memtwin::models::{Contract, Health, Row, Subject, Unsupported};
//!
//! struct MyMemory(Vec<u8>);
//!
//! impl Subject<GuestMemory> for MyMemory {
//!     const NAME: &'static str = "my_memory";
//!     const HEALTH: Health = Health::Sound;
//!     const CONTRACT: GuestMemoryContract = GuestMemoryContract { no_devices: true, ..GuestMemoryContract::STRICT };
//!
//!     fn new(setup: &Setup) -> Result<Self, Unsupported> {
//!         Ok(MyMemory(vec![0; usize::try_from(setup.memory_size).map_err(|_| Unsupported("too large"))?]))
//!     }
//!
//!     fn apply(&mut self, op: &Op, seen: &mut Outcome) {
//!         let _ = (op, seen); // carry out the op, write what it answered
//!     }
//! }
//!
//! memtwin::main!(memtwin::Registry::new().with(Row::<GuestMemory>::of::<MyMemory>()));
//! ```

#[cfg(feature = "c")]
mod c_libraries;
pub mod cli;
#[cfg(feature = "report")]
pub mod export;
#[cfg(feature = "heap")]
mod libraries;
#[cfg(feature = "record")]
pub mod record;

#[cfg(feature = "c")]
pub use c_libraries::C_GUEST_MEMORIES;
#[cfg(feature = "heap")]
pub use libraries::MALLOC_LIBRARIES;
pub use memtwin_core::*;
#[cfg(feature = "nightly")]
pub use memtwin_drivers as drivers;
#[cfg(feature = "heap")]
pub use memtwin_heap as heap;
#[cfg(feature = "report")]
pub use memtwin_report as report;
#[cfg(feature = "subjects")]
pub use memtwin_subjects as subjects;
#[cfg(feature = "witness")]
pub use memtwin_witness as witness;

/// The registry of memtwin's own subjects.
#[cfg(feature = "subjects")]
#[must_use]
pub fn built_in() -> Registry {
    use subjects::{brk_heap, guest_memory, header_free, heap, page_walk, temp_map};
    let registry = Registry::new();
    #[cfg(feature = "c")]
    let registry = registry.with_loader(C_GUEST_MEMORIES);
    #[cfg(feature = "heap")]
    let registry = registry.with_loader(MALLOC_LIBRARIES);
    registry
        .with_all(guest_memory::ROWS)
        .with_all(guest_memory::defects::ROWS)
        .with_all(brk_heap::ROWS)
        .with_all(brk_heap::defects::ROWS)
        .with_all(header_free::ROWS)
        .with_all(header_free::defects::ROWS)
        .with_all(page_walk::ROWS)
        .with_all(page_walk::defects::ROWS)
        .with_all(temp_map::ROWS)
        .with_all(temp_map::defects::ROWS)
        .with_all(heap::ROWS)
        .with_all(heap::defects::ROWS)
        .held_to_contract()
}

/// The `main` function of a program that has memtwin's command line for the subjects of a registry, and the allocator
/// that keeps workers within their memory.
#[macro_export]
macro_rules! main {
    ($registry:expr) => {
        #[global_allocator]
        static ALLOCATOR: $crate::isolate::heap::CountingAllocator = $crate::isolate::heap::CountingAllocator;

        fn main() -> std::process::ExitCode {
            $crate::cli::main(&$registry)
        }
    };
}
