//! The wire form of heap setups, version 1. That of ops stands beside them in the models.

use crate::rig::Wire;
use memtwin_models::heap::{
    BOUNDARY_BYTES, EDGES, Fault, Fill, Heap, MAX_REGION_BYTES, MAX_SECOND_BYTES, Op, Request, SecondRegion, Setup,
};
use memtwin_models::wire::{Edges, Reader, Steps, Writer};

const SECOND: u8 = 0x10;
const FAULT: u8 = 0x20;
const LASTS: u8 = 0x04;
/// Below it, sizes are distances from 0; larger ones are written relative to the nearest edge.
const SMALL_BYTES: u64 = 256;

/// A number below `limit`, kept where it is, folded where it is not.
#[allow(clippy::cast_possible_truncation)] // below a limit of 32 bits
fn folded(number: u64, limit: u32) -> u32 {
    (number % u64::from(limit)) as u32
}

impl Wire for Heap {
    type Edges = Edges<EDGES>;

    fn edges(setup: &Setup) -> Self::Edges {
        Edges::new(setup.edges(), Steps { first: 0, count: 1, length: SMALL_BYTES })
    }

    fn check_setup(setup: &Setup) -> Result<(), &'static str> {
        setup.check()
    }

    #[allow(clippy::cast_possible_truncation)] // below limits of at most 32 bits
    fn read_setup(reader: &mut Reader<'_>) -> Setup {
        let flags = reader.byte();
        Setup {
            threads: 1 + (flags & 3),
            memory_holds: Fill::ALL[usize::from(flags >> 2 & 3)],
            skew_bytes: folded(reader.varint(), BOUNDARY_BYTES as u32),
            first_bytes: 1 + folded(reader.varint(), MAX_REGION_BYTES),
            extend_bytes: folded(reader.varint(), MAX_REGION_BYTES + 1),
            second: (flags & SECOND != 0).then(|| SecondRegion {
                gap_bytes: 1 + folded(reader.varint(), MAX_SECOND_BYTES),
                bytes: 1 + folded(reader.varint(), MAX_SECOND_BYTES),
            }),
            fault: (flags & FAULT != 0).then(|| {
                let what = reader.byte();
                Fault {
                    request: Request::ALL[usize::from(what & 3) % Request::ALL.len()],
                    lasts: what & LASTS != 0,
                    after: folded(reader.varint(), 1 << 16) as u16,
                }
            }),
        }
    }

    fn write_setup(setup: &Setup, writer: &mut Writer<'_>) {
        let Setup { threads, skew_bytes, first_bytes, extend_bytes, second, memory_holds, fault } = setup;
        let holds = match memory_holds {
            Fill::Zeros => 0,
            Fill::Ones => 1,
            Fill::Freed => 2,
            Fill::Letters => 3,
        };
        let has = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
        writer.byte((threads - 1) | holds << 2 | has(second.is_some(), SECOND) | has(fault.is_some(), FAULT));
        writer.varint(u64::from(*skew_bytes));
        writer.varint(u64::from(first_bytes - 1));
        writer.varint(u64::from(*extend_bytes));
        if let Some(SecondRegion { gap_bytes, bytes }) = second {
            writer.varint(u64::from(gap_bytes - 1));
            writer.varint(u64::from(bytes - 1));
        }
        if let Some(Fault { request, after, lasts }) = fault {
            let request = match request {
                Request::Map => 0,
                Request::Unmap => 1,
                Request::Advise => 2,
            };
            writer.byte(request | has(*lasts, LASTS));
            writer.varint(u64::from(*after));
        }
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
