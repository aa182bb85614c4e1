//! A memory of one's own beside memtwin's model, with the whole command line in one macro. It refuses devices, strict
//! alignment, reservations and dumps, and says so in its contract.
//!
//! `OwnMemory` is right. `OffByOne` is the same code with a planted mistake in its bound check, so that there is
//! something to catch: `cargo run --release` catches it and then runs the right one.

use memtwin::Registry;
use memtwin::models::guest_memory::{Error, GuestMemory, GuestMemoryContract, Op, Outcome, Seen, Setup};
use memtwin::models::{Contract as _, Health, Payload, Row, Subject, Unsupported};
use std::marker::PhantomData;
use std::ops::Range;

memtwin::main!(
    Registry::new().with(Row::<GuestMemory>::of::<OwnMemory>()).with(Row::<GuestMemory>::of::<OwnMemory<OffByOne>>())
);

#[cfg(test)]
memtwin::proptest_subject!(own_memory_agrees, GuestMemory, OwnMemory);

/// The largest memory that is served, in bytes.
const LARGEST_MEMORY_BYTES: u64 = 1 << 20;

/// The implementation under test: flat memory in a `Vec`.
struct OwnMemory<B = Right> {
    bytes: Vec<u8>,
    /// What was written since the last reset.
    written: Range<usize>,
    bound: PhantomData<B>,
}

/// The one place where the right and the broken memory differ.
trait Bound {
    const NAME: &'static str;
    const HEALTH: Health;
    /// Whether an access that ends before `end` lies within a memory of `size` bytes.
    fn fits(end: u64, size: u64) -> bool;
}

/// The right check.
struct Right;

impl Bound for Right {
    const NAME: &'static str = "own_memory";
    const HEALTH: Health = Health::Sound;

    fn fits(end: u64, size: u64) -> bool {
        end <= size
    }
}

/// The planted mistake: the last byte of memory is refused.
struct OffByOne;

impl Bound for OffByOne {
    const NAME: &'static str = "off_by_one";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "the bound check refuses accesses that end at the last byte of memory" };

    fn fits(end: u64, size: u64) -> bool {
        end < size
    }
}

impl<B: Bound> OwnMemory<B> {
    /// The bytes of an access, or why there are none.
    fn range(&self, address: u64, length: u64) -> Result<Range<usize>, Error> {
        let end = address.checked_add(length).ok_or(Error::InvalidAddress)?;
        if !B::fits(end, self.bytes.len() as u64) {
            return Err(Error::InvalidAddress);
        }
        let start = usize::try_from(address).map_err(|_| Error::InvalidAddress)?;
        let end = usize::try_from(end).map_err(|_| Error::InvalidAddress)?;
        Ok(start..end)
    }

    fn read(&self, address: u64, target: &mut [u8]) -> Result<(), Error> {
        let range = self.range(address, target.len() as u64)?;
        target.copy_from_slice(&self.bytes[range]);
        Ok(())
    }

    fn write(&mut self, address: u64, source: &[u8]) -> Result<(), Error> {
        let range = self.range(address, source.len() as u64)?;
        self.written = self.written.start.min(range.start)..self.written.end.max(range.end);
        self.bytes[range].copy_from_slice(source);
        Ok(())
    }

    fn read_scalar(&self, address: u64, size: u8) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes[..scalar_length(size)?])?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn write_scalar(&mut self, address: u64, value: u64, size: u8) -> Result<(), Error> {
        self.write(address, &value.to_le_bytes()[..scalar_length(size)?])
    }
}

/// The size of a scalar in bytes. It is checked before anything else.
fn scalar_length(size: u8) -> Result<usize, Error> {
    match size {
        1 | 2 | 4 | 8 => Ok(usize::from(size)),
        _ => Err(Error::Alignment),
    }
}

impl<B: Bound> Subject<GuestMemory> for OwnMemory<B> {
    const NAME: &'static str = B::NAME;
    const HEALTH: Health = B::HEALTH;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract {
        flat_ram: true,
        no_devices: true,
        no_strict_alignment: true,
        no_reservations: true,
        no_atomics: true,
        no_dirty_log: true,
        no_dump: true,
        largest_memory_bytes: LARGEST_MEMORY_BYTES,
        ..GuestMemoryContract::STRICT
    };

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        // The contract keeps memories above 1 MiB, devices and strict alignment away.
        let size = usize::try_from(setup.memory_size).map_err(|_| Unsupported("the memory is too large"))?;
        Ok(OwnMemory { bytes: vec![0; size], written: usize::MAX..0, bound: PhantomData })
    }

    /// Zeroes what was written. Without this method each trace would build a new memory, which is several times slower.
    fn reset(&mut self, setup: &Setup) -> bool {
        if self.written.start < self.written.end {
            self.bytes[self.written.clone()].fill(0);
        }
        self.written = usize::MAX..0;
        self.bytes.len() as u64 == setup.memory_size
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        let answer = match *op {
            Op::Read { address, size, .. } => self.read_scalar(address.0, size).map(Seen::Value),
            Op::FetchInstruction { address, .. } => self.read_scalar(address.0, 4).map(Seen::Value),
            Op::Write { address, value, size, .. } => self.write_scalar(address.0, value, size).map(|()| Seen::Done),
            Op::ReadBulk { address, length, .. } => self.read(address.0, seen.buffer(length)).map(|()| Seen::Done),
            Op::WriteBulk { address, seed, length, .. } => {
                // The bytes of a transfer are a pattern; the longest transfer is one slice of it.
                let pattern = Payload { seed, length: length.bytes() };
                self.write(address.0, pattern.bytes().unwrap_or_default()).map(|()| Seen::Done)
            }
            Op::MemorySize { .. } => Ok(Seen::Value(self.bytes.len() as u64)),
            // What the contract says is missing is skipped.
            _ => Ok(Seen::Skipped),
        };
        seen.result = answer.unwrap_or_else(Seen::Error);
    }
}
