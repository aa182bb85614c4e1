//! The variants, with memtwin's command line.

memtwin::main!(memtwin_variants::registry());
