//! BH-18: the allocator takes all below the break for its own, whoever moved it there.
//!
//! Its second growth begins where its first one ended. What another user got in between is handed out as well, or the
//! break is moved down over it.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh18;

impl Deviation for Bh18 {
    const HEALTH: Health = Health::defect("BH-18", "the heap grows over what another user of brk got meanwhile");
    const ASKS_FOR_BREAK: bool = false;
}
