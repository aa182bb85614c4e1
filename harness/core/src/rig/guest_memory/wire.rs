//! The wire form of guest-memory setups and ops. The tag table of version 1 is frozen: golden files read it for ever.

use crate::rig::Wire;
use memtwin_models::Payload;
use memtwin_models::guest_memory::{
    DeviceIndex, DeviceSetup, DirtyLogSetup, EDGES, GuestAddress, GuestMemory, MAX_DEVICE_BYTES, MAX_DEVICES,
    MAX_MEMORY_BYTES, MAX_RAM_RANGES, MAX_REFUSED_PAGES, Op, OpKind, Owner, RamRange, Setup, TransferLength,
};
use memtwin_models::wire::{Edges, LATER_TAG, Parts, Reader, Steps, Writer};

/// The scalar sizes that have a tag of their own; index [`OTHER_SIZE`] means that a size byte follows the tag.
const SIZES: [u8; 4] = [1, 2, 4, 8];
const OTHER_SIZE: u8 = 4;

/// The size index of each size: a table, because a jump by the size would be mispredicted every other time.
const SIZE_INDEX: [u8; 256] = {
    let mut index_of = [OTHER_SIZE; 256];
    index_of[1] = 0;
    index_of[2] = 1;
    index_of[4] = 2;
    index_of[8] = 3;
    index_of
};

#[derive(Clone, Copy, PartialEq, Eq)]
struct Tag {
    kind: OpKind,
    owner: u8,
    size: u8,
}

/// One row of the tag table: an op kind, the size indexes it comes with, and how often each tag repeats. Frequent and
/// cheap ops have more tags than whole-memory ones, so that random bytes make useful traces. The rows fill the byte.
struct Row(OpKind, &'static [u8], usize);

const ROWS: &[Row] = &[
    Row(OpKind::Read, &[0, 1, 2, 3, OTHER_SIZE], 2),
    Row(OpKind::Write, &[0, 1, 2, 3, OTHER_SIZE], 2),
    Row(OpKind::LoadReserved, &[0, 1, 2, 3, 2, 3, OTHER_SIZE], 1),
    Row(OpKind::StoreConditional, &[0, 1, 2, 3, 2, 3, OTHER_SIZE], 1),
    Row(OpKind::FetchInstruction, &[0], 2),
    Row(OpKind::InvalidateReservation, &[0], 4),
    Row(OpKind::ReadBulk, &[0], 10),
    Row(OpKind::WriteBulk, &[0], 10),
    Row(OpKind::MemorySize, &[0], 1),
    Row(OpKind::Dump, &[0], 1),
    Row(OpKind::Restore, &[0], 1),
    Row(OpKind::RestoreDump, &[0], 1),
];

const TAGS: [Tag; 256] = tags();

const fn tags() -> [Tag; 256] {
    let mut tags = [Tag { kind: OpKind::Read, owner: 0, size: 0 }; 256];
    let mut next = 0;
    let mut row = 0;
    while row < ROWS.len() {
        let Row(kind, sizes, repeats) = ROWS[row];
        let mut index = 0;
        while index < sizes.len() * repeats * 4 {
            // The owner changes fastest, so that neighbouring tags differ in the owner only.
            let size = sizes[(index / 4) % sizes.len()];
            #[allow(clippy::cast_possible_truncation)] // below 4
            let owner = (index % 4) as u8;
            tags[next] = Tag { kind, owner, size };
            next += 1;
            index += 1;
        }
        row += 1;
    }
    assert!(next == 256);
    tags
}

/// The kinds that version 1 knows.
const KINDS: usize = ROWS.len();

/// For each kind, owner and size index the first tag that means it.
const TAG_OF: [[[u8; 5]; 4]; KINDS] = tag_of();

const fn tag_of() -> [[[u8; 5]; 4]; KINDS] {
    let mut tag_of = [[[0; 5]; 4]; KINDS];
    let mut tag: u8 = 255;
    loop {
        let Tag { kind, owner, size } = TAGS[tag as usize];
        tag_of[kind as usize][owner as usize][size as usize] = tag;
        if tag == 0 {
            return tag_of;
        }
        tag -= 1;
    }
}

const STRICT_ALIGNMENT: u8 = 0x80;
/// The optional part of a setup that says where RAM lies.
const RAM: u8 = 0;
/// The optional part of a setup that says that there is a dirty log, and which writes to images fail.
const DIRTY_LOG_PART: u8 = 1;
/// Setups whose RAM lies in ranges have no evenly spaced edges.
const PAGE_BYTES: u64 = 4096;

impl Wire for GuestMemory {
    type Edges = Edges<EDGES>;

    fn edges(setup: &Setup) -> Self::Edges {
        // Edge 13 + n is the border of shard n: see `Setup::edges`.
        let shards = Steps { first: 13, count: 16, length: setup.shard_size() };
        let steps = if setup.is_flat() { shards } else { Steps { first: 0, count: 1, length: PAGE_BYTES } };
        Edges::new(setup.edges(), steps)
    }

    fn check_setup(setup: &Setup) -> Result<(), &'static str> {
        setup.check()
    }

    fn read_setup(reader: &mut Reader<'_>) -> Setup {
        let flags = reader.byte();
        let memory_size = reader.varint();
        let memory_size = if memory_size <= MAX_MEMORY_BYTES { memory_size } else { memory_size % MAX_MEMORY_BYTES };
        let devices = (0..usize::from(flags & 0x7f) % (MAX_DEVICES + 1)).map(|_| read_device(reader)).collect();
        let strict_alignment = flags & STRICT_ALIGNMENT != 0;
        Setup { strict_alignment, devices, ..Setup::flat(memory_size) }.normalised()
    }

    fn read_part(setup: &mut Setup, name: u8, part: &mut Reader<'_>) {
        if name == DIRTY_LOG_PART {
            let count = usize::from(part.byte()) % (MAX_REFUSED_PAGES + 1);
            #[allow(clippy::cast_possible_truncation)] // the low bits count
            let refused = (0..count).map(|_| part.varint() as u16).collect();
            let dirty_log = Some(DirtyLogSetup { refused });
            *setup = Setup { dirty_log, ..std::mem::replace(setup, Setup::flat(0)) }.normalised();
            return;
        }
        if name != RAM {
            return;
        }
        let count = usize::from(part.byte()) % (MAX_RAM_RANGES + 1);
        let range = |part: &mut Reader<'_>| RamRange { base: part.varint(), bytes: part.varint() };
        let ram = (0..count).map(|_| range(part)).collect();
        *setup = Setup { ram, ..std::mem::replace(setup, Setup::flat(0)) }.normalised();
    }

    fn write_parts(setup: &Setup, parts: &mut Parts) {
        if !setup.is_flat() {
            parts.add(RAM, |writer| {
                #[allow(clippy::cast_possible_truncation)] // at most MAX_RAM_RANGES
                writer.byte(setup.ram.len() as u8);
                for range in &setup.ram {
                    writer.varint(range.base);
                    writer.varint(range.bytes);
                }
            });
        }
        if let Some(log) = &setup.dirty_log {
            parts.add(DIRTY_LOG_PART, |writer| {
                #[allow(clippy::cast_possible_truncation)] // at most MAX_REFUSED_PAGES
                writer.byte(log.refused.len() as u8);
                log.refused.iter().for_each(|number| writer.varint(u64::from(*number)));
            });
        }
    }

    fn write_setup(setup: &Setup, writer: &mut Writer<'_>) {
        let strict = if setup.strict_alignment { STRICT_ALIGNMENT } else { 0 };
        #[allow(clippy::cast_possible_truncation)] // at most MAX_DEVICES
        writer.byte(strict | setup.devices.len() as u8);
        writer.varint(setup.memory_size);
        for device in &setup.devices {
            writer.varint(device.base);
            writer.varint(u64::from(device.size - 1));
            writer.varint(device.faulty_register.map_or(0, |register| u64::from(register) + 1));
        }
    }

    #[inline]
    fn read_op(tag: u16, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Option<Op> {
        let Some(tag) = TAGS.get(usize::from(tag)) else { return read_later(tag, edges, reader) };
        let owner = Owner::new_folded(tag.owner);
        let scalar = |reader: &mut Reader<'_>| {
            let size = SIZES.get(usize::from(tag.size)).copied().unwrap_or_else(|| reader.byte());
            (size, GuestAddress(edges.read(reader)))
        };
        Some(match tag.kind {
            OpKind::Read => {
                let (size, address) = scalar(reader);
                Op::Read { owner, address, size }
            }
            OpKind::Write => {
                let (size, address) = scalar(reader);
                Op::Write { owner, address, value: reader.u64(), size }
            }
            OpKind::LoadReserved => {
                let (size, address) = scalar(reader);
                Op::LoadReserved { owner, address, size }
            }
            OpKind::StoreConditional => {
                let (size, address) = scalar(reader);
                Op::StoreConditional { owner, address, value: reader.u64(), size }
            }
            OpKind::FetchInstruction => Op::FetchInstruction { owner, address: GuestAddress(edges.read(reader)) },
            OpKind::InvalidateReservation => {
                let size = reader.byte();
                Op::InvalidateReservation { owner, address: GuestAddress(edges.read(reader)), size }
            }
            OpKind::ReadBulk => {
                let address = GuestAddress(edges.read(reader));
                Op::ReadBulk { owner, address, length: TransferLength::new_folded(reader.varint()) }
            }
            OpKind::WriteBulk => {
                let address = GuestAddress(edges.read(reader));
                let length = TransferLength::new_folded(reader.varint());
                Op::WriteBulk { owner, address, seed: reader.u16(), length }
            }
            OpKind::MemorySize => Op::MemorySize { owner },
            OpKind::Dump => Op::Dump { owner },
            OpKind::Restore => {
                #[allow(clippy::cast_possible_truncation)] // any length is legal
                let length = reader.varint() as u32;
                Op::Restore { owner, payload: Payload { length, seed: reader.u16() } }
            }
            OpKind::RestoreDump => Op::RestoreDump { owner },
            OpKind::MapDevice
            | OpKind::UnmapDevice
            | OpKind::AtomicLoad
            | OpKind::AtomicStore
            | OpKind::CompareExchange
            | OpKind::DirtyLog
            | OpKind::TakeDirtyLog
            | OpKind::DumpDirty => return None,
        })
    }

    fn is_later(op: &Op) -> bool {
        op.is_later()
    }

    #[inline(always)]
    fn write_op(edges: &Edges<EDGES>, op: &Op, writer: &mut Writer<'_>) {
        if op.is_later() {
            return write_later(edges, op, writer);
        }
        let tag = TAG_OF[op.kind() as usize][op.owner().index()];
        let scalar = |size: u8, address: GuestAddress, writer: &mut Writer<'_>| {
            let index = SIZE_INDEX[usize::from(size)];
            writer.tag(tag[usize::from(index)].into());
            if index == OTHER_SIZE {
                writer.byte(size);
            }
            edges.write(address.0, writer);
        };
        match *op {
            Op::Read { address, size, .. } | Op::LoadReserved { address, size, .. } => scalar(size, address, writer),
            Op::Write { address, value, size, .. } | Op::StoreConditional { address, value, size, .. } => {
                scalar(size, address, writer);
                writer.u64(value);
            }
            Op::FetchInstruction { address, .. } => {
                writer.tag(tag[0].into());
                edges.write(address.0, writer);
            }
            Op::InvalidateReservation { address, size, .. } => {
                writer.tag(tag[0].into());
                writer.byte(size);
                edges.write(address.0, writer);
            }
            Op::ReadBulk { address, length, .. } => {
                writer.tag(tag[0].into());
                edges.write(address.0, writer);
                writer.varint(u64::from(length.bytes()));
            }
            Op::WriteBulk { address, seed, length, .. } => {
                writer.tag(tag[0].into());
                edges.write(address.0, writer);
                writer.varint(u64::from(length.bytes()));
                writer.u16(seed);
            }
            Op::MemorySize { .. } | Op::Dump { .. } | Op::RestoreDump { .. } => writer.tag(tag[0].into()),
            Op::Restore { payload, .. } => {
                writer.tag(tag[0].into());
                writer.varint(u64::from(payload.length));
                writer.u16(payload.seed);
            }
            Op::MapDevice { .. }
            | Op::UnmapDevice { .. }
            | Op::AtomicLoad { .. }
            | Op::AtomicStore { .. }
            | Op::CompareExchange { .. }
            | Op::DirtyLog { .. }
            | Op::TakeDirtyLog { .. }
            | Op::DumpDirty { .. } => {}
        }
    }
}

/// The tags of ops that version 1 does not know. Two rows of sixteen: the low two bits are the owner, the next two the
/// device.
const MAP_DEVICE: u16 = LATER_TAG;
const UNMAP_DEVICE: u16 = LATER_TAG + 16;
/// Three rows of twenty: the low two bits are the owner, the rest is the size index.
const ATOMIC_LOAD: u16 = LATER_TAG + 32;
const ATOMIC_STORE: u16 = ATOMIC_LOAD + ATOMIC_TAGS;
const COMPARE_EXCHANGE: u16 = ATOMIC_STORE + ATOMIC_TAGS;
const ATOMIC_END: u16 = COMPARE_EXCHANGE + ATOMIC_TAGS;
/// Three rows of eight: the low two bits are the owner.
const DIRTY_LOG: u16 = ATOMIC_END;
const TAKE_DIRTY_LOG: u16 = DIRTY_LOG + 8;
const DUMP_DIRTY: u16 = TAKE_DIRTY_LOG + 8;
const LOG_END: u16 = DUMP_DIRTY + 8;
/// Four owners, and five size indexes.
const ATOMIC_TAGS: u16 = 20;

#[cold]
fn read_later(tag: u16, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Option<Op> {
    let low = tag.to_le_bytes()[0];
    let (owner, device) = (Owner::new_folded(low), DeviceIndex::new_folded(low >> 2 & 3));
    match tag {
        MAP_DEVICE..UNMAP_DEVICE => Some(Op::MapDevice { owner, device, base: GuestAddress(edges.read(reader)) }),
        UNMAP_DEVICE..ATOMIC_LOAD => Some(Op::UnmapDevice { owner, device }),
        ATOMIC_LOAD..ATOMIC_END => Some(read_atomic(tag - ATOMIC_LOAD, edges, reader)),
        DIRTY_LOG..TAKE_DIRTY_LOG => Some(Op::DirtyLog { owner }),
        TAKE_DIRTY_LOG..DUMP_DIRTY => Some(Op::TakeDirtyLog { owner }),
        DUMP_DIRTY..LOG_END => Some(Op::DumpDirty { owner }),
        _ => None,
    }
}

fn read_atomic(tag: u16, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Op {
    let owner = Owner::new_folded(tag.to_le_bytes()[0] & 3);
    let size = SIZES.get(usize::from(tag % ATOMIC_TAGS / 4)).copied().unwrap_or_else(|| reader.byte());
    let address = GuestAddress(edges.read(reader));
    match ATOMIC_LOAD + tag {
        ATOMIC_LOAD..ATOMIC_STORE => Op::AtomicLoad { owner, address, size },
        ATOMIC_STORE..COMPARE_EXCHANGE => Op::AtomicStore { owner, address, value: reader.u64(), size },
        _ => Op::CompareExchange { owner, address, expected: reader.u64(), value: reader.u64(), size },
    }
}

#[cold]
fn write_later(edges: &Edges<EDGES>, op: &Op, writer: &mut Writer<'_>) {
    let low = |owner: Owner, device: DeviceIndex| u16::from(u8::from(owner) | u8::from(device) << 2);
    if let Op::MapDevice { owner, device, base } = *op {
        writer.tag(MAP_DEVICE + low(owner, device));
        edges.write(base.0, writer);
    } else if let Op::UnmapDevice { owner, device } = *op {
        writer.tag(UNMAP_DEVICE + low(owner, device));
    } else if let Op::AtomicLoad { owner, address, size } = *op {
        write_atomic(ATOMIC_LOAD, owner, size, address, edges, writer);
    } else if let Op::AtomicStore { owner, address, value, size } = *op {
        write_atomic(ATOMIC_STORE, owner, size, address, edges, writer);
        writer.u64(value);
    } else if let Op::CompareExchange { owner, address, expected, value, size } = *op {
        write_atomic(COMPARE_EXCHANGE, owner, size, address, edges, writer);
        writer.u64(expected);
        writer.u64(value);
    } else if let Op::DirtyLog { owner } = *op {
        writer.tag(DIRTY_LOG + u16::from(u8::from(owner)));
    } else if let Op::TakeDirtyLog { owner } = *op {
        writer.tag(TAKE_DIRTY_LOG + u16::from(u8::from(owner)));
    } else if let Op::DumpDirty { owner } = *op {
        writer.tag(DUMP_DIRTY + u16::from(u8::from(owner)));
    }
}

fn write_atomic(
    row: u16,
    owner: Owner,
    size: u8,
    address: GuestAddress,
    edges: &Edges<EDGES>,
    writer: &mut Writer<'_>,
) {
    let index = SIZE_INDEX[usize::from(size)];
    writer.tag(row + u16::from(u8::from(owner) | index << 2));
    if index == OTHER_SIZE {
        writer.byte(size);
    }
    edges.write(address.0, writer);
}

fn read_device(reader: &mut Reader<'_>) -> DeviceSetup {
    let base = reader.varint();
    #[allow(clippy::cast_possible_truncation)] // at most MAX_DEVICE_BYTES
    let size = (reader.varint() % MAX_DEVICE_BYTES) as u32 + 1;
    #[allow(clippy::cast_possible_truncation)] // below the size
    let faulty_register = match reader.varint() {
        0 => None,
        register => Some(((register - 1) % u64::from(size)) as u32),
    };
    DeviceSetup { base, size, faulty_register }
}
