//! How accesses that take, use and end reservations are judged. What a reservation is stands in
//! [`super::reservations`].

use super::super::laws::RESERVATION;
use super::super::op::Owner;
use super::super::outcome::{Outcome, Seen};
use super::GuestMemoryModel;
use super::access::Route;
use super::expect::{Form, Judged, expect_calls, expect_form, unexpected};
use super::features::ReservationEvent;
use super::reservations::Lines;
use crate::Verdict;

impl GuestMemoryModel {
    pub(super) fn load_reserved(&mut self, owner: Owner, address: u64, size: u8, seen: &Outcome) -> Judged {
        if self.layout.contract.no_reservations && seen.result == Seen::Skipped {
            return expect_calls(&[], seen);
        }
        let route = self.layout.reserved(address, size);
        self.read(route, address, size, seen)?;
        if route == Route::Memory {
            self.history.meet(ReservationEvent::of_load(&self.reservations, owner, address, size));
            self.reservations.reserve(owner, address, size);
        }
        Ok(())
    }

    pub(super) fn store_conditional(
        &mut self,
        owner: Owner,
        address: u64,
        value: u64,
        size: u8,
        seen: &Outcome,
    ) -> Judged {
        if self.layout.contract.no_reservations && seen.result == Seen::Skipped {
            return expect_calls(&[], seen);
        }
        if let Route::Refused(refusal) = self.layout.reserved(address, size) {
            // A trap may end the reservation or not (RISC-V leaves both to the implementation).
            self.reservations.doubt(owner);
            return self.refuse(refusal, Form::Stored, seen);
        }
        let answers = self.reservations.answers(&self.layout.contract, owner, address, size);
        let stored = match seen.result {
            Seen::Stored(stored) if stored && answers.may_store || !stored && answers.may_fail => stored,
            Seen::Stored(_) => return Err(Verdict::diverge(&RESERVATION, "result")),
            result @ (Seen::Skipped
            | Seen::Value(_)
            | Seen::Done
            | Seen::Error(_)
            | Seen::Moved(_)
            | Seen::Exchanged { .. }) => {
                return Err(unexpected(result));
            }
        };
        expect_calls(&[], seen)?;
        let event = ReservationEvent::of_store_conditional(&self.reservations, owner, address, size);
        self.conclude(owner, address, value, size, stored);
        self.history.meet(event);
        Ok(())
    }

    /// What a store-conditional that answered does to memory and to reservations.
    pub(super) fn conclude(&mut self, owner: Owner, address: u64, value: u64, size: u8, stored: bool) {
        if stored {
            self.store(owner, address, value, size);
        }
        if stored || !self.layout.contract.failed_sc_keeps {
            self.reservations.end(owner);
        } else {
            self.reservations.doubt(owner);
        }
    }

    pub(super) fn invalidate(&mut self, owner: Owner, address: u64, size: u8, seen: &Outcome) -> Judged {
        if self.layout.contract.no_reservations && seen.result == Seen::Skipped {
            return expect_calls(&[], seen);
        }
        expect_form(Form::Done, seen.result)?;
        expect_calls(&[], seen)?;
        self.kill(owner, Lines::touched(address, u64::from(size)));
        Ok(())
    }
}
