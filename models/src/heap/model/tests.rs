//! The model's tests: each law and each freedom by hand, and random traces beside a naive arena and a naive judge.

mod ask;
mod contract;
mod judge;
mod laws;
mod naive;
mod property;
