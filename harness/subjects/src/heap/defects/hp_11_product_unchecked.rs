//! HP-11: the product of calloc and reallocarray is not checked.
//!
//! It wraps, and a small block is answered.

use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp11;

impl Deviation for Hp11 {
    const HEALTH: Health = Health::defect("HP-11", "the product of calloc and reallocarray is not checked");

    fn product(count: usize, size: usize) -> Option<usize> {
        Some(count.wrapping_mul(size))
    }
}
