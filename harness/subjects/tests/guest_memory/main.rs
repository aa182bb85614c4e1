//! The guest-memory subjects, held to expectations that are written down here and not taken from the model: the
//! hardened ones do what the contract says, each broken one differs from them on its trigger and nowhere near it.

mod concurrency;
mod defects;
mod devices;
mod dirty_log;
mod flat_memory;
mod reset;
mod wild_accesses;

use memtwin_models::Subject;
use memtwin_models::guest_memory::{
    DeviceCall, DeviceSetup, GuestAddress, GuestMemory, Op, Outcome, Owner, PageWrite, Seen, Setup, TransferLength,
};
use memtwin_subjects::guest_memory::SoftMmuSubject;
use memtwin_subjects::guest_memory::deviation::Deviating;
use memtwin_subjects::guest_memory::subject::Adapter;

/// The subject with a defect of the catalogue.
type Broken<D> = Adapter<Deviating<D>>;

/// What a program could see of one op, by value.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    result: Seen,
    device_calls: Vec<DeviceCall>,
    buffer: Vec<u8>,
    dump: Vec<u8>,
    pages: Vec<u64>,
    page_writes: Vec<PageWrite>,
}

/// What the caller's buffer holds before a bulk read.
const POISON: u8 = 0xa5;

fn step<S: Subject<GuestMemory>>(subject: &mut S, op: &Op) -> Step {
    step_with(subject, op, &mut Outcome::default())
}

fn steps<S: Subject<GuestMemory>>(subject: &mut S, ops: &[Op]) -> Vec<Step> {
    // One outcome for all: making its buffers costs more than any op.
    let mut seen = Outcome::default();
    ops.iter().map(|op| step_with(subject, op, &mut seen)).collect()
}

fn step_with<S: Subject<GuestMemory>>(subject: &mut S, op: &Op, seen: &mut Outcome) -> Step {
    let mut length = 0;
    if let Op::ReadBulk { length: transfer, .. } = *op {
        seen.buffer(transfer).fill(POISON);
        length = transfer.bytes() as usize;
    }
    seen.pages.clear();
    seen.page_writes.clear();
    subject.apply(op, seen);
    let buffer = seen.buffer_bytes()[..length].to_vec();
    let dump = std::mem::take(&mut seen.dump);
    let (pages, page_writes) = (seen.pages.clone(), seen.page_writes.clone());
    Step { result: seen.result, device_calls: seen.device_calls.clone(), buffer, dump, pages, page_writes }
}

fn build<S: Subject<GuestMemory>>(setup: &Setup) -> S {
    assert_eq!(setup.check(), Ok(()));
    S::new(setup).unwrap_or_else(|refused| panic!("{} does not serve {setup:?}: {}", S::NAME, refused.0))
}

fn soft_mmu(setup: &Setup) -> SoftMmuSubject {
    build(setup)
}

fn with_device(memory_size: u64, base: u64, size: u32) -> Setup {
    Setup { devices: vec![DeviceSetup { base, size, faulty_register: None }], ..Setup::flat(memory_size) }
}

fn owner(index: u8) -> Owner {
    Owner::new_folded(index)
}

fn read(address: u64, size: u8) -> Op {
    Op::Read { owner: owner(0), address: GuestAddress(address), size }
}

fn write(address: u64, value: u64, size: u8) -> Op {
    Op::Write { owner: owner(0), address: GuestAddress(address), value, size }
}

fn load_reserved(index: u8, address: u64, size: u8) -> Op {
    Op::LoadReserved { owner: owner(index), address: GuestAddress(address), size }
}

fn store_conditional(index: u8, address: u64, value: u64, size: u8) -> Op {
    Op::StoreConditional { owner: owner(index), address: GuestAddress(address), value, size }
}

fn read_bulk(address: u64, length: u64) -> Op {
    Op::ReadBulk { owner: owner(0), address: GuestAddress(address), length: TransferLength::new_folded(length) }
}

fn write_bulk(address: u64, seed: u16, length: u64) -> Op {
    Op::WriteBulk { owner: owner(0), address: GuestAddress(address), seed, length: TransferLength::new_folded(length) }
}

const DUMP: fn() -> Op = || Op::Dump { owner: owner(0) };

/// A small generator of numbers (xorshift64), so that a failing test fails again.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn byte_below(&mut self, limit: u8) -> u8 {
        u8::try_from(self.below(u64::from(limit))).unwrap()
    }

    /// An address near one of the setup's edges.
    fn address(&mut self, setup: &Setup) -> u64 {
        let edges = setup.edges();
        let edge = edges[usize::try_from(self.below(edges.len() as u64)).unwrap()];
        edge.wrapping_add(self.below(200)).wrapping_sub(100)
    }

    fn size(&mut self) -> u8 {
        [1, 2, 4, 8, 8, 4, 0, 3][usize::from(self.byte_below(8))]
    }

    fn op(&mut self, setup: &Setup) -> Op {
        let owner = Owner::new_folded(self.byte_below(4));
        let address = GuestAddress(self.address(setup));
        let longest = if self.below(8) == 0 { 20_000 } else { 300 };
        let length = TransferLength::new_folded(self.below(longest));
        let seed = u16::try_from(self.below(60_000)).unwrap();
        let right_length = u32::try_from(setup.memory_size.min(1 << 21)).unwrap();
        let payload = memtwin_models::Payload { seed, length: right_length + u32::from(self.below(4) == 0) };
        match self.below(40) {
            0..8 => Op::Read { owner, address, size: self.size() },
            8..16 => Op::Write { owner, address, value: self.next(), size: self.size() },
            16..18 => Op::FetchInstruction { owner, address },
            18..22 => Op::LoadReserved { owner, address, size: self.size() },
            22..26 => Op::StoreConditional { owner, address, value: self.next(), size: self.size() },
            26..28 => Op::InvalidateReservation { owner, address, size: self.size() },
            28..32 => Op::ReadBulk { owner, address, length },
            32..36 => Op::WriteBulk { owner, address, seed, length },
            36 => Op::MemorySize { owner },
            37 => Op::Dump { owner },
            38 => Op::Restore { owner, payload },
            _ => Op::RestoreDump { owner },
        }
    }
}
