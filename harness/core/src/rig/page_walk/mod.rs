//! The rig of page walks.

mod bounds;
mod diagnosis;
mod entries;
mod generate;
mod layout;
mod memory;
mod scene;
mod setups;
mod simplify;
mod small;
#[cfg(test)]
mod tests;
mod wire;
mod words;

pub use generate::PageWalkGenerator;

use crate::rig::rust_test::{NoTest, Room, TestBody};
use crate::rig::{Export, Join, Rig};
use memtwin_models::page_walk::{Op, PageWalk, Setup};

impl Rig for PageWalk {
    type Generator = PageWalkGenerator;
}

impl Join for PageWalk {}

impl Export for PageWalk {
    fn rust_test(_setup: &Setup, _ops: &[Op], _room: &mut Room<'_>) -> Result<TestBody, NoTest> {
        Err(NoTest::Refused(
            "hostile page tables need memtwin's simulated machine: hand over the trace, and replay it with memtwin",
        ))
    }
}
