//! What the bug report found: a pointer that no registry knows is taken for a block with a header, and the header
//! before it is read, whatever is there. It dies at the first block of libc's that begins a page.

use super::defects::{believe, ignoring_fallback};
use super::deviation::{Deviation, Fallback};
use super::memory::Memory;
use super::subject::Program;
use super::table::{Block, Table};
use memtwin_models::Health;
use memtwin_models::header_free::{HEADER_BYTES, Kind, Mode};

/// The reported way to find a pointer's owner.
#[derive(Debug)]
pub struct Reported;

impl Deviation for Reported {
    const NAME: &'static str = "original";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "free reads the header before any pointer that no registry knows, mapped or not",
    };

    fn takes_for_own(memory: &mut Memory, _mode: Mode, block: &Block) -> bool {
        believe(memory, block.user - HEADER_BYTES).is_some()
    }

    fn look_at_unknown(memory: &mut Memory, pointer: u64) -> Option<Kind> {
        believe(memory, pointer.wrapping_sub(HEADER_BYTES))
    }

    fn fallback(mode: Mode) -> Fallback {
        ignoring_fallback(mode)
    }

    fn forget(_table: &mut Table, _position: usize) {}
}

/// The subject `original`.
pub type Original = Program<Reported>;
