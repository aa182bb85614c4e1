//! The wire forms of ops that version 1 packs as no derive should know: two operands in one byte, rows of tags that an
//! operand chooses, a list whose length is in the tag. A reader is given the tag less the op's first; a writer is given
//! the first.

use super::address::VirtualAddress;
use super::op::Op;
use super::operands::{Cpu, Hold, MAX_SEGMENTS, PageFlags, PageSource, Process, Segment, Segments, TempFrame};
use super::setup::EDGES;
use crate::operand::Operand;
use crate::wire::{Edges, Reader, Writer};

/// The tags of a row. The lowest bit of an offset in it is the processor.
const ROW: u8 = 8;

#[inline]
pub(super) fn read_create(tag: u8, _edges: &Edges<EDGES>, _reader: &mut Reader<'_>) -> Op {
    Op::Create { process: Process::new_folded(tag >> 1) }
}

#[inline]
pub(super) fn write_create(first: u8, process: Process, _edges: &Edges<EDGES>, writer: &mut Writer<'_>) {
    writer.tag((first + (u8::from(process) << 1)).into());
}

#[inline]
pub(super) fn read_fork(tag: u8, _edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Op {
    let pair = reader.byte();
    Op::Fork { cpu: cpu(tag), parent: Process::new_folded(pair), child: Process::new_folded(pair >> 2) }
}

#[inline]
pub(super) fn write_fork(
    first: u8,
    cpu: Cpu,
    parent: Process,
    child: Process,
    _edges: &Edges<EDGES>,
    writer: &mut Writer<'_>,
) {
    writer.tag((first + u8::from(cpu)).into());
    writer.byte(u8::from(parent) | u8::from(child) << 2);
}

/// Two rows with a new frame, and one with a variable's, which shares a byte with the flags.
#[inline]
pub(super) fn read_map_page(tag: u8, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Op {
    let byte = reader.byte();
    let source = if tag < 2 * ROW { PageSource::New } else { PageSource::Hold(Hold::new_folded(byte >> 4)) };
    let flags = PageFlags::from_bits_folded(byte);
    Op::MapPage { cpu: cpu(tag), address: Operand::read(edges, reader), source, flags }
}

#[inline]
pub(super) fn write_map_page(
    first: u8,
    cpu: Cpu,
    address: VirtualAddress,
    source: PageSource,
    flags: PageFlags,
    edges: &Edges<EDGES>,
    writer: &mut Writer<'_>,
) {
    let (row, hold) = match source {
        PageSource::New => (0, 0),
        PageSource::Hold(hold) => (2 * ROW, u8::from(hold)),
    };
    writer.tag((first + row + u8::from(cpu)).into());
    writer.byte(flags.bits() | hold << 4);
    address.write(edges, writer);
}

/// A row for each form of the frame.
#[inline]
pub(super) fn read_map_temp(tag: u8, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Op {
    let frame = match tag / ROW {
        0 => TempFrame::Hold(Operand::read(edges, reader)),
        1 => TempFrame::Behind(Operand::read(edges, reader)),
        _ => TempFrame::At(Operand::read(edges, reader)),
    };
    Op::MapTemp { cpu: cpu(tag), frame, slot: Operand::read(edges, reader) }
}

#[inline]
pub(super) fn write_map_temp(
    first: u8,
    cpu: Cpu,
    frame: TempFrame,
    slot: i32,
    edges: &Edges<EDGES>,
    writer: &mut Writer<'_>,
) {
    let first = first + u8::from(cpu);
    match frame {
        TempFrame::Hold(hold) => {
            writer.tag(first.into());
            hold.write(edges, writer);
        }
        TempFrame::Behind(address) => {
            writer.tag((first + ROW).into());
            address.write(edges, writer);
        }
        TempFrame::At(address) => {
            writer.tag((first + 2 * ROW).into());
            address.write(edges, writer);
        }
    }
    slot.write(edges, writer);
}

/// The number of segments is in the tag, above the processor.
#[inline]
pub(super) fn read_elf_load(tag: u8, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Op {
    let (seed, length) = (reader.u16(), reader.u16());
    let mut list = [Segment::EMPTY; MAX_SEGMENTS];
    let count = usize::from(tag >> 1) % (MAX_SEGMENTS + 1);
    for segment in &mut list[..count] {
        *segment = Segment {
            writable: reader.byte() & 1 != 0,
            address: Operand::read(edges, reader),
            offset: Operand::read(edges, reader),
            file_bytes: Operand::read(edges, reader),
            memory_bytes: Operand::read(edges, reader),
        };
    }
    Op::ElfLoad { cpu: cpu(tag), seed, length, segments: Segments::of(&list[..count]) }
}

#[inline]
pub(super) fn write_elf_load(
    first: u8,
    cpu: Cpu,
    seed: u16,
    length: u16,
    segments: Segments,
    edges: &Edges<EDGES>,
    writer: &mut Writer<'_>,
) {
    writer.tag((first + u8::from(cpu) + segments.count() * 2).into());
    writer.u16(seed);
    writer.u16(length);
    for Segment { address, offset, file_bytes, memory_bytes, writable } in segments.as_slice() {
        writer.byte((*writable).into());
        address.write(edges, writer);
        offset.write(edges, writer);
        file_bytes.write(edges, writer);
        memory_bytes.write(edges, writer);
    }
}

#[inline]
fn cpu(tag: u8) -> Cpu {
    Cpu::new_folded(tag)
}
