//! TM-16: only a buffer's start is checked to lie in the user half.
//!
//! A buffer that crosses into the kernel half is served up to there.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;
use memtwin_models::temp_map::KERNEL_HALF;

/// The deviation.
#[derive(Debug)]
pub struct StartCheckedOnly;

impl Deviation for StartCheckedOnly {
    const NAME: &'static str = "TM-16";
    const HEALTH: Health = Health::Broken {
        defect: Some("TM-16"),
        story: "a buffer that begins in the user half and ends in the kernel's is accepted",
    };

    fn is_user_range(address: u32, _count: u32) -> bool {
        is_user_start(address)
    }
}

/// Whether the first byte lies in the user half.
pub(in super::super) fn is_user_start(address: u32) -> bool {
    address < KERNEL_HALF
}

/// The subject `TM-16`.
pub type Tm16 = Program<StartCheckedOnly>;
