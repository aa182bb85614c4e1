//! The memtwin program.

memtwin::main!(memtwin::built_in());
