//! The rig of temporary mappings.

mod belief;
mod diagnosis;
mod generate;
mod operands;
mod repeat;
mod scene;
mod simplify;
mod small;
mod wire;
mod words;

pub use generate::TempMapGenerator;

use crate::rig::rust_test::{NoTest, Room, TestBody};
use crate::rig::{Export, Join, Rig};
use memtwin_models::temp_map::{Op, Setup, TempMap};

impl Rig for TempMap {
    type Generator = TempMapGenerator;
}

impl Join for TempMap {}

impl Export for TempMap {
    fn rust_test(_setup: &Setup, _ops: &[Op], _room: &mut Room<'_>) -> Result<TestBody, NoTest> {
        Err(NoTest::Refused(
            "hostile page tables need memtwin's simulated machine: hand over the trace, and replay it with memtwin",
        ))
    }
}
