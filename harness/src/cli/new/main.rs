//! The program: memtwin's command line for the subjects of this crate.

memtwin::main!({{crate}}::registry());
