//! The wire form of temp-map setups and ops, version 1. The tag table is frozen: a test holds it.
//!
//! A row of eight tags names a kind, or a kind and one of its forms. The low bit is the processor where the op has one,
//! the next two are a process, a mode or a count. Addresses are an edge of the setup and a distance.

use crate::rig::Wire;
use memtwin_models::temp_map::{
    Cpu, EDGES, Hold, MAX_FRAMES, MAX_SEGMENTS, MIN_FRAMES, Mode, Op, PAGE_BYTES, PageFlags, PageSource,
    PhysicalAddress, Process, SLOTS, Segment, Segments, Setup, Space, TempFrame, TempMap, VirtualAddress,
};
use memtwin_models::wire::{Edges, Reader, Steps, Writer};

/// A kind of op, or one form of a kind, as rows name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Create,
    Fork,
    Destroy,
    SwitchToProcess,
    SwitchToKernel,
    MapNew,
    MapHold,
    UnmapPage,
    UnmapPageNoFree,
    GetPhysAddr,
    AllocFrame,
    FreeFrame,
    AllocSlot,
    FreeSlot,
    TempHold,
    TempBehind,
    TempAt,
    UnmapTemp,
    Load,
    Store,
    SysWrite,
    SysRead,
    ElfLoad,
}

/// The rows of eight tags. Frequent kinds have more of them.
const ROWS: [Row; 32] = [
    Row::Create,
    Row::Fork,
    Row::Destroy,
    Row::SwitchToProcess,
    Row::SwitchToKernel,
    Row::MapNew,
    Row::MapNew,
    Row::MapHold,
    Row::UnmapPage,
    Row::UnmapPageNoFree,
    Row::GetPhysAddr,
    Row::AllocFrame,
    Row::FreeFrame,
    Row::AllocSlot,
    Row::FreeSlot,
    Row::TempHold,
    Row::TempBehind,
    Row::TempAt,
    Row::UnmapTemp,
    Row::UnmapTemp,
    Row::Load,
    Row::Load,
    Row::Load,
    Row::Store,
    Row::Store,
    Row::Store,
    Row::SysWrite,
    Row::SysWrite,
    Row::SysRead,
    Row::SysRead,
    Row::ElfLoad,
    Row::ElfLoad,
];

/// The first tag of a row.
const fn tag_of(row: Row) -> u8 {
    match row {
        Row::Create => 0,
        Row::Fork => 8,
        Row::Destroy => 16,
        Row::SwitchToProcess => 24,
        Row::SwitchToKernel => 32,
        Row::MapNew => 40,
        Row::MapHold => 56,
        Row::UnmapPage => 64,
        Row::UnmapPageNoFree => 72,
        Row::GetPhysAddr => 80,
        Row::AllocFrame => 88,
        Row::FreeFrame => 96,
        Row::AllocSlot => 104,
        Row::FreeSlot => 112,
        Row::TempHold => 120,
        Row::TempBehind => 128,
        Row::TempAt => 136,
        Row::UnmapTemp => 144,
        Row::Load => 160,
        Row::Store => 184,
        Row::SysWrite => 208,
        Row::SysRead => 224,
        Row::ElfLoad => 240,
    }
}

/// Frames below 4 GiB.
const ALL_FRAMES: u64 = 1 << 20;

#[allow(clippy::cast_possible_truncation)] // all are below their limits of at most 32 bits
impl Wire for TempMap {
    type Edges = Edges<EDGES>;

    fn edges(setup: &Setup) -> Self::Edges {
        Edges::new(setup.edges(), Steps { first: 0, count: 1, length: PAGE_BYTES.into() })
    }

    fn check_setup(setup: &Setup) -> Result<(), &'static str> {
        setup.check()
    }

    fn read_setup(reader: &mut Reader<'_>) -> Setup {
        let frames = MIN_FRAMES + (reader.varint() % u64::from(MAX_FRAMES - MIN_FRAMES + 1)) as u16;
        let first_frame = reader.varint() % (ALL_FRAMES - u64::from(frames) + 1);
        let taken_slots = (reader.varint() % u64::from(SLOTS + 1)) as u16;
        Setup { frames, memory_start: PhysicalAddress::of_frame(first_frame as u32), taken_slots }
    }

    fn write_setup(setup: &Setup, writer: &mut Writer<'_>) {
        writer.varint(u64::from(setup.frames - MIN_FRAMES));
        writer.varint(u64::from(setup.first_frame()));
        writer.varint(u64::from(setup.taken_slots));
    }

    #[inline]
    fn read_op(edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Option<Op> {
        let tag = reader.next_byte()?;
        let cpu = Cpu::new_folded(tag & 1);
        let process = Process::new_folded(tag >> 1 & 3);
        let mode = if tag & 2 == 0 { Mode::User } else { Mode::Kernel };
        let address = |reader: &mut Reader<'_>| VirtualAddress(edges.read(reader) as u32);
        let slot = |reader: &mut Reader<'_>| reader.signed() as i32;
        Some(match ROWS[usize::from(tag / 8)] {
            Row::Create => Op::Create { process },
            Row::Fork => {
                let pair = reader.byte();
                Op::Fork { cpu, parent: Process::new_folded(pair & 3), child: Process::new_folded(pair >> 2 & 3) }
            }
            Row::Destroy => Op::Destroy { cpu, process },
            Row::SwitchToProcess => Op::Switch { cpu, space: Space::Process(process) },
            Row::SwitchToKernel => Op::Switch { cpu, space: Space::Kernel },
            Row::MapNew => {
                let flags = PageFlags::from_bits_folded(reader.byte());
                Op::MapPage { cpu, address: address(reader), source: PageSource::New, flags }
            }
            Row::MapHold => {
                let byte = reader.byte();
                let (flags, hold) = (PageFlags::from_bits_folded(byte), Hold::new_folded(byte >> 4));
                Op::MapPage { cpu, address: address(reader), source: PageSource::Hold(hold), flags }
            }
            Row::UnmapPage => Op::UnmapPage { cpu, address: address(reader) },
            Row::UnmapPageNoFree => {
                let hold = Hold::new_folded(reader.byte());
                Op::UnmapPageNoFree { cpu, address: address(reader), hold }
            }
            Row::GetPhysAddr => Op::GetPhysAddr { cpu, address: address(reader) },
            Row::AllocFrame => Op::AllocFrame { hold: Hold::new_folded(tag & 7) },
            Row::FreeFrame => Op::FreeFrame { hold: Hold::new_folded(tag & 7) },
            Row::AllocSlot => Op::AllocSlot,
            Row::FreeSlot => Op::FreeSlot { slot: slot(reader) },
            Row::TempHold => {
                let frame = TempFrame::Hold(Hold::new_folded(reader.byte()));
                Op::MapTemp { cpu, frame, slot: slot(reader) }
            }
            Row::TempBehind => {
                let frame = TempFrame::Behind(address(reader));
                Op::MapTemp { cpu, frame, slot: slot(reader) }
            }
            Row::TempAt => {
                let frame = TempFrame::At(PhysicalAddress(edges.read(reader) as u32));
                Op::MapTemp { cpu, frame, slot: slot(reader) }
            }
            Row::UnmapTemp => Op::UnmapTemp { cpu, slot: slot(reader) },
            Row::Load => Op::Load { cpu, mode, address: address(reader) },
            Row::Store => Op::Store { cpu, mode, address: address(reader), value: reader.varint() as u32 },
            Row::SysWrite => Op::SysWrite { cpu, address: address(reader), count: reader.varint() as u32 },
            Row::SysRead => {
                Op::SysRead { cpu, address: address(reader), count: reader.varint() as u32, seed: reader.u16() }
            }
            Row::ElfLoad => {
                let (seed, length) = (reader.u16(), reader.u16());
                let mut list = [read_nothing(); MAX_SEGMENTS];
                let count = usize::from(tag >> 1 & 3);
                for segment in &mut list[..count] {
                    *segment = Segment {
                        writable: reader.byte() & 1 != 0,
                        address: address(reader),
                        offset: reader.varint() as u32,
                        file_bytes: reader.varint() as u32,
                        memory_bytes: reader.varint() as u32,
                    };
                }
                Op::ElfLoad { cpu, seed, length, segments: Segments::of(&list[..count]) }
            }
        })
    }

    #[inline]
    fn write_op(edges: &Edges<EDGES>, op: &Op, writer: &mut Writer<'_>) {
        let put = |writer: &mut Writer<'_>, row: Row, cpu: Cpu, upper: usize| {
            writer.byte(tag_of(row) + low_bits(cpu, upper));
        };
        let mode_bit = |mode: Mode| usize::from(mode == Mode::Kernel);
        let byte_of = |hold: Hold| u8::from(hold);
        let first = Cpu::new_folded(0);
        match *op {
            Op::Create { process } => put(writer, Row::Create, first, process.index()),
            Op::Fork { cpu, parent, child } => {
                put(writer, Row::Fork, cpu, 0);
                writer.byte(u8::from(parent) | u8::from(child) << 2);
            }
            Op::Destroy { cpu, process } => put(writer, Row::Destroy, cpu, process.index()),
            Op::Switch { cpu, space: Space::Process(process) } => {
                put(writer, Row::SwitchToProcess, cpu, process.index());
            }
            Op::Switch { cpu, space: Space::Kernel } => put(writer, Row::SwitchToKernel, cpu, 0),
            Op::MapPage { cpu, address, source, flags } => {
                let (row, hold) = match source {
                    PageSource::New => (Row::MapNew, 0),
                    PageSource::Hold(hold) => (Row::MapHold, byte_of(hold)),
                };
                put(writer, row, cpu, 0);
                writer.byte(flags.bits() | hold << 4);
                edges.write(address.0.into(), writer);
            }
            Op::UnmapPage { cpu, address } => {
                put(writer, Row::UnmapPage, cpu, 0);
                edges.write(address.0.into(), writer);
            }
            Op::UnmapPageNoFree { cpu, address, hold } => {
                put(writer, Row::UnmapPageNoFree, cpu, 0);
                writer.byte(byte_of(hold));
                edges.write(address.0.into(), writer);
            }
            Op::GetPhysAddr { cpu, address } => {
                put(writer, Row::GetPhysAddr, cpu, 0);
                edges.write(address.0.into(), writer);
            }
            Op::AllocFrame { hold } => writer.byte(tag_of(Row::AllocFrame) + byte_of(hold)),
            Op::FreeFrame { hold } => writer.byte(tag_of(Row::FreeFrame) + byte_of(hold)),
            Op::AllocSlot => writer.byte(tag_of(Row::AllocSlot)),
            Op::FreeSlot { slot } => {
                writer.byte(tag_of(Row::FreeSlot));
                writer.signed(slot.into());
            }
            Op::MapTemp { cpu, frame, slot } => {
                match frame {
                    TempFrame::Hold(hold) => {
                        put(writer, Row::TempHold, cpu, 0);
                        writer.byte(byte_of(hold));
                    }
                    TempFrame::Behind(address) => {
                        put(writer, Row::TempBehind, cpu, 0);
                        edges.write(address.0.into(), writer);
                    }
                    TempFrame::At(address) => {
                        put(writer, Row::TempAt, cpu, 0);
                        edges.write(address.0.into(), writer);
                    }
                }
                writer.signed(slot.into());
            }
            Op::UnmapTemp { cpu, slot } => {
                put(writer, Row::UnmapTemp, cpu, 0);
                writer.signed(slot.into());
            }
            Op::Load { cpu, mode, address } => {
                put(writer, Row::Load, cpu, mode_bit(mode));
                edges.write(address.0.into(), writer);
            }
            Op::Store { cpu, mode, address, value } => {
                put(writer, Row::Store, cpu, mode_bit(mode));
                edges.write(address.0.into(), writer);
                writer.varint(value.into());
            }
            Op::SysWrite { cpu, address, count } => {
                put(writer, Row::SysWrite, cpu, 0);
                edges.write(address.0.into(), writer);
                writer.varint(count.into());
            }
            Op::SysRead { cpu, address, count, seed } => {
                put(writer, Row::SysRead, cpu, 0);
                edges.write(address.0.into(), writer);
                writer.varint(count.into());
                writer.u16(seed);
            }
            Op::ElfLoad { cpu, seed, length, ref segments } => {
                put(writer, Row::ElfLoad, cpu, segments.as_slice().len());
                writer.u16(seed);
                writer.u16(length);
                for segment in segments.as_slice() {
                    writer.byte(segment.writable.into());
                    edges.write(segment.address.0.into(), writer);
                    writer.varint(segment.offset.into());
                    writer.varint(segment.file_bytes.into());
                    writer.varint(segment.memory_bytes.into());
                }
            }
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // any address, count and slot is legal: wide ones are cut
const fn read_nothing() -> Segment {
    Segment { address: VirtualAddress(0), offset: 0, file_bytes: 0, memory_bytes: 0, writable: false }
}

/// The low bits of a tag.
fn low_bits(cpu: Cpu, upper: usize) -> u8 {
    u8::from(cpu) | u8::try_from(upper << 1 & 6).unwrap_or(0)
}
