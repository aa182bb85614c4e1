//! memtwin runs a memory component beside its twin, a simple reference model, operation by operation, and reports the
//! first step at which the two part ways, or at which the component faults.
//!
//! To put an implementation of your own to the test, implement [`Subject`](memtwin_models::Subject) for a component and
//! give it to [`main!`]: your program then has the whole command line. `docs/own-subject/` is such a program.
//!
//! ```no_run
//! use memtwin::models::guest_memory::{GuestMemory, GuestMemoryContract, Op, Outcome, Setup};
//! use memtwin::models::{Contract, Health, Subject, Unsupported};
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
//! memtwin::main![memtwin::Pair::<GuestMemory, MyMemory>::NEW];
//! ```

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!("memtwin supports x86-64 Linux only: its isolation uses Linux system calls and its subjects x86 pages");

pub mod bench;
pub mod campaign;
pub mod cli;
pub mod corpus;
pub mod engines;
pub mod explain;
pub mod export;
pub mod feedback;
pub mod finding;
pub mod isolate;
pub mod lockstep;
pub mod mutate;
#[cfg(feature = "proptest")]
pub mod proptest;
pub mod random;
pub mod registry;
pub mod regress;
pub mod report;
pub mod rig;
pub mod run_file;
mod shrink;
pub mod subjects;
pub mod target;
pub mod trace;
pub mod witness;

pub use memtwin_models as models;
pub use registry::Registry;
pub use target::{Pair, Target};

/// The `main` function of a program that has memtwin's command line for its own subjects, and the allocator that keeps
/// workers within their memory. Without targets it is memtwin itself.
#[macro_export]
macro_rules! main {
    () => {
        $crate::main!(@registry $crate::Registry::built_in());
    };
    (@registry $registry:expr) => {
        #[global_allocator]
        static ALLOCATOR: $crate::isolate::heap::CountingAllocator = $crate::isolate::heap::CountingAllocator;

        fn main() -> std::process::ExitCode {
            $crate::cli::main(&$registry)
        }
    };
    ($($target:expr),+ $(,)?) => {
        $crate::main!(@registry $crate::Registry::of(&[$($target),+]));
    };
}

/// An AFL++ target for a component of memtwin's own registry, or of another one: a whole program. The crate that uses it
/// depends on `afl` and is built with `cargo afl build`.
#[macro_export]
macro_rules! afl_target {
    ($component:literal) => {
        $crate::afl_target!($component, $crate::Registry::built_in());
    };
    ($component:literal, $registry:expr) => {
        fn main() {
            thread_local! {
                static TARGET: std::cell::RefCell<$crate::engines::in_process::FuzzTarget> = std::cell::RefCell::new(
                    $crate::engines::in_process::FuzzTarget::start_unsupervised(&$registry, $component),
                );
            }
            // Made before AFL++ forks, so that no input pays for it.
            TARGET.with_borrow(|_| ());
            // Without afl's panic hook, which aborts where a subject may catch its own panics.
            afl::fuzz_nohook!(|bytes: &[u8]| TARGET.with_borrow_mut(|target| {
                target.run(bytes);
                target.tell_features(|feature| afl::ijon_set!(feature));
            }));
        }
    };
}

/// A test that runs a subject of one's own beside its model, on traces that proptest draws and memtwin shrinks. Needs the
/// feature `proptest`. The subject runs in the test's own process, so a crash takes the test with it: [`main!`] is for those.
///
/// ```
/// use memtwin::models::brk_heap::BrkHeap;
/// use memtwin::subjects::brk_heap::Hardened;
///
/// memtwin::proptest_subject!(hardened_agrees, BrkHeap, Hardened);
/// ```
///
/// A fourth argument is proptest's configuration, in place of the one that the environment gives.
#[cfg(feature = "proptest")]
#[macro_export]
macro_rules! proptest_subject {
    ($name:ident, $component:ty, $subject:ty $(,)?) => {
        $crate::proptest_subject!($name, $component, $subject, $crate::proptest::ProptestConfig::default());
    };
    ($name:ident, $component:ty, $subject:ty, $config:expr $(,)?) => {
        #[test]
        fn $name() {
            $crate::proptest::check::<$component, $subject>(&$config);
        }
    };
}

/// A libFuzzer target for a component of memtwin's own registry, or of another one: a whole fuzz target file. The crate
/// that uses it depends on `libfuzzer-sys`.
#[macro_export]
macro_rules! libfuzzer_target {
    ($component:literal) => {
        $crate::libfuzzer_target!($component, $crate::Registry::built_in());
    };
    ($component:literal, $registry:expr) => {
        #[used]
        #[unsafe(link_section = "__libfuzzer_extra_counters")]
        static COUNTERS: $crate::isolate::ExtraCounters = $crate::isolate::ExtraCounters::new();

        thread_local! {
            // libFuzzer calls from one thread only.
            static TARGET: std::cell::RefCell<$crate::engines::in_process::FuzzTarget> = std::cell::RefCell::new(
                $crate::engines::in_process::FuzzTarget::start(&$registry, $component, &COUNTERS),
            );
        }

        libfuzzer_sys::fuzz_target!(
            init: TARGET.with_borrow(|_| ()),
            |bytes: &[u8]| TARGET.with_borrow_mut(|target| target.run(bytes))
        );

        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            TARGET.with_borrow_mut(|target| target.mutate(data, size, max_size, seed, libfuzzer_sys::fuzzer_mutate))
        });

        libfuzzer_sys::fuzz_crossover!(|data1: &[u8], data2: &[u8], out: &mut [u8], seed: u32| {
            TARGET.with_borrow_mut(|target| target.cross(data1, data2, out, seed))
        });
    };
}
