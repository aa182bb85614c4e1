//! How bulk transfers are judged. Where they go stands in [`super::access`].

use super::super::laws::{DEVICE_CALLS, ERROR_CHANGES_NOTHING, FLAT_MEMORY};
use super::super::op::{Owner, TransferLength};
use super::super::outcome::{Outcome, POISON, Seen};
use super::access::{Refusal, Route};
use super::expect::{Form, Judged, expect_calls, expect_done, expect_nothing_beyond, expect_untouched};
use super::reservations::Lines;
use super::{GuestMemoryModel, payload_of, poison};
use crate::{Divergence, Verdict};

impl GuestMemoryModel {
    pub(super) fn read_bulk(&mut self, address: u64, length: TransferLength, seen: &Outcome) -> Judged {
        self.judge_read(address, length, seen).map_err(|verdict| of_transfer(length, verdict))
    }

    fn judge_read(&mut self, address: u64, length: TransferLength, seen: &Outcome) -> Judged {
        match self.layout.bulk(address, length.bytes()) {
            Route::Memory => {
                expect_done(seen.result)?;
                expect_calls(&[], seen)?;
                self.expect_bytes(address, length.bytes(), seen)?;
            }
            Route::Device { index, offset } => self.read_bulk_device(index, offset, length, seen)?,
            Route::Open => self.expect_open(seen)?,
            Route::Refused(refusal) if self.layout.contract.partial_bulk => {
                self.read_part(refusal, address, length, seen)?;
            }
            Route::Refused(refusal) => {
                self.refuse(refusal, Form::Done, seen)?;
                expect_untouched(length, seen)?;
            }
        }
        expect_nothing_beyond(length, seen)
    }

    /// The first bytes of the buffer are those of memory.
    fn expect_bytes(&self, address: u64, count: u32, seen: &Outcome) -> Judged {
        match self.first_difference(address, &seen.buffer_bytes()[..count as usize]) {
            None => Ok(()),
            Some(first_wrong) => Err(Verdict::diverge_at(&FLAT_MEMORY, "buffer", first_wrong)),
        }
    }

    fn read_bulk_device(&mut self, index: u8, offset: u64, length: TransferLength, seen: &Outcome) -> Judged {
        if self.devices.read_bytes(index, offset, length.bytes()) {
            self.expect_refusal(Refusal::DeviceFault, Form::Done, seen.result)?;
            expect_calls(self.devices.calls(), seen)?;
            return expect_untouched(length, seen);
        }
        expect_done(seen.result)?;
        let calls = self.devices.calls();
        expect_calls(calls, seen)?;
        match calls.iter().zip(seen.buffer_bytes()).position(|(call, &byte)| call.value != u64::from(byte)) {
            None => Ok(()),
            Some(position) => {
                let address = self.layout.devices[usize::from(index)].base + offset + position as u64;
                Err(Verdict::diverge_at(&DEVICE_CALLS, "buffer", address))
            }
        }
    }

    /// A refused read, of which a part may have been moved.
    fn read_part(&self, refusal: Refusal, address: u64, length: TransferLength, seen: &Outcome) -> Judged {
        let fitting = self.layout.fitting(address, length.bytes());
        let untouched = match seen.result {
            Seen::Moved(count) if 0 < count && count <= fitting => {
                expect_calls(&[], seen)?;
                self.expect_bytes(address, count, seen)?;
                count
            }
            Seen::Skipped
            | Seen::Value(_)
            | Seen::Done
            | Seen::Stored(_)
            | Seen::Exchanged { .. }
            | Seen::Moved(_)
            | Seen::Error(_) => {
                self.refuse(refusal, Form::Done, seen)?;
                // Where nothing fits, the address may be the last of all.
                let start = self.layout.offset(address);
                let bytes = (0..u64::from(fitting)).zip(seen.buffer_bytes());
                let is_right = |distance: u64, byte| byte == POISON || self.may_hold(start + distance, byte);
                if let Some((distance, _)) = { bytes }.find(|&(distance, &byte)| !is_right(distance, byte)) {
                    return Err(Verdict::diverge_at(&FLAT_MEMORY, "buffer", address + distance));
                }
                fitting
            }
        };
        match poison::changed_from(seen, untouched, length) {
            None => Ok(()),
            Some(offset) => Err(Verdict::diverge_at(&ERROR_CHANGES_NOTHING, "buffer", offset)),
        }
    }

    /// Whether memory may hold this byte there.
    fn may_hold(&self, offset: u64, byte: u8) -> bool {
        self.memory.load(offset, 1) == u64::from(byte) || self.unsettled.may_be(offset, byte)
    }

    pub(super) fn write_bulk(
        &mut self,
        owner: Owner,
        address: u64,
        seed: u16,
        length: TransferLength,
        seen: &Outcome,
    ) -> Judged {
        let judged = match self.layout.bulk(address, length.bytes()) {
            Route::Memory => expect_done(seen.result).and_then(|()| {
                expect_calls(&[], seen)?;
                self.store_bytes(owner, address, payload_of(seed, length));
                Ok(())
            }),
            Route::Device { index, offset } => self.write_bulk_device(index, offset, payload_of(seed, length), seen),
            Route::Open => self.expect_open(seen),
            Route::Refused(refusal) if self.layout.contract.partial_bulk => {
                self.write_part(refusal, owner, address, payload_of(seed, length), seen)
            }
            Route::Refused(refusal) => self.refuse(refusal, Form::Done, seen),
        };
        judged.map_err(|verdict| of_transfer(length, verdict))
    }

    fn write_bulk_device(&mut self, index: u8, offset: u64, bytes: &[u8], seen: &Outcome) -> Judged {
        if self.devices.write_bytes(index, offset, bytes) {
            self.expect_refusal(Refusal::DeviceFault, Form::Done, seen.result)?;
        } else {
            expect_done(seen.result)?;
        }
        expect_calls(self.devices.calls(), seen)
    }

    /// A refused write, of which a part may have been moved.
    fn write_part(
        &mut self,
        refusal: Refusal,
        owner: Owner,
        address: u64,
        bytes: &'static [u8],
        seen: &Outcome,
    ) -> Judged {
        let fitting =
            self.layout.fitting(address, u32::try_from(bytes.len()).expect("a transfer is at most 65536 bytes"));
        match seen.result {
            Seen::Moved(count) if 0 < count && count <= fitting => {
                expect_calls(&[], seen)?;
                self.store_bytes(owner, address, &bytes[..count as usize]);
            }
            Seen::Skipped
            | Seen::Value(_)
            | Seen::Done
            | Seen::Stored(_)
            | Seen::Exchanged { .. }
            | Seen::Moved(_)
            | Seen::Error(_) => {
                self.refuse(refusal, Form::Done, seen)?;
                self.unsettled.add(self.layout.offset(address), &bytes[..fitting as usize], self.dirty.clears());
                self.reservations.doubt_touching(Lines::touched(address, fitting.into()));
            }
        }
        Ok(())
    }

    /// Bytes that all lie in memory are stored.
    pub(super) fn store_bytes(&mut self, owner: Owner, address: u64, bytes: &[u8]) {
        let offset = self.layout.offset(address);
        self.memory.store_bytes(offset, bytes);
        self.unsettled.forget(offset, bytes.len() as u64);
        self.dirty.write(address, bytes.len() as u64);
        self.kill(owner, Lines::touched(address, bytes.len() as u64));
    }

    /// Judges a transfer of no bytes that may succeed or fail as the contract claims.
    fn expect_open(&self, seen: &Outcome) -> Judged {
        if seen.result != Seen::Done {
            self.expect_refusal(Refusal::Range, Form::Done, seen.result)?;
        }
        expect_calls(&[], seen)
    }
}

/// A transfer of no bytes has a field of its own: what implementations do with it says nothing about others.
#[cold]
fn of_transfer(length: TransferLength, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Diverge(divergence) if length.bytes() == 0 && divergence.field == "result" => {
            Verdict::Diverge(Divergence { field: "empty", ..divergence })
        }
        Verdict::Diverge(_) | Verdict::Agree | Verdict::Moot(_) => verdict,
    }
}
