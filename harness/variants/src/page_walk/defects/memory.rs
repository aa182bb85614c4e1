//! What host and guest keep in memory, wrong at one of the ops that keep it.

use memtwin_models::Health;
use memtwin_models::page_walk::Backing;
use memtwin_subjects::page_walk::deviation::Deviation;
use memtwin_subjects::page_walk::sandbox::{Placed, Sandbox};

/// The guest may write to the snapshot.
#[derive(Debug)]
pub(crate) struct GuestWritesSnapshot;

impl Deviation for GuestWritesSnapshot {
    const NAME: &'static str = "guest_writes_snapshot";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "the guest writes to the snapshot itself, and not to a copy of its page",
    };

    fn may_guest_write(placed: &Placed) -> bool {
        placed.writable || placed.backing == Backing::Snapshot
    }
}

/// A restore keeps the larger generation.
#[derive(Debug)]
pub(crate) struct GenerationNeverFalls;

impl Deviation for GenerationNeverFalls {
    const NAME: &'static str = "generation_never_falls";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a restore keeps the generation where the snapshot has an earlier one" };

    fn restored_generation(kept: u64, now: u64) -> u64 {
        kept.max(now)
    }
}

/// A restore leaves files that were mapped since.
#[derive(Debug)]
pub(crate) struct FilesNeverGo;

impl Deviation for FilesNeverGo {
    const NAME: &'static str = "files_never_go";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "files that were mapped after a snapshot are mapped still when it is restored",
    };

    fn restored_files(kept: u8, now: u8) -> u8 {
        kept | now
    }
}

/// Pop zeroes the byte before what it takes.
#[derive(Debug)]
pub(crate) struct PopWipesTooMuch;

impl Deviation for PopWipesTooMuch {
    const NAME: &'static str = "pop_wipes_too_much";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "what pop takes is zeroed from a byte too early on, which is the end of the element below",
    };

    fn take(sandbox: &mut Sandbox<Self>, start: u64, pointer: u64) {
        sandbox.wipe_popped(start.saturating_sub(1).max(8), pointer);
        sandbox.set_pointer(start);
    }
}

/// A page that is taken away stays where its entry is odd.
#[derive(Debug)]
pub(crate) struct AbsentIsPresent;

impl Deviation for AbsentIsPresent {
    const NAME: &'static str = "absent_is_present";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a page that may not be executed stays present when it is taken away" };

    fn absent_entry(before: u64) -> u64 {
        if before >> 63 == 0 { 0 } else { before }
    }
}
