//! A guest memory of one's own beside memtwin's model. `OwnMemory` is the subject, and works: put your code in its
//! place. `HalfWrite` is the same with a planted mistake, so that there is something to catch.

use memtwin::Registry;
use memtwin::models::guest_memory::{
    Error, GuestMemory, GuestMemoryContract, Op, Outcome, Seen, Setup,
};
use memtwin::models::{Contract as _, Health, Payload, Row, Subject, Unsupported};
use std::ops::Range;

/// What the program, the tests and the fuzz target put to the test.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with(Row::<GuestMemory>::of::<OwnMemory>())
        .with(Row::<GuestMemory>::of::<HalfWrite>())
}

// ---- YOUR CODE: from here to the next such line. Or put it in a crate of its own, and call it in `apply`. ----

/// The largest memory that is served, in bytes.
const LARGEST_MEMORY_BYTES: u64 = 1 << 20;

/// The implementation under test: flat memory in a `Vec`.
struct OwnMemory {
    bytes: Vec<u8>,
}

impl OwnMemory {
    /// The bytes of an access, or why there are none.
    fn range(&self, address: u64, length: usize) -> Result<Range<usize>, Error> {
        let start = usize::try_from(address).map_err(|_| Error::InvalidAddress)?;
        let end = start.checked_add(length).ok_or(Error::InvalidAddress)?;
        if end <= self.bytes.len() {
            Ok(start..end)
        } else {
            Err(Error::InvalidAddress)
        }
    }

    fn read(&self, address: u64, target: &mut [u8]) -> Result<(), Error> {
        let range = self.range(address, target.len())?;
        target.copy_from_slice(&self.bytes[range]);
        Ok(())
    }

    fn write(&mut self, address: u64, source: &[u8]) -> Result<(), Error> {
        let range = self.range(address, source.len())?;
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

impl Subject<GuestMemory> for OwnMemory {
    const NAME: &'static str = "own_memory";
    const HEALTH: Health = Health::Sound;
    /// What it does not promise, and nothing more. `cargo run --release -- list --json` explains each freedom.
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
        let size = usize::try_from(setup.memory_size)
            .map_err(|_| Unsupported("the memory is too large"))?;
        Ok(OwnMemory {
            bytes: vec![0; size],
        })
    }

    /// Makes it as new. Without this method each trace builds a new memory.
    fn reset(&mut self, setup: &Setup) -> bool {
        self.bytes.fill(0);
        self.bytes.len() as u64 == setup.memory_size
    }

    /// Carries out one op and writes down what a program could see of it.
    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        let answer = match *op {
            Op::Read { address, size, .. } => self.read_scalar(address.0, size).map(Seen::Value),
            Op::FetchInstruction { address, .. } => self.read_scalar(address.0, 4).map(Seen::Value),
            Op::Write {
                address,
                value,
                size,
                ..
            } => self
                .write_scalar(address.0, value, size)
                .map(|()| Seen::Done),
            Op::ReadBulk {
                address, length, ..
            } => self
                .read(address.0, seen.buffer(length))
                .map(|()| Seen::Done),
            Op::WriteBulk {
                address,
                seed,
                length,
                ..
            } => {
                // The bytes of a transfer are a pattern; the longest transfer is one slice of it.
                let pattern = Payload {
                    seed,
                    length: length.bytes(),
                };
                self.write(address.0, pattern.bytes().unwrap_or_default())
                    .map(|()| Seen::Done)
            }
            Op::MemorySize { .. } => Ok(Seen::Value(self.bytes.len() as u64)),
            // What the contract says is missing is skipped.
            _ => Ok(Seen::Skipped),
        };
        seen.result = answer.unwrap_or_else(Seen::Error);
    }
}

// ---- END OF YOUR CODE ----

/// The same memory with a planted mistake. A test that cannot fail proves nothing.
struct HalfWrite(OwnMemory);

impl Subject<GuestMemory> for HalfWrite {
    const NAME: &'static str = "half_write";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "of a write of eight bytes only four are done",
    };
    const CONTRACT: GuestMemoryContract = <OwnMemory as Subject<GuestMemory>>::CONTRACT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        OwnMemory::new(setup).map(HalfWrite)
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        self.0.reset(setup)
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        if let Op::Write {
            owner,
            address,
            value,
            size: 8,
        } = *op
        {
            let half = Op::Write {
                owner,
                address,
                value,
                size: 4,
            };
            self.0.apply(&half, seen);
        } else {
            self.0.apply(op, seen);
        }
    }
}
