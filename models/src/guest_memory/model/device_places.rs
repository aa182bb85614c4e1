//! How changes of the device map are judged. Where devices are stands in [`super::access::Layout`].

use super::super::laws::{ANSWER, DEVICE_MAP};
use super::super::op::DeviceIndex;
use super::super::outcome::{Outcome, Seen};
use super::GuestMemoryModel;
use super::expect::{Judged, expect_calls};
use crate::Verdict;

impl GuestMemoryModel {
    /// Judges the mapping of a device at this base, or its unmapping.
    pub(super) fn place_device(&mut self, device: DeviceIndex, base: Option<u64>, seen: &Outcome) -> Judged {
        let contract = &self.layout.contract;
        if (contract.fixed_devices || contract.no_devices) && seen.result == Seen::Skipped {
            return expect_calls(&[], seen);
        }
        let index = device.index();
        let succeeds = base.map_or(self.layout.is_mapped(index), |base| self.layout.can_map(index, base));
        match seen.result {
            Seen::Done if succeeds => {}
            Seen::Error(_) if !succeeds => {}
            Seen::Done | Seen::Error(_) => return Err(Verdict::diverge(&DEVICE_MAP, "result")),
            Seen::Skipped | Seen::Value(_) | Seen::Stored(_) | Seen::Moved(_) | Seen::Exchanged { .. } => {
                return Err(Verdict::diverge(&ANSWER, "result"));
            }
        }
        expect_calls(&[], seen)?;
        if succeeds {
            self.layout.place_device(index, base);
            // A change of the map may end reservations, and need not.
            self.reservations.doubt_all();
        }
        Ok(())
    }
}
