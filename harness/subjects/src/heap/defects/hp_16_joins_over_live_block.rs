//! HP-16: two freed neighbours become one although a small block lies between.
//!
//! Neighbours are those that begin less than a node behind the end.

use super::super::deviation::Deviation;
use super::super::free_list::GRAIN_BYTES;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp16;

impl Deviation for Hp16 {
    const HEALTH: Health =
        Health::defect("HP-16", "two freed neighbours become one although a small block lies between");

    fn adjoins(end: usize, start: usize) -> bool {
        start <= end + GRAIN_BYTES
    }
}
