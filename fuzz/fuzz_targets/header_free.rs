//! Freeing by header: every sound subject beside the model. See `memtwin::engines::libfuzzer`.
#![no_main]

memtwin::libfuzzer_target!("header_free", memtwin::built_in());
