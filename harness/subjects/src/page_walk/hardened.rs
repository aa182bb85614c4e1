//! The hardened walker, reader and buffers: canonical ranges, bounded walks, regions that end where their backing ends,
//! and nothing of the guest's believed unchecked. Under test it is the subject `hardened`; it claims no freedom.

use super::deviation::Deviation;
use super::subject::Host;
use memtwin_models::Health;

/// No deviation.
#[derive(Debug)]
pub struct Sound;

impl Deviation for Sound {
    const NAME: &'static str = "hardened";
    const HEALTH: Health = Health::Sound;
}

/// The subject `hardened`.
pub type Hardened = Host<Sound>;
