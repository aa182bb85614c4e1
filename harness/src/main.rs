//! The memtwin program.

memtwin::main!();
