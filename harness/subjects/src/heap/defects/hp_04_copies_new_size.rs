//! HP-04: realloc copies as many bytes as the new block has.
//!
//! A block that grows takes along what lies behind its old place (rlsf 0.1.0).

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp04;

impl Deviation for Hp04 {
    const HEALTH: Health = Health::defect("HP-04", "realloc copies as many bytes as the new block has");

    fn copied_bytes(_old: usize, new: usize) -> usize {
        new
    }
}
