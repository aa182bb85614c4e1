//! A sound kernel whose directories have windows of their own, with tables made on demand: a mapping is removed from
//! the directory that it was made in, and a directory's table dies with it. It proves that the contract's freedom can
//! be kept, and is what the defects of private windows deviate from.

use super::deviation::{Deviation, Window};
use super::subject::Program;
use memtwin_models::Health;

/// Windows of their own.
#[derive(Debug)]
pub struct OwnWindows;

impl Deviation for OwnWindows {
    const NAME: &'static str = "private_window";
    const HEALTH: Health = Health::Sound;
    const WINDOW: Window = Window::Own;
}

/// The subject `private_window`.
pub type PrivateWindow = Program<OwnWindows>;
