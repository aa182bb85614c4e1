//! The brk heap: every sound subject beside the model. See `memtwin::engines::in_process`.

memtwin::afl_target!("brk_heap", memtwin::built_in());
