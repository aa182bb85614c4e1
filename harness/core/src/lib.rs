//! What puts a subject to the test beside its model: lockstep, isolation, campaigns, shrinking, explaining, and the
//! command line. It brings no subject, and no report but the run file. Programs use it through the crate `memtwin`.

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!("memtwin supports x86-64 Linux only: its isolation uses Linux system calls and its subjects x86 pages");

pub mod accepted;
#[cfg(feature = "bench")]
pub mod bench;
pub mod campaign;
pub mod cli;
pub mod corpus;
pub mod engines;
pub mod explain;
pub mod feedback;
pub mod files;
pub mod finding;
pub mod fuzz_target;
pub mod isolate;
pub mod library;
pub mod limits;
pub mod lockstep;
pub mod mutate;
pub mod program;
#[cfg(feature = "proptest")]
pub mod proptest;
pub mod random;
pub mod registry;
#[cfg(feature = "collection")]
pub mod regress;
pub mod rig;
pub mod run_file;
pub mod shrink;
pub mod target;
pub mod text;
mod threads;
pub mod trace;
pub mod trace_files;
mod turns;
mod vacuity;

pub use memtwin_models as models;
pub use memtwin_wild as wild;
pub use registry::Registry;
pub use target::Target;

/// An AFL++ target for a component of a registry: a whole program. The crate that uses it
/// depends on `afl` and is built with `cargo afl build`.
#[macro_export]
macro_rules! afl_target {
    ($component:literal, $registry:expr) => {
        fn main() {
            thread_local! {
                static TARGET: std::cell::RefCell<$crate::fuzz_target::FuzzTarget> = std::cell::RefCell::new(
                    $crate::fuzz_target::FuzzTarget::start_unsupervised(&$registry, $component),
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

/// A test that runs a subject of one's own beside its model, on traces that proptest draws and memtwin shrinks. Needs
/// the feature `proptest`. The subject runs in the test's own process, so a crash takes the test with it:
/// `memtwin::main!` is for those.
///
/// ```
/// # use memtwin_core as memtwin;
/// # use memtwin::models::guest_memory::{GuestMemoryContract, Op, Outcome, Setup};
/// # use memtwin::models::{Contract, Health, Subject, Unsupported};
/// # struct MyMemory;
/// # impl Subject<GuestMemory> for MyMemory {
/// #     const NAME: &'static str = "my_memory";
/// #     const HEALTH: Health = Health::Sound;
/// #     const CONTRACT: GuestMemoryContract = GuestMemoryContract::STRICT;
/// #     fn new(_setup: &Setup) -> Result<Self, Unsupported> {
/// #         Ok(MyMemory)
/// #     }
/// #     fn apply(&mut self, _op: &Op, _seen: &mut Outcome) {}
/// # }
/// use memtwin::models::guest_memory::GuestMemory;
///
/// memtwin::proptest_subject!(my_memory_agrees, GuestMemory, MyMemory);
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

/// A libFuzzer target for a component of a registry: a whole fuzz target file. The crate
/// that uses it depends on `libfuzzer-sys`.
#[macro_export]
macro_rules! libfuzzer_target {
    ($component:literal, $registry:expr) => {
        #[used]
        #[unsafe(link_section = "__libfuzzer_extra_counters")]
        static COUNTERS: $crate::isolate::ExtraCounters = $crate::isolate::ExtraCounters::new();

        thread_local! {
            // libFuzzer calls from one thread only.
            static TARGET: std::cell::RefCell<$crate::fuzz_target::FuzzTarget> = std::cell::RefCell::new(
                $crate::fuzz_target::FuzzTarget::start(&$registry, $component, &COUNTERS),
            );
        }

        libfuzzer_sys::fuzz_target!(
            init: TARGET.with_borrow(|_| ()),
            |bytes: &[u8]| -> libfuzzer_sys::Corpus {
                let is_trace = TARGET.with_borrow_mut(|target| target.run(bytes));
                if is_trace { libfuzzer_sys::Corpus::Keep } else { libfuzzer_sys::Corpus::Reject }
            }
        );

        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            TARGET.with_borrow_mut(|target| target.mutate(data, size, max_size, seed, libfuzzer_sys::fuzzer_mutate))
        });

        libfuzzer_sys::fuzz_crossover!(|data1: &[u8], data2: &[u8], out: &mut [u8], seed: u32| {
            TARGET.with_borrow_mut(|target| target.cross(data1, data2, out, seed))
        });
    };
}
