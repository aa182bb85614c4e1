//! Under AFL++: every sound subject beside the model.

use {{crate}}::registry;

memtwin::afl_target!("{{component}}", registry());
