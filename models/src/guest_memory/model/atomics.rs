//! How atomic accesses are judged. Where they go stands in [`super::access`].
//!
//! Between ops each access is atomic: what is judged here is what they load, store and refuse.

use super::super::laws::{ATOMIC, FLAT_MEMORY};
use super::super::op::Owner;
use super::super::outcome::{Error, Outcome, Seen};
use super::GuestMemoryModel;
use super::access::Route;
use super::expect::{Form, Judged, expect_calls, expect_done, unexpected};
use super::flat_memory::mask;
use crate::Verdict;

impl GuestMemoryModel {
    pub(super) fn atomic_load(&mut self, address: u64, size: u8, seen: &Outcome) -> Judged {
        if self.goes_to_memory(address, size, Form::Value, seen)? {
            self.read_memory(address, size, seen)?;
        }
        Ok(())
    }

    pub(super) fn atomic_store(&mut self, owner: Owner, address: u64, value: u64, size: u8, seen: &Outcome) -> Judged {
        if self.goes_to_memory(address, size, Form::Done, seen)? {
            expect_done(seen.result)?;
            expect_calls(&[], seen)?;
            self.store(owner, address, value, size);
        }
        Ok(())
    }

    /// Judges a compare-exchange of a pair: what is expected, and what is to be stored.
    pub(super) fn compare_exchange(
        &mut self,
        owner: Owner,
        address: u64,
        (expected, value): (u64, u64),
        size: u8,
        seen: &Outcome,
    ) -> Judged {
        if self.layout.contract.no_compare_exchange && seen.result == Seen::Skipped {
            return expect_calls(&[], seen);
        }
        if !self.goes_to_memory(address, size, Form::Exchanged, seen)? {
            return Ok(());
        }
        let (before, stored) = match seen.result {
            Seen::Exchanged { before, stored } => (before, stored),
            result @ (Seen::Skipped
            | Seen::Value(_)
            | Seen::Done
            | Seen::Stored(_)
            | Seen::Moved(_)
            | Seen::Error(_)) => return Err(unexpected(result)),
        };
        expect_calls(&[], seen)?;
        let wrong_bits = before ^ self.memory.load(self.layout.offset(address), size);
        if wrong_bits != 0 {
            let first_wrong = address + u64::from(wrong_bits.trailing_zeros() / 8);
            return Err(Verdict::diverge_at(&FLAT_MEMORY, "value", first_wrong));
        }
        if stored != (before == expected & mask(size)) {
            return Err(Verdict::diverge(&ATOMIC, "result"));
        }
        if stored {
            self.store(owner, address, value, size);
        }
        Ok(())
    }

    /// Whether an access that must be judged goes to memory: not where it is skipped or refused, as it may be or must.
    fn goes_to_memory(&self, address: u64, size: u8, form: Form, seen: &Outcome) -> Result<bool, Verdict> {
        let contract = &self.layout.contract;
        if contract.no_atomics && seen.result == Seen::Skipped {
            return expect_calls(&[], seen).map(|()| false);
        }
        let route = if contract.host_alignment {
            if seen.result == Seen::Error(Error::Alignment) {
                return expect_calls(&[], seen).map(|()| false);
            }
            self.layout.atomic_in_host(address, size)
        } else {
            self.layout.atomic(address, size)
        };
        match route {
            Route::Refused(refusal) => self.refuse(refusal, form, seen).map(|()| false),
            Route::Memory | Route::Device { .. } | Route::Open => Ok(true),
        }
    }
}
