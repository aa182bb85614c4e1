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
        Op::AtomicLoad { address, size, .. } => (layout.atomic_in_host(address.0, size), true),
        Op::AtomicStore { address, size, .. } | Op::CompareExchange { address, size, .. } => {
            (layout.atomic_in_host(address.0, size), false)
        }
        Op::LoadReserved { address, size, .. } | Op::StoreConditional { address, size, .. } => {
            return divergence.law == ERROR_CLASS.name && !meets_device(layout.reserved(address.0, size));
        }
        Op::MemorySize { .. } | Op::Dump { .. } | Op::DirtyLog { .. } => return true,
        Op::InvalidateReservation { .. }
        | Op::Restore { .. }
        | Op::RestoreDump { .. }
        | Op::MapDevice { .. }
        | Op::UnmapDevice { .. }
        | Op::TakeDirtyLog { .. }
        | Op::DumpDirty { .. } => return false,
    };
    let is_beyond = route == Route::Refused(Refusal::Range)
        && (matches!(*op, Op::Write { address, .. } | Op::WriteBulk { address, .. } if layout.ram.runs().all(|run| run.end() <= address.0)));
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

#[cfg(test)]
mod tests {
    use super::super::super::laws::{BOUNDS, FLAT_MEMORY};
    use super::super::super::{DeviceSetup, GuestAddress, GuestMemoryContract, Owner, Setup, TransferLength};
    use super::*;
    use crate::{Contract as _, Law, Payload};

    #[test]
    fn only_what_changes_nothing_for_certain_is_followed() {
        let device = DeviceSetup { base: 0x40, size: 16, faulty_register: None };
        let setup = Setup { devices: vec![device], ..Setup::flat(0x100) };
        let layout = Layout::new(&setup, &GuestMemoryContract::STRICT);
        let owner = Owner::new_folded(0);
        let length = TransferLength::new_folded;
        let read = |address| Op::Read { owner, address: GuestAddress(address), size: 8 };
        let write = |address| Op::Write { owner, address: GuestAddress(address), value: 1, size: 8 };
        let put =
            |address, bytes| Op::WriteBulk { owner, address: GuestAddress(address), seed: 0, length: length(bytes) };
        let take = |address, bytes| Op::ReadBulk { owner, address: GuestAddress(address), length: length(bytes) };
        let goes_on = |op: &Op, law: &'static Law| {
            let divergence = Divergence { law: law.name, field: "result", place: None };
            changes_nothing(&layout, op, &Outcome::default(), &divergence)
        };
        for op in [read(0), read(0xfc), take(0, 16), take(0x1000, 0), put(0x10, 0), write(0x100), put(0x1000, 4)] {
            assert!(goes_on(&op, &BOUNDS), "{op:?}");
        }
        // A part may have been written; a device may have been asked; a sum may have wrapped.
        let restore = Op::Restore { owner, payload: Payload { seed: 0, length: 4 } };
        for op in [write(0xfc), put(0xfc, 8), put(0, 4), read(0x40), read(0x3c), put(u64::MAX, 2), restore] {
            assert!(!goes_on(&op, &BOUNDS), "{op:?}");
        }
        assert!(goes_on(&read(0), &FLAT_MEMORY) && !goes_on(&put(0, 4), &FLAT_MEMORY));
        assert!(goes_on(&write(0xfc), &ERROR_CLASS), "it failed, and a failed access changes nothing");
    }
}
