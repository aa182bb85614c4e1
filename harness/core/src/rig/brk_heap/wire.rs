//! The wire form of brk-heap setups, version 1 and its optional parts. That of ops stands beside them in the models.

use crate::rig::Wire;
use memtwin_models::brk_heap::{
    BrkHeap, CopyOrder, EDGES, FIRST_EXTENT_BYTES, Granularity, MAX_BSS_BYTES, MAX_FRAMES, MIN_BSS_BYTES, Op,
    PAGE_BYTES, Placement, Refusal, STACK_LOW, Setup, StackLow, Storage,
};
use memtwin_models::wire::{Edges, Parts, Reader, Steps, Writer};

const REFUSALS: [Refusal; 3] = [Refusal::CurrentBreak, Refusal::Zero, Refusal::Enomem];
const SIXTEEN_PAGES: u8 = 0x04;
const DIRTY_PAGES: u8 = 0x08;
/// The optional part with the break's granularity, 1 for a byte.
const GRANULARITY: u8 = 0;
/// The optional part with the stack's distance from the lowest place that it may have, in pages.
const STACK: u8 = 1;
const PLACES: u8 = *Storage::REGISTERS.end() - *Storage::REGISTERS.start() + 2;

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
            stack_low: StackLow::default(),
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
            Granularity::Page | Granularity::Byte => 0,
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
                Storage::Saved => 0,
                Storage::X(number) => number - Storage::REGISTERS.start() + 1,
            });
        }
    }

    fn read_part(setup: &mut Setup, name: u8, part: &mut Reader<'_>) {
        match name {
            GRANULARITY if part.byte() & 1 != 0 => setup.granularity = Granularity::Byte,
            STACK => {
                let lowest = setup.heap_start() + FIRST_EXTENT_BYTES;
                let places = (STACK_LOW - lowest) / PAGE_BYTES + 1;
                setup.stack_low = StackLow(lowest + part.varint() % places * PAGE_BYTES);
            }
            _ => {}
        }
    }

    fn write_parts(setup: &Setup, parts: &mut Parts) {
        if setup.granularity == Granularity::Byte {
            parts.add(GRANULARITY, |writer| writer.byte(1));
        }
        if setup.stack_low != StackLow::default() {
            let distance = setup.stack_low.0 - setup.heap_start() - FIRST_EXTENT_BYTES;
            parts.add(STACK, |writer| writer.varint(distance / PAGE_BYTES));
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

fn read_place(reader: &mut Reader<'_>) -> Storage {
    match (reader.byte() % PLACES).checked_sub(1) {
        None => Storage::Saved,
        Some(index) => Storage::X(Storage::REGISTERS.start() + index),
    }
}
