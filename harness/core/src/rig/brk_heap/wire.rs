//! The wire form of brk-heap setups and ops, version 1. The tag table is frozen: golden files read it for ever.
//!
//! An op's tag names its kind and, in its low four bits, its slot; for `raw_brk` the low two bits name the request. Sizes
//! and addresses are an edge of the setup and a distance.

use crate::rig::Wire;
use memtwin_models::brk_heap::{
    Alignment, BrkHeap, BrkRequest, CopyOrder, EDGES, Granularity, GuestAddress, MAX_BSS_BYTES, MAX_FRAMES,
    MIN_BSS_BYTES, Op, OpKind, PAGE_BYTES, Place, Placement, Refusal, Setup, Slot,
};
use memtwin_models::wire::{Edges, Reader, Steps, Writer};

/// The kind of each row of sixteen tags. Frequent kinds have more rows.
const ROWS: [OpKind; 16] = [
    OpKind::Alloc,
    OpKind::Alloc,
    OpKind::Alloc,
    OpKind::AllocZeroed,
    OpKind::AllocZeroed,
    OpKind::Realloc,
    OpKind::Realloc,
    OpKind::Dealloc,
    OpKind::Write,
    OpKind::Write,
    OpKind::Verify,
    OpKind::Verify,
    OpKind::PushString,
    OpKind::PushString,
    OpKind::PushVec,
    OpKind::RawBrk,
];

/// For each kind its first tag.
const FIRST_TAG: [u8; OpKind::ALL.len()] = [0, 48, 80, 112, 128, 160, 192, 224, 240];

const REFUSALS: [Refusal; 3] = [Refusal::CurrentBreak, Refusal::Zero, Refusal::Enomem];
const SIXTEEN_PAGES: u8 = 0x04;
const DIRTY_PAGES: u8 = 0x08;
const PLACES: u8 = *Place::REGISTERS.end() - *Place::REGISTERS.start() + 2;

/// A number below `limit`, kept where it is, folded where it is not.
#[allow(clippy::cast_possible_truncation)] // below a limit of 32 bits
fn folded(number: u64, limit: u32) -> u32 {
    (number % u64::from(limit)) as u32
}

impl Wire for BrkHeap {
    type Edges = Edges<EDGES>;

    fn edges(setup: &Setup) -> Self::Edges {
        // Small sizes are distances from 0; only larger ones are looked up.
        Edges::new(setup.edges(), Steps { first: 0, count: 1, length: PAGE_BYTES })
    }

    fn check_setup(setup: &Setup) -> Result<(), &'static str> {
        setup.check()
    }

    fn read_setup(reader: &mut Reader<'_>) -> Setup {
        let flags = reader.byte();
        let order = (flags >> 4) % 5;
        let setup = Setup {
            refusal: REFUSALS[usize::from(flags & 3) % REFUSALS.len()],
            granularity: if flags & SIXTEEN_PAGES == 0 { Granularity::Page } else { Granularity::SixteenPages },
            dirty_pages: flags & DIRTY_PAGES != 0,
            copy_order: order.checked_sub(1).map_or(CopyOrder::Ascending, |first| CopyOrder::UnrolledBy4 { first }),
            bss_bytes: MIN_BSS_BYTES + folded(reader.varint(), MAX_BSS_BYTES - MIN_BSS_BYTES + 1),
            frames: 1 + folded(reader.varint(), MAX_FRAMES),
            placement: Placement {
                size: read_place(reader),
                mask: read_place(reader),
                head: read_place(reader),
                new_head: read_place(reader),
                new_end: read_place(reader),
            },
        };
        let placement = if setup.placement.clashes() { Placement::default() } else { setup.placement };
        Setup { placement, ..setup }
    }

    fn write_setup(setup: &Setup, writer: &mut Writer<'_>) {
        let refusal = match setup.refusal {
            Refusal::CurrentBreak => 0,
            Refusal::Zero => 1,
            Refusal::Enomem => 2,
        };
        let granularity = match setup.granularity {
            Granularity::Page => 0,
            Granularity::SixteenPages => SIXTEEN_PAGES,
        };
        let order = match setup.copy_order {
            CopyOrder::Ascending => 0,
            CopyOrder::UnrolledBy4 { first } => (first + 1) << 4,
        };
        writer.byte(refusal | granularity | if setup.dirty_pages { DIRTY_PAGES } else { 0 } | order);
        writer.varint(u64::from(setup.bss_bytes - MIN_BSS_BYTES));
        writer.varint(u64::from(setup.frames - 1));
        let Placement { size, mask, head, new_head, new_end } = setup.placement;
        for place in [size, mask, head, new_head, new_end] {
            writer.byte(match place {
                Place::Saved => 0,
                Place::X(number) => number - Place::REGISTERS.start() + 1,
            });
        }
    }

    #[inline]
    fn read_op(edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Option<Op> {
        let tag = reader.next_byte()?;
        let slot = Slot::new_folded(tag);
        Some(match ROWS[usize::from(tag / 16)] {
            OpKind::Alloc => {
                let align = Alignment::from_exponent_folded(reader.byte());
                Op::Alloc { slot, size: edges.read(reader), align }
            }
            OpKind::AllocZeroed => {
                let align = Alignment::from_exponent_folded(reader.byte());
                Op::AllocZeroed { slot, size: edges.read(reader), align }
            }
            OpKind::Realloc => Op::Realloc { slot, size: edges.read(reader) },
            OpKind::Dealloc => Op::Dealloc { slot },
            OpKind::Write => {
                let seed = reader.u16();
                #[allow(clippy::cast_possible_truncation)] // any length is legal: the program cuts it
                Op::Write { slot, seed, length: reader.varint() as u32 }
            }
            OpKind::Verify => Op::Verify { slot },
            OpKind::PushString => Op::PushString { slot, seed: reader.u16(), length: reader.byte() },
            OpKind::PushVec => Op::PushVec { slot, seed: reader.u16(), length: reader.byte() },
            OpKind::RawBrk => Op::RawBrk {
                request: match tag % 4 {
                    0 => BrkRequest::Query,
                    #[allow(clippy::cast_possible_truncation)] // any growth is legal
                    1 => BrkRequest::Grow(reader.varint() as u32),
                    2 => BrkRequest::GiveBack,
                    _ => BrkRequest::At(GuestAddress(edges.read(reader))),
                },
            },
        })
    }

    #[inline]
    fn write_op(edges: &Edges<EDGES>, op: &Op, writer: &mut Writer<'_>) {
        let first = FIRST_TAG[op.kind() as usize];
        #[allow(clippy::cast_possible_truncation)] // below 16
        let slot = op.slot().map_or(0, |slot| slot.index() as u8);
        let tag = first + slot;
        match *op {
            Op::Alloc { size, align, .. } | Op::AllocZeroed { size, align, .. } => {
                writer.byte(tag);
                writer.byte(align.exponent());
                edges.write(size, writer);
            }
            Op::Realloc { size, .. } => {
                writer.byte(tag);
                edges.write(size, writer);
            }
            Op::Dealloc { .. } | Op::Verify { .. } => writer.byte(tag),
            Op::Write { seed, length, .. } => {
                writer.byte(tag);
                writer.u16(seed);
                writer.varint(u64::from(length));
            }
            Op::PushString { seed, length, .. } | Op::PushVec { seed, length, .. } => {
                writer.byte(tag);
                writer.u16(seed);
                writer.byte(length);
            }
            Op::RawBrk { request } => match request {
                BrkRequest::Query => writer.byte(first),
                BrkRequest::Grow(bytes) => {
                    writer.byte(first + 1);
                    writer.varint(u64::from(bytes));
                }
                BrkRequest::GiveBack => writer.byte(first + 2),
                BrkRequest::At(address) => {
                    writer.byte(first + 3);
                    edges.write(address.0, writer);
                }
            },
        }
    }
}

fn read_place(reader: &mut Reader<'_>) -> Place {
    match (reader.byte() % PLACES).checked_sub(1) {
        None => Place::Saved,
        Some(index) => Place::X(Place::REGISTERS.start() + index),
    }
}
