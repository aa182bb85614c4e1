//! The hardened kernel: the window's table is made before the first process and shared by all directories, present
//! everywhere, never leaked and never freed twice; every argument is checked, every failure leaves things as they were,
//! and no translation outlives its page. Under test it is the subject `hardened`; it claims no freedom.

use super::deviation::Deviation;
use super::subject::Program;
use memtwin_models::Health;

/// No deviation.
#[derive(Debug)]
pub struct SharedWindow;

impl Deviation for SharedWindow {
    const NAME: &'static str = "hardened";
    const HEALTH: Health = Health::Sound;
}

/// The subject `hardened`.
pub type Hardened = Program<SharedWindow>;
