//! What the whole program and its crates promise, in one test program: linking each test to 119 subjects of its own would take
//! longer than running them. Tests that need a main or an allocator of their own stand beside it.

mod any_bytes;
mod brk_heap_forms;
mod brk_heap_subjects;
mod campaigns;
mod command_line;
mod contracts;
mod corpus_tools;
mod crashes;
mod determinism;
mod exhaustive;
mod export;
mod export_to_c;
mod files_of_users;
mod forms;
mod guest_memory_forms;
mod header_free_forms;
mod header_free_subjects;
mod heap_forms;
mod hostile_input;
mod lanes;
mod libraries;
mod lockstep;
mod mutation;
mod page_walk_forms;
mod page_walk_subjects;
mod proptest_subject;
mod recording;
mod run_files;
mod stories;
mod tally;
mod temp_map_forms;
mod temp_map_subjects;
mod times;
mod trace_forms;
mod vacuity;
