//! A library that is loaded into a program before all others, stands between it and its allocator, and writes each call
//! into a file that `memtwin record` reads. Where it is told to, it judges the answers by laws that need no model. Does
//! not change what is asked or answered, allocates nothing, and says nothing: it runs inside of other programs'
//! `malloc`.
//!
//! One lock is around each call and its note, so that the order in the file is the true one: the program's calls come
//! one after the other. What the allocator itself asks while it serves a call is passed on and not recorded.

// Not in unit tests: their program would have this `malloc`.
#[cfg_attr(test, allow(dead_code))] // what only the exported functions use
mod blocks;
#[cfg(not(test))]
mod exports;
#[cfg_attr(test, allow(dead_code))]
mod judge;
#[cfg_attr(test, allow(dead_code))]
mod marks;
#[cfg(not(test))]
mod next;
#[cfg(not(test))]
mod session;
#[cfg(not(test))]
mod sheet;
mod words;
