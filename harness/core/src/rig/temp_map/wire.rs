//! The wire form of temp-map setups, version 1. That of ops stands beside them in the models.

use crate::rig::Wire;
use memtwin_models::temp_map::{EDGES, MAX_FRAMES, MIN_FRAMES, Op, PAGE_BYTES, PhysicalAddress, SLOTS, Setup, TempMap};
use memtwin_models::wire::{Edges, Reader, Steps, Writer};

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
    fn read_op(tag: u16, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Option<Op> {
        Op::read(tag, edges, reader)
    }

    fn is_later(op: &Op) -> bool {
        op.is_later()
    }

    #[inline]
    fn write_op(edges: &Edges<EDGES>, op: &Op, writer: &mut Writer<'_>) {
        op.write(edges, writer);
    }
}
