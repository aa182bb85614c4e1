//! The model's tests.
