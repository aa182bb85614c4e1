//! BH-04: the break moves and no page is mapped.
//!
//! Only what the loader mapped is there: the first byte beyond 64 KiB faults.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use super::super::program::Program;
use memtwin_models::Health;

/// Moves the break and nothing else.
pub(in super::super) fn move_break_alone(kernel: &mut Kernel, to: u64) {
    kernel.program_break = to;
}

/// The deviation.
#[derive(Debug)]
pub struct BreakWithoutPages;

impl Deviation for BreakWithoutPages {
    const NAME: &'static str = "BH-04";
    const HEALTH: Health = Health::Broken { defect: Some("BH-04"), story: "brk moves the break and maps no page" };

    fn move_break(kernel: &mut Kernel, to: u64) {
        move_break_alone(kernel, to);
    }
}

/// The subject `BH-04`.
pub type Bh04 = Program<BreakWithoutPages>;
