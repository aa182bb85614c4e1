//! The model's tests: each law by hand, and random traces beside a naive heap.

mod laws;
mod naive;
mod property;
