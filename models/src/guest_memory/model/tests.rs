//! Tests of the whole model. Each law by hand in [`laws`]; refused transfers that moved a part in [`parts`], the
//! dirty log in [`dirty`]; against a naive implementation on random traces in [`property`].

mod dirty;
mod laws;
mod naive;
mod parts;
mod property;
