//! The reference model. [`GuestMemoryModel`] says what it holds outcomes against. It knows no subject.

mod accept;
mod access;
mod answer;
mod atomics;
mod audit;
mod bulk;
mod device_places;
mod device_twins;
mod dirty;
mod expect;
mod features;
mod flat_memory;
mod picture;
mod poison;
mod ram;
mod reservations;
mod reserved;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // the memories of tests are small
mod tests;
mod unsettled;
mod words;

pub use answer::Answer;

use super::laws::{ANSWER, BOUNDS, DEVICE_CALLS, DUMP, ERROR_CLASS, FLAT_MEMORY, MEMORY_SIZE, RESTORE};
use super::{
    DUMP_LIMIT_BYTES, GuestMemory, GuestMemoryContract, Op, OpKind, Outcome, Owner, Seen, Setup, TransferLength, View,
};
use crate::picture::{ByteRows, Picture};
use crate::vocabulary::DescribedHere;
use crate::{Depth, Divergence, Model, Payload, StateMap, Verdict};
use access::{Layout, Refusal, Route};
use device_twins::DeviceTwins;
use dirty::DirtyPages;
use expect::{Form, Judged, expect_calls, expect_done, expect_form, expect_value, expect_within_dump_limit};
use features::{History, ReservationEvent};
use flat_memory::{FlatMemory, mask};
use reservations::{Lines, Reservations};
use unsettled::Unsettled;

/// The reference model: a flat sparse array of bytes, where RAM lies, a set of reservations, the pages of the dirty log
/// and their image, copies of the devices.
///
/// It judges outcomes and refuses to predict what the contract leaves open. What the contract fixes beyond the
/// sentences of its [laws](super::laws):
///
/// - Checks come in the order size, overflow, alignment, mixed, device, range. Size and alignment concern scalars only.
///   An end at 2^64 is an overflow. An overflow is reported as an address out of range is.
/// - Atomic accesses need an address that is a multiple of their size, whatever the setup says of others: so do
///   processors, and vm-memory's `Bytes::load` and `Bytes::store`. They are checked like scalars where alignment is
///   strict. A compare-exchange that does not store is no store.
/// - A mixed access, one of a device that needs memory (load-reserved, store-conditional, atomic) and a failing device
///   give an error of any class: the published interface has none for them. Only the failing device has seen calls.
/// - Where a refused transfer may have moved a part, what fits is memory from its first byte on, up to the first byte
///   that is none or a device's. Each byte that it may have written or not is judged by the first look at it.
/// - A transfer of no bytes touches no device and kills no reservation; it succeeds in RAM and at an end of it.
/// - Where RAM lies in ranges, those that meet are one to every access; a dump has the bytes of all, in the order of
///   their addresses, and memory's size is their sum.
/// - Values are truncated to the size of their store, before a device sees them too.
/// - A reservation lives until a store of at least one byte to any of its 64-byte lines, by whichever owner, and until
///   its owner's next store-conditional, which ends it also where it stores nothing. One that is refused with an error
///   may end it or not. A write that a device takes is no store. Restoring stores every byte.
/// - A device that is mapped elsewhere keeps its registers. Mapping and unmapping change no memory, and may end
///   reservations or not.
/// - The dirty log begins empty and fresh memory is zeros. A page counts as written wherever a byte of its RAM was
///   stored, the same byte or another; restoring stores all. What a device takes is no store to RAM. Each page that a
///   store names may be in the log, also where that was refused or stored nothing. A dump that fails leaves the log as
///   it was: what it had written to the image is thrown away.
/// - Dump and restore concern memory, also beneath devices. Above the dump limit they are skipped.
///
/// An outcome is judged in this order: answer, device calls, values and bytes, bytes beyond the buffer. The place of a
/// divergence is the address of the first wrong byte (values, bulk bytes read, dumps, state), the offset in the
/// caller's buffer (changed on an error, or beyond its end), or the index of the first wrong device call. After a
/// divergence the model is good for [`Model::allowed`] and [`Model::reset`] only.
#[derive(Debug, Clone, DescribedHere)]
pub struct GuestMemoryModel {
    layout: Layout,
    memory: FlatMemory,
    reservations: Reservations,
    /// What refused transfers may have written.
    unsettled: Unsettled,
    dirty: DirtyPages,
    devices: DeviceTwins,
    history: History,
    /// Whether a step that nobody saw may have stored or not.
    is_left_open: bool,
}

impl Model<GuestMemory> for GuestMemoryModel {
    fn new(setup: &Setup, contract: &GuestMemoryContract) -> Self {
        let layout = Layout::new(setup, contract);
        GuestMemoryModel {
            dirty: DirtyPages::new(setup, &layout.ram),
            layout,
            memory: FlatMemory::new(setup.memory_size),
            reservations: Reservations::default(),
            unsettled: Unsettled::default(),
            devices: DeviceTwins::new(&setup.devices),
            history: History::EMPTY,
            is_left_open: false,
        }
    }

    fn reset(&mut self, setup: &Setup) {
        self.layout.reset(setup);
        self.memory.reset(setup.memory_size);
        self.reservations.kill_all();
        self.unsettled.clear();
        self.dirty.reset(setup, &self.layout.ram);
        self.devices.reset(&setup.devices);
        self.history = History::EMPTY;
        self.is_left_open = false;
    }

    #[inline]
    fn arrange(&self, op: &Op, seen: &mut Outcome) {
        // Skipped passes only where a contract says so, and nothing of the op before can be taken for an answer.
        seen.result = Seen::Skipped;
        seen.device_calls.clear();
        if let Op::ReadBulk { address, length, .. } = *op {
            let route = self.layout.bulk(address.0, length.bytes());
            if self.layout.bulk_read_fails(route, length.bytes()) {
                poison::poison_whole(seen, length);
            } else {
                poison::poison_parts(seen, length);
            }
        } else if let Op::Dump { .. } | Op::DirtyLog { .. } | Op::TakeDirtyLog { .. } | Op::DumpDirty { .. } = op {
            seen.dump.clear();
            seen.pages.clear();
            seen.page_writes.clear();
        }
    }

    #[inline]
    fn judge(&mut self, op: &Op, seen: &Outcome) -> Verdict {
        if self.agrees_at_once(op, seen) { Verdict::Agree } else { self.judge_in_full(op, seen) }
    }

    fn accept(&mut self, op: &Op, seen: &Outcome, divergence: &Divergence) -> bool {
        accept::changes_nothing(&self.layout, op, seen, divergence)
    }

    fn allowed(&self, op: &Op) -> String {
        words::allowed(self, op)
    }

    fn picture(&self, op: Option<&Op>) -> Picture {
        picture::picture(self, op)
    }

    fn byte_rows(&self, op: &Op, seen: &Outcome) -> Option<ByteRows> {
        picture::byte_rows(self, op, seen)
    }

    fn state_rows(&self, view: &View) -> Option<ByteRows> {
        picture::state_rows(self, view)
    }

    fn survey(&self, depth: Depth, view: &mut View) {
        audit::survey(&self.layout, &self.memory, depth, view);
    }

    fn audit(&self, view: &View) -> Verdict {
        if self.unsettled.is_none() {
            return audit::audit(&self.layout, &self.memory, view);
        }
        let mut settled = self.clone();
        settled.settle_state(view);
        audit::audit(&self.layout, &settled.memory, view)
    }

    fn features(&self, op: &Op, seen: &Outcome, sink: &mut StateMap<'_>) {
        features::note(op, &self.layout, &self.history, &self.reservations, sink);
        features::note_log(op, seen, sink);
    }
}

impl GuestMemoryModel {
    /// Takes the step when it is what most steps are: a right scalar access to plain memory. `false` says nothing about
    /// the outcome, and has changed nothing.
    #[inline]
    fn agrees_at_once(&mut self, op: &Op, seen: &Outcome) -> bool {
        if !seen.device_calls.is_empty() || !self.unsettled.is_none() || self.dirty.is_on() {
            return false;
        }
        if let Op::Read { address, size, .. } = *op
            && let Seen::Value(value) = seen.result
            && self.layout.is_plain(address.0, size)
            && self.memory.load(self.layout.offset(address.0), size) == value
        {
            self.history.begin_success(OpKind::Read);
            return true;
        }
        if let Op::Write { owner, address, value, size } = *op
            && seen.result == Seen::Done
            && self.layout.is_plain(address.0, size)
        {
            self.history.begin_success(OpKind::Write);
            self.store(owner, address.0, value, size);
            return true;
        }
        false
    }

    #[inline(never)]
    fn judge_in_full(&mut self, op: &Op, seen: &Outcome) -> Verdict {
        self.history.begin(op.kind(), seen.result);
        if !self.unsettled.is_none() {
            self.settle(op, seen);
        }
        if let Err(divergence) = self.step(op, seen) {
            return divergence;
        }
        if self.dirty.is_on() {
            self.name_pages(op);
        }
        Verdict::Agree
    }

    fn step(&mut self, op: &Op, seen: &Outcome) -> Judged {
        match *op {
            Op::Read { address, size, .. } => self.read(self.layout.scalar(address.0, size), address.0, size, seen),
            Op::Write { owner, address, value, size } => self.write(owner, address.0, value, size, seen),
            Op::FetchInstruction { address, .. } => self.read(self.layout.scalar(address.0, 4), address.0, 4, seen),
            Op::LoadReserved { owner, address, size } => self.load_reserved(owner, address.0, size, seen),
            Op::StoreConditional { owner, address, value, size } => {
                self.store_conditional(owner, address.0, value, size, seen)
            }
            Op::InvalidateReservation { owner, address, size } => self.invalidate(owner, address.0, size, seen),
            Op::ReadBulk { address, length, .. } => self.read_bulk(address.0, length, seen),
            Op::WriteBulk { owner, address, seed, length } => self.write_bulk(owner, address.0, seed, length, seen),
            Op::MemorySize { .. } => self.memory_size(seen),
            Op::Dump { .. } => self.dump(seen),
            Op::Restore { owner, payload } => self.restore(owner, Some(payload), seen),
            Op::RestoreDump { owner } => self.restore(owner, None, seen),
            Op::MapDevice { device, base, .. } => self.place_device(device, Some(base.0), seen),
            Op::UnmapDevice { device, .. } => self.place_device(device, None, seen),
            Op::AtomicLoad { address, size, .. } => self.atomic_load(address.0, size, seen),
            Op::AtomicStore { owner, address, value, size } => self.atomic_store(owner, address.0, value, size, seen),
            Op::CompareExchange { owner, address, expected, value, size } => {
                self.compare_exchange(owner, address.0, (expected, value), size, seen)
            }
            Op::DirtyLog { .. } => self.dirty_log(false, seen),
            Op::TakeDirtyLog { .. } => self.dirty_log(true, seen),
            Op::DumpDirty { .. } => self.dump_dirty(seen),
        }
    }

    fn read(&mut self, route: Route, address: u64, size: u8, seen: &Outcome) -> Judged {
        match route {
            Route::Memory | Route::Open => self.read_memory(address, size, seen),
            Route::Device { index, offset } => self.read_device(index, offset, size, seen),
            Route::Refused(refusal) => self.refuse(refusal, Form::Value, seen),
        }
    }

    fn read_memory(&self, address: u64, size: u8, seen: &Outcome) -> Judged {
        let value = expect_value(seen.result)?;
        expect_calls(&[], seen)?;
        let wrong_bits = value ^ self.memory.load(self.layout.offset(address), size);
        if wrong_bits == 0 {
            Ok(())
        } else {
            let first_wrong = address + u64::from(wrong_bits.trailing_zeros() / 8);
            Err(Verdict::diverge_at(&FLAT_MEMORY, "value", first_wrong))
        }
    }

    fn read_device(&mut self, index: u8, offset: u64, size: u8, seen: &Outcome) -> Judged {
        let call = self.devices.read(index, offset, size);
        if call.failed {
            self.expect_refusal(Refusal::DeviceFault, Form::Value, seen.result)?;
            return expect_calls(&[call], seen);
        }
        let value = expect_value(seen.result)?;
        expect_calls(&[call], seen)?;
        if value == call.value { Ok(()) } else { Err(Verdict::diverge(&DEVICE_CALLS, "value")) }
    }

    fn write(&mut self, owner: Owner, address: u64, value: u64, size: u8, seen: &Outcome) -> Judged {
        match self.layout.scalar(address, size) {
            Route::Memory | Route::Open => {
                expect_done(seen.result)?;
                expect_calls(&[], seen)?;
                self.store(owner, address, value, size);
                Ok(())
            }
            Route::Device { index, offset } => {
                let call = self.devices.write(index, offset, size, value & mask(size));
                if call.failed {
                    self.expect_refusal(Refusal::DeviceFault, Form::Done, seen.result)?;
                } else {
                    expect_done(seen.result)?;
                }
                expect_calls(&[call], seen)
            }
            Route::Refused(refusal) => self.refuse(refusal, Form::Done, seen),
        }
    }

    fn memory_size(&self, seen: &Outcome) -> Judged {
        expect_form(Form::Value, seen.result)?;
        expect_calls(&[], seen)?;
        if seen.result == Seen::Value(self.layout.memory_size) {
            Ok(())
        } else {
            Err(Verdict::diverge(&MEMORY_SIZE, "value"))
        }
    }

    fn dump(&self, seen: &Outcome) -> Judged {
        if self.skips_whole_memory(seen.result) {
            return expect_calls(&[], seen);
        }
        expect_within_dump_limit(self.layout.memory_size)?;
        expect_form(Form::Done, seen.result)?;
        expect_calls(&[], seen)?;
        if seen.dump.len() as u64 != self.layout.memory_size {
            return Err(Verdict::diverge(&DUMP, "length"));
        }
        match self.memory.first_difference(0, &seen.dump) {
            None => Ok(()),
            Some(offset) => Err(Verdict::diverge_at(&DUMP, "dump", self.layout.ram.address(offset))),
        }
    }

    /// Judges a restore of these bytes, or of the memory's own dump.
    fn restore(&mut self, owner: Owner, payload: Option<Payload>, seen: &Outcome) -> Judged {
        if self.skips_whole_memory(seen.result) {
            return expect_calls(&[], seen);
        }
        expect_within_dump_limit(self.layout.memory_size)?;
        let restores = payload.is_none_or(|payload| u64::from(payload.length) == self.layout.memory_size);
        match seen.result {
            Seen::Done if restores => {}
            Seen::Error(_) if !restores => {}
            Seen::Done | Seen::Error(_) => return Err(Verdict::diverge(&RESTORE, "result")),
            Seen::Skipped | Seen::Value(_) | Seen::Stored(_) | Seen::Moved(_) | Seen::Exchanged { .. } => {
                return Err(Verdict::diverge(&ANSWER, "result"));
            }
        }
        expect_calls(&[], seen)?;
        if restores {
            if let Some(payload) = payload {
                self.memory.store_everywhere(payload);
                self.unsettled.clear();
            }
            self.dirty.write_all();
            let killed = self.reservations.kill_all();
            self.history.meet(ReservationEvent::of_kill(owner, killed, self.reservations.live()));
        }
        Ok(())
    }

    /// The address of the first byte in which RAM from `address` on differs from these bytes, which all lie in it.
    fn first_difference(&self, address: u64, bytes: &[u8]) -> Option<u64> {
        let start = self.layout.offset(address);
        self.memory.first_difference(start, bytes).map(|offset| address + (offset - start))
    }

    /// Copies RAM from `address` on, which all lies in it.
    fn copy_to(&self, address: u64, target: &mut [u8]) {
        self.memory.copy_to(self.layout.offset(address), target);
    }

    #[inline]
    fn store(&mut self, owner: Owner, address: u64, value: u64, size: u8) {
        let offset = self.layout.offset(address);
        self.memory.store(offset, value, size);
        self.unsettled.forget(offset, size.into());
        self.dirty.write(address, size.into());
        self.kill(owner, Lines::touched(address, u64::from(size)));
    }

    #[inline]
    fn kill(&mut self, owner: Owner, lines: Option<Lines>) {
        let own = self.reservations.of(owner).filter(|_| self.layout.contract.own_store_keeps);
        let killed = self.reservations.kill(lines);
        if let Some(own) = own.filter(|_| killed.contains(owner)) {
            self.reservations.reserve(owner, own.address, own.size);
            self.reservations.doubt(owner);
        }
        self.history.meet(ReservationEvent::of_kill(owner, killed, self.reservations.live()));
    }

    fn skips_whole_memory(&self, result: Seen) -> bool {
        result == Seen::Skipped && (self.layout.contract.no_dump || DUMP_LIMIT_BYTES < self.layout.memory_size)
    }

    /// Judges an access that must fail, and before any device call.
    fn refuse(&self, refusal: Refusal, form: Form, seen: &Outcome) -> Judged {
        self.expect_refusal(refusal, form, seen.result)?;
        expect_calls(&[], seen)
    }

    fn expect_refusal(&self, refusal: Refusal, form: Form, result: Seen) -> Judged {
        match result {
            Seen::Error(error) if self.layout.admits(refusal, error) => Ok(()),
            Seen::Error(_) => Err(Verdict::diverge(&ERROR_CLASS, "error")),
            Seen::Skipped | Seen::Value(_) | Seen::Done | Seen::Stored(_) | Seen::Moved(_) | Seen::Exchanged { .. } => {
                expect_form(form, result)?;
                Err(Verdict::diverge(&BOUNDS, "result"))
            }
        }
    }
}

/// The bytes of a bulk write.
#[inline]
fn payload_of(seed: u16, length: TransferLength) -> &'static [u8] {
    Payload { seed, length: length.bytes() }.bytes().expect("a transfer is at most 65536 bytes, which fit one slice")
}
