//! PW-21: the bookkeeping offset wraps on a tiny scratch.
//!
//! `size - 0x20` goes round below zero.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;
use memtwin_models::page_walk::BOOKKEEPING_BYTES;

/// The deviation.
#[derive(Debug)]
pub struct TinyScratchWraps;

impl Deviation for TinyScratchWraps {
    const NAME: &'static str = "PW-21";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-21"),
        story: "in a scratch shorter than the bookkeeping words they are written before it",
    };

    fn bookkeeping_offset(scratch_bytes: u64) -> Option<u64> {
        Some(scratch_bytes.wrapping_sub(BOOKKEEPING_BYTES))
    }
}

/// The subject `PW-21`.
pub type Pw21 = Host<TinyScratchWraps>;
