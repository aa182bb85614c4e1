//! Freeing by header: every sound subject beside the model. See `memtwin::engines::in_process`.

memtwin::afl_target!("header_free", memtwin::built_in());
