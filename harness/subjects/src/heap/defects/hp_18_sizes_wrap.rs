//! HP-18: a size above PTRDIFF_MAX is not refused.
//!
//! With the header it wraps, and a small block is answered (glibc before 2.30).

use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp18;

impl Deviation for Hp18 {
    const HEALTH: Health = Health::defect("HP-18", "a size above PTRDIFF_MAX is not refused");

    fn is_allowed(_size: usize) -> bool {
        true
    }
}
