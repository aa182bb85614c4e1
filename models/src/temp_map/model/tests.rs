//! The model's tests: each law by hand.

mod laws;
