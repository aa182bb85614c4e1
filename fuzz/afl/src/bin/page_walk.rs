//! Page walks: every sound subject beside the model. See `memtwin::engines::in_process`.

memtwin::afl_target!("page_walk", memtwin::built_in());
