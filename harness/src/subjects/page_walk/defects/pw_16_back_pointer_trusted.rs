//! PW-16: pop trusts the back-pointer.
//!
//! The guest can write it: 0, the middle of the back-pointer itself, or beyond the buffer.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct BackPointerTrusted;

impl Deviation for BackPointerTrusted {
    const NAME: &'static str = "PW-16";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-16"),
        story: "the start of the last element is taken as the buffer says it, wherever that is",
    };

    fn is_back_pointer(_start: u64, _end: u64) -> bool {
        true
    }
}

/// The subject `PW-16`.
pub type Pw16 = Host<BackPointerTrusted>;
