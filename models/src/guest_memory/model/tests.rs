//! Tests of the whole model. Each law by hand in [`laws`]; refused transfers that moved a part in [`parts`]; against a
//! naive implementation on random traces in [`property`].

mod laws;
mod naive;
mod parts;
mod property;
