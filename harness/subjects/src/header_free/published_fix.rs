//! The published fix: before it reads a header, `free` asks `mincore` about the header's address. That address is
//! hardly ever a multiple of the page size, so the answer is EINVAL for nearly every block with a header, and "not
//! mapped" is what the code makes of it: the blocks that the fix was made for go to libc, or nowhere.

use super::defects::{ask, believe, ignoring_fallback};
use super::deviation::{Deviation, Fallback};
use super::memory::Memory;
use super::subject::Program;
use super::table::{Block, Table};
use memtwin_models::Health;
use memtwin_models::header_free::{HEADER_BYTES, Kind, Mode};

/// The fix.
#[derive(Debug)]
pub struct AsksMincore;

impl Deviation for AsksMincore {
    const NAME: &'static str = "published_fix";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "free asks mincore about the header's unaligned address, and takes EINVAL for unmapped",
    };

    fn takes_for_own(memory: &mut Memory, _mode: Mode, block: &Block) -> bool {
        ask(memory, block.user).is_ok()
    }

    fn look_at_unknown(memory: &mut Memory, pointer: u64) -> Option<Kind> {
        if ask(memory, pointer).is_ok() { believe(memory, pointer.wrapping_sub(HEADER_BYTES)) } else { None }
    }

    fn fallback(mode: Mode) -> Fallback {
        ignoring_fallback(mode)
    }

    fn forget(_table: &mut Table, _position: usize) {}
}

/// The subject `published_fix`.
pub type PublishedFix = Program<AsksMincore>;
