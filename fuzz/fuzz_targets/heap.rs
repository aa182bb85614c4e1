//! Heaps: every sound subject beside the model. See `memtwin::engines::libfuzzer`.
#![no_main]

memtwin::libfuzzer_target!("heap", memtwin::built_in());
