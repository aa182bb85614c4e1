//! The small world of guest memory: a memory whose shards have an odd size, and the operands at its borders, those of
//! its devices and reservations. It draws nothing.

use crate::rig::{Small, SmallWorld, Start};
use memtwin_models::Payload;
use memtwin_models::guest_memory::{
    DeviceIndex, DeviceSetup, DirtyLogSetup, GuestAddress, GuestMemory, Op, Owner, RamRange, Setup, TransferLength,
};

/// The memory's size in bytes: sixteen shards of nine bytes.
const MEMORY_BYTES: u64 = 0x90;
/// The end of the first shard.
const BORDER: u64 = 9;
/// A device within memory, and its register that fails.
const DEVICE: DeviceSetup = DeviceSetup { base: 0x40, size: 16, faulty_register: Some(8) };

impl SmallWorld for GuestMemory {
    /// Memory alone, memory with a device in it that insists on alignment, and as much in three ranges, of which the
    /// first two meet, with a dirty log whose images refuse the second write.
    fn small() -> Small<Self> {
        let flat = Setup::flat(MEMORY_BYTES);
        let strict = Setup { strict_alignment: true, devices: vec![DEVICE], ..flat.clone() };
        let range = |base, bytes| RamRange { base, bytes };
        let ranges = Setup::ranges(vec![range(0, BORDER), range(BORDER, 0x77), range(MEMORY_BYTES, 0x10)]);
        let ranges = Setup { dirty_log: Some(DirtyLogSetup { refused: vec![1] }), ..ranges };
        let start = |setup| Start { setup, opening: Vec::new() };
        Small { starts: [flat, strict, ranges].map(start).into(), ops: ops() }
    }
}

fn ops() -> Vec<Op> {
    let (owner, other) = (Owner::new_folded(0), Owner::new_folded(1));
    let at = GuestAddress;
    let length = TransferLength::new_folded;
    let device = DeviceIndex::new_folded(0);
    let read = |address, size| Op::Read { owner, address: at(address), size };
    let write = |address, value, size| Op::Write { owner, address: at(address), value, size };
    let load = |owner, address| Op::LoadReserved { owner, address: at(address), size: 4 };
    let store = |owner, address| Op::StoreConditional { owner, address: at(address), value: 5, size: 4 };
    let read_bulk = |address, bytes| Op::ReadBulk { owner, address: at(address), length: length(bytes) };
    let write_bulk =
        |owner, address, bytes| Op::WriteBulk { owner, address: at(address), seed: 3, length: length(bytes) };
    vec![
        read(0, 8),
        read(BORDER - 1, 2),
        Op::AtomicLoad { owner, address: at(MEMORY_BYTES - 4), size: 4 },
        read(MEMORY_BYTES - 1, 2),
        read(DEVICE.base, 4),
        read(DEVICE.base - 4, 8),
        read(u64::MAX, 1),
        read(0, 3),
        write(8, u64::MAX, 8),
        write(BORDER - 1, 0x1234, 2),
        write(MEMORY_BYTES - 1, 1, 1),
        Op::AtomicStore { owner, address: at(8), value: 5, size: 2 },
        write(DEVICE.base, 7, 4),
        write(DEVICE.base + 8, 7, 4),
        Op::FetchInstruction { owner, address: at(0x40) },
        Op::FetchInstruction { owner, address: at(MEMORY_BYTES - 2) },
        load(owner, 0),
        load(other, 0),
        load(owner, MEMORY_BYTES),
        store(owner, 0),
        store(other, 0),
        store(owner, 0x40),
        Op::InvalidateReservation { owner, address: at(0), size: 8 },
        read_bulk(0, MEMORY_BYTES),
        read_bulk(1, MEMORY_BYTES),
        read_bulk(BORDER - 1, 20),
        read_bulk(MEMORY_BYTES, 0),
        read_bulk(u64::MAX - 3, 8),
        write_bulk(other, 0, 4),
        write_bulk(owner, BORDER - 1, 20),
        write_bulk(owner, MEMORY_BYTES - 8, 16),
        write_bulk(owner, DEVICE.base, 8),
        Op::MemorySize { owner },
        Op::Dump { owner },
        Op::Restore { owner, payload: Payload { seed: 9, length: 0x90 } },
        Op::Restore { owner, payload: Payload { seed: 9, length: 0x8f } },
        Op::RestoreDump { owner: other },
        Op::CompareExchange { owner, address: at(0), expected: 0, value: 5, size: 4 },
        Op::DirtyLog { owner },
        Op::TakeDirtyLog { owner },
        Op::DumpDirty { owner },
        Op::MapDevice { owner, device, base: at(DEVICE.base + 8) },
        Op::UnmapDevice { owner, device },
    ]
}
