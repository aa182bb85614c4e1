//! Variants of allocators that find a pointer's owner, each a deviation of the hardened code.
//!
//! Does not add code under test of its own: a variant replaces a few methods, and all else is the hardened code.

pub(crate) mod defects;
pub(crate) mod equivalents;
