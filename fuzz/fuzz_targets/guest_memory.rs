//! Guest memory: every sound subject beside the model. See `memtwin::engines::libfuzzer`.
#![no_main]

memtwin::libfuzzer_target!("guest_memory", memtwin::built_in());
