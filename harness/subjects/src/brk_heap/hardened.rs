//! The hardened brk heap: every result is checked, every sum as well, the gate keeps its promise, and the break never
//! moves over a page that is not mapped. Under test it is the subject `hardened`; it claims no freedom.

use super::deviation::Deviation;
use super::subject::Program;
use memtwin_models::Health;

/// No deviation.
#[derive(Debug)]
pub struct Sound;

impl Deviation for Sound {
    const NAME: &'static str = "hardened";
    const HEALTH: Health = Health::Sound;
}

/// The subject `hardened`.
pub type Hardened = Program<Sound>;
