//! Heaps: every sound subject beside the model. See `memtwin::engines::in_process`.

memtwin::afl_target!("heap", memtwin::built_in());
