//! Tests of the whole model. Each law by hand in [`laws`]; against a naive implementation on random traces in
//! [`property`].

mod laws;
mod naive;
mod property;
