//! TM-23: a fork does not make processors forget the parent's rights.
//!
//! The parent goes on writing to pages that the child shares by now.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct ForkWithoutFlush;

impl Deviation for ForkWithoutFlush {
    const NAME: &'static str = "TM-23";
    const HEALTH: Health = Health::Broken {
        defect: Some("TM-23"),
        story: "fork leaves the parent's writable translations in the look-aside buffers",
    };

    fn after_fork(_kernel: &mut Kernel<Self>, _parent: u32) {}
}

/// The subject `TM-23`.
pub type Tm23 = Program<ForkWithoutFlush>;
