//! The implementations under test, one module for each component.
//!
//! Subjects use the words of a component (setup, op, outcome, contract) and never its model: a subject that knew its
//! judge would prove nothing. Broken subjects hold exactly the defect that their name says; none of them is fit for
//! use.

pub mod brk_heap;
pub mod guest_memory;
pub mod header_free;
pub mod heap;
pub mod page_walk;
mod pages;
pub mod temp_map;
