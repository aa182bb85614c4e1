//! TM-16: only a buffer's start is checked to lie in the user half.
//!
//! A buffer that crosses into the kernel half is served up to there.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::temp_map::KERNEL_HALF;

/// The deviation.
#[derive(Debug)]
pub struct Tm16;

impl Deviation for Tm16 {
    const HEALTH: Health =
        Health::defect("TM-16", "a buffer that begins in the user half and ends in the kernel's is accepted");

    fn is_user_range(address: u32, _count: u32) -> bool {
        is_user_start(address)
    }
}

/// Whether the first byte lies in the user half.
pub(in super::super) fn is_user_start(address: u32) -> bool {
    address < KERNEL_HALF
}
