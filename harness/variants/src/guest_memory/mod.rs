//! Variants of guest memory, each a deviation of the hardened code.
//!
//! Does not add code under test of its own: a variant replaces a few methods, and all else is the hardened code.

pub(crate) mod defects;
pub(crate) mod equivalents;
pub(crate) mod logs;
