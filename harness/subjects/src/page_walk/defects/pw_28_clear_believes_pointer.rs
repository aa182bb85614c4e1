//! PW-28: clear zeroes as far as the stack pointer says.
//!
//! Pop and push look at the pointer before they use it; clear takes the guest's word for it.

use super::super::deviation::Deviation;
use super::super::sandbox::Sandbox;
use memtwin_models::Health;
use memtwin_models::page_walk::Refusal;

/// The deviation.
#[derive(Debug)]
pub struct Pw28;

impl Deviation for Pw28 {
    const HEALTH: Health = Health::defect(
        "PW-28",
        "clear zeroes up to the stack pointer that the guest left: beyond the buffer's end, or not all of the buffer",
    );

    fn clear(sandbox: &mut Sandbox<Self>) -> Result<(), Refusal> {
        let pointer = sandbox.pointer()?;
        sandbox.wipe_popped(8, pointer);
        sandbox.set_pointer(8);
        Ok(())
    }
}
