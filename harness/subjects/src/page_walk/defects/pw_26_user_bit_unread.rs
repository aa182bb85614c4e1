//! PW-26: a read for user mode never asks for the user bit.
//!
//! Walks and lists of regions tell it right: one entry point was forgotten.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::page_walk::Access;

/// The deviation.
#[derive(Debug)]
pub struct Pw26;

impl Deviation for Pw26 {
    const HEALTH: Health = Health::defect(
        "PW-26",
        "a read for user mode gives what the kernel alone may read, although walks tell which pages those are",
    );

    fn may_user_read(_access: Access, _is_first: bool) -> bool {
        true
    }
}
