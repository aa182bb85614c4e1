//! Implementations behind a table of C functions as subjects: `harness/include/memtwin.h` says what a shared library
//! exports. It is loaded where its first subject is built, which is in a worker, within the sandbox. Does not judge
//! anything, and does not trust what a library answers: what is no answer is shown as an error that no contract allows.

#[allow(non_camel_case_types)] // the names are C's
pub mod abi;
mod devices;
mod guest_memory;

pub use guest_memory::{CONTRACT_SYMBOL, GuestMemoryLibrary, TABLE_SYMBOL};
