//! vm-memory's `GuestMemoryMmap`, a region for each range of RAM. Scalars are its byte-wise copies of so many bytes;
//! atomic loads and stores are its own.

use memtwin::models::guest_memory::{
    Error, GuestMemory, GuestMemoryContract, Op, Outcome, Seen, Setup, TransferLength,
};
use memtwin::models::{Contract as _, Health, Payload, Subject, Unsupported};
use std::sync::atomic::Ordering;
use vm_memory::{Bytes as _, GuestAddress, GuestMemoryBackend as _, GuestMemoryError, GuestMemoryMmap};

/// The largest memory that is served, in bytes: what a worker may touch within a trace.
const LARGEST_MEMORY_BYTES: u64 = 64 << 20;

/// The subject `vm_memory`.
pub(crate) struct Mapped {
    memory: GuestMemoryMmap,
    setup: Setup,
    /// What was written since the last reset, as (start, end).
    written: (u64, u64),
}

impl Mapped {
    /// Transfers fail in part by the documentation of `Bytes::read_slice` and `write_slice`; a caller who wants all or
    /// nothing asks `check_range` first.
    fn check(&self, address: u64, length: usize) -> Result<GuestAddress, Error> {
        let is_inside = self.memory.check_range(GuestAddress(address), length);
        if is_inside { Ok(GuestAddress(address)) } else { Err(Error::InvalidAddress) }
    }

    fn read(&self, address: u64, target: &mut [u8]) -> Result<(), Error> {
        let start = self.check(address, target.len())?;
        self.memory.read_slice(target, start).map_err(|_| Error::InvalidAddress)
    }

    fn write(&mut self, address: u64, source: &[u8]) -> Result<(), Error> {
        let start = self.check(address, source.len())?;
        self.note(address, source.len());
        self.memory.write_slice(source, start).map_err(|_| Error::InvalidAddress)
    }

    /// So many bytes may be other than zeros.
    fn note(&mut self, address: u64, count: usize) {
        if count != 0 {
            let (low, high) = self.written;
            self.written = (low.min(address), high.max(address + count as u64));
        }
    }

    fn atomic_load(&self, address: GuestAddress, size: u8) -> Result<u64, Error> {
        let order = Ordering::SeqCst;
        let value = match size {
            1 => self.memory.load::<u8>(address, order).map(u64::from),
            2 => self.memory.load::<u16>(address, order).map(u64::from),
            4 => self.memory.load::<u32>(address, order).map(u64::from),
            8 => self.memory.load(address, order),
            _ => return Err(Error::Alignment),
        };
        value.map_err(|error| atomic_error(&error))
    }

    #[allow(clippy::cast_possible_truncation)] // a value is cut to the size of its store
    fn atomic_store(&mut self, address: GuestAddress, value: u64, size: u8) -> Result<(), Error> {
        let order = Ordering::SeqCst;
        let stored = match size {
            1 => self.memory.store(value as u8, address, order),
            2 => self.memory.store(value as u16, address, order),
            4 => self.memory.store(value as u32, address, order),
            8 => self.memory.store(value, address, order),
            _ => return Err(Error::Alignment),
        };
        stored.map_err(|error| atomic_error(&error))?;
        self.note(address.0, size.into());
        Ok(())
    }

    fn read_scalar(&self, address: u64, size: u8) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes[..scalar_length(size)?])?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// Why an atomic access failed: vm-memory says no more of a misaligned one, or one over two regions.
fn atomic_error(error: &GuestMemoryError) -> Error {
    match error {
        GuestMemoryError::InvalidBackendAddress => Error::Alignment,
        _ => Error::InvalidAddress,
    }
}

/// The size of a scalar in bytes. vm-memory has no scalars of other sizes; the contract checks them first.
fn scalar_length(size: u8) -> Result<usize, Error> {
    match size {
        1 | 2 | 4 | 8 => Ok(usize::from(size)),
        _ => Err(Error::Alignment),
    }
}

impl Subject<GuestMemory> for Mapped {
    const NAME: &'static str = "vm_memory";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract {
        // `GuestMemoryBackend::check_range` visits the regions of a range, and an empty one has none.
        zero_length_anywhere: true,
        // Slices are copied without a lock (`VolatileSlice`: "other threads may access the memory at the same time").
        torn_bulk: true,
        no_devices: true,
        no_strict_alignment: true,
        no_reservations: true,
        // `Bytes` has no such call.
        no_compare_exchange: true,
        // `Bytes::load` and `store` ask whether the host's address is aligned and one region has the bytes.
        host_alignment: true,
        no_dump: true,
        no_dirty_log: true,
        // A region of no bytes cannot be mapped.
        smallest_memory_bytes: 1,
        largest_memory_bytes: LARGEST_MEMORY_BYTES,
        ..GuestMemoryContract::STRICT
    };

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let size = |bytes| usize::try_from(bytes).map_err(|_| Unsupported("the memory is too large"));
        let mut ranges = Vec::new();
        if setup.is_flat() {
            ranges.push((GuestAddress(0), size(setup.memory_size)?));
        }
        for range in &setup.ram {
            ranges.push((GuestAddress(range.base), size(range.bytes)?));
        }
        let memory = GuestMemoryMmap::from_ranges(&ranges).map_err(|_| Unsupported("it cannot be mapped"))?;
        Ok(Mapped { memory, setup: setup.clone(), written: (u64::MAX, 0) })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        let (low, high) = std::mem::replace(&mut self.written, (u64::MAX, 0));
        if !setup.is_flat() {
            return false;
        }
        let zeros = vec![0; usize::try_from(high.saturating_sub(low)).unwrap_or(0)];
        let is_zero = zeros.is_empty() || self.memory.write_slice(&zeros, GuestAddress(low)).is_ok();
        is_zero && self.setup == *setup
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        let answer = match *op {
            Op::Read { address, size, .. } => self.read_scalar(address.0, size).map(Seen::Value),
            Op::FetchInstruction { address, .. } => self.read_scalar(address.0, 4).map(Seen::Value),
            Op::Write { address, value, size, .. } => scalar_length(size)
                .and_then(|length| self.write(address.0, &value.to_le_bytes()[..length]))
                .map(|()| Seen::Done),
            Op::ReadBulk { address, length, .. } => self.read(address.0, seen.buffer(length)).map(|()| Seen::Done),
            Op::WriteBulk { address, seed, length, .. } => {
                let pattern = Payload { seed, length: length.bytes() };
                self.write(address.0, pattern.bytes().unwrap_or_default()).map(|()| Seen::Done)
            }
            Op::MemorySize { .. } => Ok(Seen::Value(self.setup.memory_size)),
            Op::AtomicLoad { address, size, .. } => self.atomic_load(GuestAddress(address.0), size).map(Seen::Value),
            Op::AtomicStore { address, value, size, .. } => {
                self.atomic_store(GuestAddress(address.0), value, size).map(|()| Seen::Done)
            }
            // What the contract says is missing is skipped.
            Op::LoadReserved { .. }
            | Op::StoreConditional { .. }
            | Op::InvalidateReservation { .. }
            | Op::Dump { .. }
            | Op::Restore { .. }
            | Op::RestoreDump { .. }
            | Op::MapDevice { .. }
            | Op::UnmapDevice { .. }
            | Op::CompareExchange { .. }
            | Op::DirtyLog { .. }
            | Op::TakeDirtyLog { .. }
            | Op::DumpDirty { .. } => Ok(Seen::Skipped),
        };
        seen.result = answer.unwrap_or_else(Seen::Error);
    }
}

/// The subject `vm_memory_in_parts`: transfers as `Bytes::read` and `Bytes::write` make them, which move what fits and
/// say how much.
pub(crate) struct InParts(Mapped);

/// What a transfer of so many bytes answered.
fn moved(answer: Result<usize, GuestMemoryError>, length: TransferLength) -> Seen {
    match answer.map(u32::try_from) {
        Ok(Ok(count)) if count == length.bytes() => Seen::Done,
        Ok(Ok(count)) => Seen::Moved(count),
        Ok(Err(_)) | Err(_) => Seen::Error(Error::InvalidAddress),
    }
}

impl Subject<GuestMemory> for InParts {
    const NAME: &'static str = "vm_memory_in_parts";
    const HEALTH: Health = Health::Sound;
    // "The number of bytes can be less than the length of the buffer if there isn't enough" room (`Bytes`).
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { partial_bulk: true, ..Mapped::CONTRACT };

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Mapped::new(setup).map(InParts)
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        self.0.reset(setup)
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        if let Op::ReadBulk { address, length, .. } = *op {
            seen.result = moved(self.0.memory.read(seen.buffer(length), GuestAddress(address.0)), length);
        } else if let Op::WriteBulk { address, seed, length, .. } = *op {
            let pattern = Payload { seed, length: length.bytes() };
            let answer = self.0.memory.write(pattern.bytes().unwrap_or_default(), GuestAddress(address.0));
            if let Ok(count) = answer {
                self.0.note(address.0, count);
            }
            seen.result = moved(answer, length);
        } else {
            self.0.apply(op, seen);
        }
    }
}
