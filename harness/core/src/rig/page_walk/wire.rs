//! The wire form of page-walk setups and ops, version 1. The tag table is frozen: golden files read it for ever.
//!
//! An op's tag names its kind in rows of eight; the low three bits are the low three bits of the op's address, or,
//! where it has none, a choice of its own. Addresses and lengths are an edge of the setup and a distance.

use crate::rig::Wire;
use memtwin_models::page_walk::{
    Backing, EDGES, File, MAX_BACKING_BYTES, MAX_FILLED, MAX_MAPPED, MAX_TAIL_PAGES, MappedSetup, MappingKind, Op,
    OpKind, PAGE_BYTES, PageWalk, Prefix, Setup, Slot, WorkBounds,
};
use memtwin_models::wire::{Edges, Reader, Steps, Writer};

/// What a row of eight tags stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    /// `map` with the rights r, w, x.
    MapBasic,
    /// `map` of other kinds.
    MapOther,
    /// An op with an address, whose low bits are in the tag.
    Addressed(OpKind),
    /// A host read of the backing in the tag.
    SharedRead,
    /// A push with the kind of prefix in the tag.
    Push,
    /// Ops without operands.
    Plain,
    /// Snapshots to and restores from the slot in the tag.
    Kept,
}

const ROWS: [Row; 32] = [
    Row::MapBasic,
    Row::MapBasic,
    Row::MapBasic,
    Row::MapOther,
    Row::Addressed(OpKind::WriteEntry),
    Row::Addressed(OpKind::WriteEntry),
    Row::Addressed(OpKind::WriteEntry),
    Row::Addressed(OpKind::ReadEntry),
    Row::Addressed(OpKind::FillEntries),
    Row::Addressed(OpKind::SetRoot),
    Row::Addressed(OpKind::Walk),
    Row::Addressed(OpKind::Walk),
    Row::Addressed(OpKind::Walk),
    Row::Addressed(OpKind::Walk),
    Row::Addressed(OpKind::Read),
    Row::Addressed(OpKind::Read),
    Row::Addressed(OpKind::Read),
    Row::Addressed(OpKind::Read),
    Row::Addressed(OpKind::GuestWrite),
    Row::Addressed(OpKind::GuestWrite),
    Row::Addressed(OpKind::GuestWord),
    Row::Addressed(OpKind::GuestWord),
    Row::SharedRead,
    Row::SharedRead,
    Row::Push,
    Row::Push,
    Row::Push,
    Row::Addressed(OpKind::AddFileMapping),
    Row::Plain,
    Row::Plain,
    Row::Plain,
    Row::Kept,
];

const NOT_PAGING: u8 = 0x01;
const ADJACENT: u8 = 0x02;
const FULL_BOUNDS: u8 = 0x04;
const WRITABLE: u8 = 0x01;
const EXECUTABLE: u8 = 0x02;

/// Rows begin at these tags.
const MAP_BASIC: u8 = 0;
const MAP_OTHER: u8 = 24;
const UNMAPPED: u8 = MAP_OTHER + 4;
const SHARED_READ: u8 = 176;
const PUSH: u8 = 192;
const PLAIN: u8 = 224;
const KEPT: u8 = 248;

/// Ops that came later: each has eight tags, with the low bits of its address, or the index of a file in them.
const TRANSLATE: u16 = 256;
const READ_AS_USER: u16 = 264;
const MAP_FILE: u16 = 272;
const UNMAP_FILE: u16 = 280;

/// The first tag of the ops with an address.
const fn addressed(kind: OpKind) -> Option<u8> {
    match kind {
        OpKind::WriteEntry => Some(32),
        OpKind::ReadEntry => Some(56),
        OpKind::FillEntries => Some(64),
        OpKind::SetRoot => Some(72),
        OpKind::Walk => Some(80),
        OpKind::Read => Some(112),
        OpKind::GuestWrite => Some(144),
        OpKind::GuestWord => Some(160),
        OpKind::AddFileMapping => Some(216),
        OpKind::Map
        | OpKind::AllocTable
        | OpKind::Regions
        | OpKind::SharedRead
        | OpKind::Push
        | OpKind::Pop
        | OpKind::PopPrefixed
        | OpKind::Clear
        | OpKind::Snapshot
        | OpKind::Restore
        | OpKind::Build
        | OpKind::Translate
        | OpKind::ReadAsUser
        | OpKind::MapFile
        | OpKind::UnmapFile => None,
    }
}

/// A number below `limit`, kept where it is, folded where it is not.
#[allow(clippy::cast_possible_truncation)] // below a limit of 32 bits
fn folded(number: u64, limit: u32) -> u32 {
    (number % u64::from(limit)) as u32
}

impl Wire for PageWalk {
    type Edges = Edges<EDGES>;

    fn edges(setup: &Setup) -> Self::Edges {
        // Small numbers are distances from 0; only larger ones are looked up.
        Edges::new(setup.edges(), Steps { first: 0, count: 1, length: PAGE_BYTES })
    }

    fn check_setup(setup: &Setup) -> Result<(), &'static str> {
        setup.check()
    }

    fn read_setup(reader: &mut Reader<'_>) -> Setup {
        let flags = reader.byte();
        let sizes = reader.byte();
        let snapshot_bytes = 1 + folded(reader.varint(), MAX_BACKING_BYTES);
        let scratch_bytes = 1 + folded(reader.varint(), MAX_BACKING_BYTES);
        let buffer_bytes = folded(reader.varint(), scratch_bytes + 1);
        let table_base = reader.varint().wrapping_mul(PAGE_BYTES);
        let mut mapped = Vec::new();
        for _ in 0..usize::from(sizes >> 4) % (MAX_MAPPED + 1) {
            let rights = reader.byte();
            mapped.push(MappedSetup {
                gpa: reader.varint().wrapping_mul(PAGE_BYTES),
                bytes: 1 + folded(reader.varint(), MAX_BACKING_BYTES),
                writable: rights & WRITABLE != 0,
                executable: rights & EXECUTABLE != 0,
            });
        }
        let setup = Setup {
            paging: flags & NOT_PAGING == 0,
            snapshot_bytes,
            tail_pages: (sizes & 0xf) % (MAX_TAIL_PAGES + 1),
            scratch_bytes,
            buffer_bytes,
            table_base,
            mapped,
            adjacent: flags & ADJACENT != 0,
            work_bounds: if flags & FULL_BOUNDS == 0 { WorkBounds::Small } else { WorkBounds::Full },
        };
        setup.normalised()
    }

    fn is_later(op: &Op) -> bool {
        op.kind().is_later()
    }

    fn write_setup(setup: &Setup, writer: &mut Writer<'_>) {
        let bounds = match setup.work_bounds {
            WorkBounds::Full => FULL_BOUNDS,
            WorkBounds::Small => 0,
        };
        writer.byte(if setup.paging { 0 } else { NOT_PAGING } | if setup.adjacent { ADJACENT } else { 0 } | bounds);
        writer.byte(setup.tail_pages | u8::try_from(setup.mapped.len()).unwrap_or(0) << 4);
        writer.varint(u64::from(setup.snapshot_bytes - 1));
        writer.varint(u64::from(setup.scratch_bytes - 1));
        writer.varint(u64::from(setup.buffer_bytes));
        writer.varint(setup.table_base / PAGE_BYTES);
        for mapped in &setup.mapped {
            writer.byte(if mapped.writable { WRITABLE } else { 0 } | if mapped.executable { EXECUTABLE } else { 0 });
            writer.varint(mapped.gpa / PAGE_BYTES);
            writer.varint(u64::from(mapped.bytes - 1));
        }
    }

    #[inline]
    fn read_op(tag: u16, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Option<Op> {
        let Ok(tag) = u8::try_from(tag) else { return read_later(tag, edges, reader) };
        let bit = |index: u8| tag >> index & 1 != 0;
        Some(match ROWS[usize::from(tag / 8)] {
            Row::MapBasic => read_map(edges, reader, MappingKind::Basic { r: bit(0), w: bit(1), x: bit(2) }),
            Row::MapOther if bit(2) => read_map(edges, reader, MappingKind::Unmapped),
            Row::MapOther => read_map(edges, reader, MappingKind::Cow { r: bit(0), x: bit(1) }),
            Row::Addressed(kind) => {
                let address = edges.read(reader) & !7 | u64::from(tag & 7);
                read_addressed(edges, reader, kind, address)
            }
            Row::SharedRead => Op::SharedRead {
                backing: Backing::new_folded(tag & 7),
                offset: edges.read(reader),
                length: edges.read(reader),
            },
            Row::Push => {
                let seed = reader.u16();
                let length = reader.u16();
                let prefix = match tag & 3 {
                    0 | 3 => Prefix::None,
                    1 => Prefix::Right,
                    _ => Prefix::Number(u32::from(reader.u16()) | u32::from(reader.u16()) << 16),
                };
                Op::Push { seed, length, prefix }
            }
            Row::Plain => match tag & 7 {
                0 => Op::AllocTable,
                1 | 2 => Op::Regions,
                3 => Op::Clear,
                4 => Op::Build,
                5 => Op::Pop,
                _ => Op::PopPrefixed,
            },
            Row::Kept if bit(2) => Op::Restore { slot: Slot::new_folded(tag) },
            Row::Kept => Op::Snapshot { slot: Slot::new_folded(tag) },
        })
    }

    #[inline]
    fn write_op(edges: &Edges<EDGES>, op: &Op, writer: &mut Writer<'_>) {
        #[allow(clippy::cast_possible_truncation)] // three bits
        let head = |address: u64, writer: &mut Writer<'_>| {
            writer.tag((addressed(op.kind()).unwrap_or(0) | (address & 7) as u8).into());
            edges.write(address & !7, writer);
        };
        match *op {
            Op::Map { phys, virt, length, kind } => {
                let bit = |set: bool, index: u8| u8::from(set) << index;
                let tag = match kind {
                    MappingKind::Basic { r, w, x } => MAP_BASIC | bit(r, 0) | bit(w, 1) | bit(x, 2),
                    MappingKind::Cow { r, x } => MAP_OTHER | bit(r, 0) | bit(x, 1),
                    MappingKind::Unmapped => UNMAPPED,
                };
                writer.tag(tag.into());
                for number in [phys, virt, length] {
                    edges.write(number, writer);
                }
            }
            Op::ReadEntry { address } | Op::SetRoot { root: address } => head(address, writer),
            Op::WriteEntry { address, value } | Op::GuestWord { address, value } => {
                head(address, writer);
                writer.u64(value);
            }
            Op::FillEntries { address, count, value } => {
                head(address, writer);
                writer.u16(count.min(MAX_FILLED));
                writer.u64(value);
            }
            Op::Walk { address, length } | Op::Read { address, length } | Op::AddFileMapping { address, length } => {
                head(address, writer);
                edges.write(length, writer);
            }
            Op::GuestWrite { address, seed, length } => {
                head(address, writer);
                writer.u16(seed);
                writer.u16(length);
            }
            Op::SharedRead { backing, offset, length } => {
                #[allow(clippy::cast_possible_truncation)] // below five
                writer.tag((SHARED_READ | backing.index() as u8).into());
                edges.write(offset, writer);
                edges.write(length, writer);
            }
            Op::Push { seed, length, prefix } => {
                let prefixed = match prefix {
                    Prefix::None => 0,
                    Prefix::Right => 1,
                    Prefix::Number(_) => 2,
                };
                writer.tag((PUSH | prefixed).into());
                writer.u16(seed);
                writer.u16(length);
                if let Prefix::Number(number) = prefix {
                    let [a, b, c, d] = number.to_le_bytes();
                    writer.u16(u16::from_le_bytes([a, b]));
                    writer.u16(u16::from_le_bytes([c, d]));
                }
            }
            Op::AllocTable => writer.tag(PLAIN.into()),
            Op::Regions => writer.tag((PLAIN + 1).into()),
            Op::Clear => writer.tag((PLAIN + 3).into()),
            Op::Build => writer.tag((PLAIN + 4).into()),
            Op::Pop => writer.tag((PLAIN + 5).into()),
            Op::PopPrefixed => writer.tag((PLAIN + 6).into()),
            #[allow(clippy::cast_possible_truncation)] // below four
            Op::Snapshot { slot } => writer.tag((KEPT | slot.index() as u8).into()),
            Op::Translate { address } => {
                writer.tag(TRANSLATE + low_bits(address));
                edges.write(address & !7, writer);
            }
            Op::ReadAsUser { address, length } => {
                writer.tag(READ_AS_USER + low_bits(address));
                edges.write(address & !7, writer);
                edges.write(length, writer);
            }
            Op::MapFile { file } => writer.tag(MAP_FILE + u16::from(file.index())),
            Op::UnmapFile { file } => writer.tag(UNMAP_FILE + u16::from(file.index())),
            #[allow(clippy::cast_possible_truncation)] // below four
            Op::Restore { slot } => writer.tag((KEPT | 4 | slot.index() as u8).into()),
        }
    }
}

fn read_map(edges: &Edges<EDGES>, reader: &mut Reader<'_>, kind: MappingKind) -> Op {
    Op::Map { phys: edges.read(reader), virt: edges.read(reader), length: edges.read(reader), kind }
}

#[inline]
fn read_addressed(edges: &Edges<EDGES>, reader: &mut Reader<'_>, kind: OpKind, address: u64) -> Op {
    match kind {
        OpKind::WriteEntry => Op::WriteEntry { address, value: reader.u64() },
        OpKind::FillEntries => Op::FillEntries { address, count: reader.u16() % (MAX_FILLED + 1), value: reader.u64() },
        OpKind::SetRoot => Op::SetRoot { root: address },
        OpKind::Walk => Op::Walk { address, length: edges.read(reader) },
        OpKind::Read => Op::Read { address, length: edges.read(reader) },
        OpKind::GuestWrite => Op::GuestWrite { address, seed: reader.u16(), length: reader.u16() },
        OpKind::GuestWord => Op::GuestWord { address, value: reader.u64() },
        OpKind::AddFileMapping => Op::AddFileMapping { address, length: edges.read(reader) },
        OpKind::ReadEntry
        | OpKind::Map
        | OpKind::AllocTable
        | OpKind::Regions
        | OpKind::SharedRead
        | OpKind::Push
        | OpKind::Pop
        | OpKind::PopPrefixed
        | OpKind::Clear
        | OpKind::Snapshot
        | OpKind::Restore
        | OpKind::Build
        | OpKind::Translate
        | OpKind::ReadAsUser
        | OpKind::MapFile
        | OpKind::UnmapFile => Op::ReadEntry { address },
    }
}

/// The three bits that an address has in its op's tag.
fn low_bits(address: u64) -> u16 {
    (address & 7).to_le_bytes()[0].into()
}

/// An op that version 1 does not know.
fn read_later(tag: u16, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Option<Op> {
    let low = tag % 8;
    let file = File::new_folded(low.to_le_bytes()[0]);
    Some(match tag - low {
        TRANSLATE => Op::Translate { address: edges.read(reader) & !7 | u64::from(low) },
        READ_AS_USER => {
            Op::ReadAsUser { address: edges.read(reader) & !7 | u64::from(low), length: edges.read(reader) }
        }
        MAP_FILE => Op::MapFile { file },
        UNMAP_FILE => Op::UnmapFile { file },
        _ => return None,
    })
}
