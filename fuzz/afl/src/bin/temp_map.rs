//! Temporary mappings: every sound subject beside the model. See `memtwin::engines::in_process`.

memtwin::afl_target!("temp_map", memtwin::built_in());
