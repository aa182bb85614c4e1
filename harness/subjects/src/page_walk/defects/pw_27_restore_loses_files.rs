//! PW-27: a restore does not bring back file mappings that were taken away since.
//!
//! It drops what the snapshot has not, and forgets the other half.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw27;

impl Deviation for Pw27 {
    const HEALTH: Health = Health::defect(
        "PW-27",
        "after a restore a file is mapped only if it is mapped now and was when the snapshot was taken",
    );

    fn restored_files(kept: u8, now: u8) -> u8 {
        kept & now
    }
}
