//! The rig of page walks.

mod bounds;
mod diagnosis;
mod generate;
mod layout;
mod scene;
mod setups;
mod simplify;
mod small;
mod wire;
mod words;

pub use generate::PageWalkGenerator;

use crate::rig::rust_test::TestBody;
use crate::rig::{Export, Rig};
use memtwin_models::page_walk::{Op, PageWalk, Setup};

impl Rig for PageWalk {
    type Generator = PageWalkGenerator;
}

impl Export for PageWalk {
    fn rust_test(_setup: &Setup, _ops: &[Op]) -> Result<TestBody, &'static str> {
        Err("hostile page tables need memtwin's simulated machine: hand over the trace, and replay it with memtwin")
    }
}
