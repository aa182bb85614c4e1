//! Temporary mappings: every sound subject beside the model. See `memtwin::engines::libfuzzer`.
#![no_main]

memtwin::libfuzzer_target!("temp_map", memtwin::built_in());
