//! The brk heap: every sound subject beside the model. See `memtwin::engines::libfuzzer`.
#![no_main]

memtwin::libfuzzer_target!("brk_heap", memtwin::built_in());
