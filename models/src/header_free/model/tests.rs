//! Tests of the model: the laws by hand, and a naive allocator beside it.

mod laws;
mod naive;
mod property;
