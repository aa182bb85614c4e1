//! PW-20: the snapshot's page-table tail counts as guest memory.
//!
//! The backing's length is taken for the guest's.

use super::super::deviation::Deviation;
use super::super::sandbox::Placed;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct TailIsVisible;

impl Deviation for TailIsVisible {
    const NAME: &'static str = "PW-20";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-20"),
        story: "guest addresses past the snapshot's guest-visible part reach its page-table tail, and hide a file mapping there",
    };

    fn visible_bytes(placed: &Placed) -> u64 {
        placed.total
    }
}

/// The subject `PW-20`.
pub type Pw20 = Host<TailIsVisible>;
