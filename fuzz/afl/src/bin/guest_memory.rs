//! Guest memory: every sound subject beside the model. See `memtwin::engines::in_process`.

memtwin::afl_target!("guest_memory", memtwin::built_in());
