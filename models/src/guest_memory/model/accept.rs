//! Which steps that a list of known findings accepts leave memory as the model has it. Does not judge them.

use super::super::laws::ERROR_CLASS;
use super::super::{Op, Outcome};
use super::access::{Layout, Refusal, Route};
use crate::Divergence;

/// Whether memory, reservations and devices are as before. What looks at memory leaves it as it was, so does an access
/// that failed with another error than it should, one of no bytes, and one that lies beyond memory altogether. What a
/// wrong answer to another write has left behind is not known, nor what a device made of it.
pub(super) fn changes_nothing(layout: &Layout, op: &Op, seen: &Outcome, divergence: &Divergence) -> bool {
    if !seen.device_calls.is_empty() {
        return false;
    }
    let (route, only_looks) = match *op {
        Op::Read { address, size, .. } => (layout.scalar(address.0, size), true),
        Op::FetchInstruction { address, .. } => (layout.scalar(address.0, 4), true),
        Op::ReadBulk { address, length, .. } => (layout.bulk(address.0, length.bytes()), true),
        Op::Write { address, size, .. } => (layout.scalar(address.0, size), false),
        Op::WriteBulk { address, length, .. } => (layout.bulk(address.0, length.bytes()), length.bytes() == 0),
        Op::LoadReserved { address, size, .. } | Op::StoreConditional { address, size, .. } => {
            return divergence.law == ERROR_CLASS.name && !meets_device(layout.reserved(address.0, size));
        }
        Op::MemorySize { .. } | Op::Dump { .. } => return true,
        Op::InvalidateReservation { .. } | Op::Restore { .. } | Op::RestoreDump { .. } => return false,
    };
    let is_beyond = route == Route::Refused(Refusal::Range)
        && (matches!(*op, Op::Write { address, .. } | Op::WriteBulk { address, .. } if layout.memory_size <= address.0));
    !meets_device(route) && (only_looks || is_beyond || divergence.law == ERROR_CLASS.name)
}

fn meets_device(route: Route) -> bool {
    match route {
        Route::Device { .. }
        | Route::Refused(Refusal::Mixed(_) | Refusal::ReservedDevice(_) | Refusal::DeviceFault) => true,
        Route::Memory
        | Route::Open
        | Route::Refused(Refusal::Size | Refusal::Misaligned | Refusal::Overflow | Refusal::Range) => false,
    }
}
