//! Under libFuzzer: every sound subject beside the model.
#![no_main]

use {{crate}}::registry;

memtwin::libfuzzer_target!("{{component}}", registry());
