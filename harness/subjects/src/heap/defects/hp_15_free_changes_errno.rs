//! HP-15: free does not put errno back when the system refuses to take memory.
//!
//! The slow path of free calls the system (jemalloc, pull request 2906).

use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp15;

impl Deviation for Hp15 {
    const HEALTH: Health =
        Health::defect("HP-15", "free does not put errno back when the system refuses to take memory");

    const KEEPS_ERRNO: bool = false;
}
