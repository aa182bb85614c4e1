//! The wire form of header_free setups and ops. The tag table of version 1 is frozen: golden files read it for ever.
//!
//! A tag's high four bits name the kind of the op; its low four bits and the low two bits of the next byte are the
//! slot; the other six bits of that byte are the op's small operand. Sizes and distances are an edge of the setup and a
//! distance.

use crate::rig::Wire;
use memtwin_models::header_free::{
    Alignment, EDGES, FaultPlan, HeaderFree, Kind, Libc, MincorePlan, Mode, Op, PAGE_BYTES, Protection,
    SLAB_OFFSET_BYTES, Setup, Side, SlabOffset, Slot, Thread,
};
use memtwin_models::wire::{Edges, LATER_TAG, Parts, Reader, Steps, Writer};

/// The rows of sixteen tags.
const ALLOC: [u8; 6] = [0, 1, 2, 3, 4, 5];
const LIBC_ALLOC: u8 = 6;
const REALLOC: u8 = 7;
const FREE: u8 = 8;
const FREE_ASIDE: u8 = 9;
const WRITE: u8 = 10;
const VERIFY: u8 = 11;
const ASK: u8 = 12;
const MAP_FOREIGN: u8 = 13;
const NEIGHBOUR: u8 = 14;
const FORGE: u8 = 15;

/// The distances of row [`FREE`] that take no bytes of their own: mostly the block itself.
const DELTAS: [u64; 15] = [0, 32, 8, 16, 1, MINUS_ONE, MINUS_HEADER, 4096, MINUS_PAGE, 28, 31, 4, 64, 2, 0x1_0000];
/// Those of row [`FREE_ASIDE`].
const MORE_DELTAS: [u64; 16] = [
    12,
    20,
    24,
    40,
    48,
    128,
    256,
    512,
    1024,
    2048,
    4095,
    4097,
    0x2000,
    8_u64.wrapping_neg(),
    16_u64.wrapping_neg(),
    1 << 63,
];
const MINUS_ONE: u64 = u64::MAX;
const MINUS_HEADER: u64 = 32_u64.wrapping_neg();
const MINUS_PAGE: u64 = 4096_u64.wrapping_neg();
/// Says that the distance follows.
const EXPLICIT: u8 = 15;

const MODES: [Mode; 4] = [Mode::LdPreload, Mode::Direct0, Mode::Direct1, Mode::LdPreload];
const PLANS: [MincorePlan; 4] =
    [MincorePlan::None, MincorePlan::Again, MincorePlan::SometimesAgain, MincorePlan::NotImplemented];

/// The rows of version 2, of 48 tags each: the low four bits are the slot, or the thread.
const LATER_ROW: u16 = 48;
const REALLOC_ASIDE: u16 = 0;
const USABLE_ASIDE: u16 = 1;
const BOOT_ALLOC: u16 = 2;
const WRITE_END: u16 = 3;
const THREAD_EXIT: u16 = 4;

/// The optional part with the plans of munmap (bits 0 and 1) and madvise (bits 2 and 3).
const PLANS_PART: u8 = 0;
/// The optional part with the distance of a SuperSlab's blocks from their lowest place, in pages.
const SLAB_PART: u8 = 1;
/// The optional part that says whether there are two arenas (bit 0).
const ARENAS_PART: u8 = 2;

impl Wire for HeaderFree {
    type Edges = Edges<EDGES>;

    fn edges(setup: &Setup) -> Self::Edges {
        // Small numbers are distances from 0; only larger ones are looked up.
        Edges::new(setup.edges(), Steps { first: 0, count: 1, length: PAGE_BYTES })
    }

    fn check_setup(setup: &Setup) -> Result<(), &'static str> {
        setup.check()
    }

    fn read_setup(reader: &mut Reader<'_>) -> Setup {
        let (flags, registry) = (reader.byte(), reader.byte());
        Setup {
            mode: MODES[usize::from(flags & 3)],
            superslab_log2: 20 + (flags >> 2 & 1),
            tiny_header: flags & 8 != 0,
            mincore: PLANS[usize::from(flags >> 4 & 3)],
            libc: if flags & 0x40 == 0 { Libc::Ledger } else { Libc::Real },
            registry_log2: 1 + registry % 4,
            ..Setup::PRELOADED
        }
    }

    fn read_part(setup: &mut Setup, name: u8, part: &mut Reader<'_>) {
        match name {
            PLANS_PART => {
                let plans = part.byte();
                (setup.munmap, setup.madvise) = (plan(plans), plan(plans >> 2));
            }
            SLAB_PART => {
                let places = (setup.last_slab_offset() - SLAB_OFFSET_BYTES) / PAGE_BYTES + 1;
                setup.slab_offset = SlabOffset(SLAB_OFFSET_BYTES + part.varint() % places * PAGE_BYTES);
            }
            ARENAS_PART => setup.two_arenas = part.byte() & 1 != 0,
            _ => {}
        }
    }

    fn write_parts(setup: &Setup, parts: &mut Parts) {
        if (setup.munmap, setup.madvise) != (FaultPlan::None, FaultPlan::None) {
            parts.add(PLANS_PART, |writer| writer.byte(plan_bits(setup.munmap) | plan_bits(setup.madvise) << 2));
        }
        if setup.slab_offset != SlabOffset::default() {
            parts.add(SLAB_PART, |writer| writer.varint((setup.slab_offset.0 - SLAB_OFFSET_BYTES) / PAGE_BYTES));
        }
        if setup.two_arenas {
            parts.add(ARENAS_PART, |writer| writer.byte(1));
        }
    }

    fn is_later(op: &Op) -> bool {
        op.is_later()
    }

    fn write_setup(setup: &Setup, writer: &mut Writer<'_>) {
        let mode = match setup.mode {
            Mode::LdPreload => 0,
            Mode::Direct0 => 1,
            Mode::Direct1 => 2,
        };
        let plan = match setup.mincore {
            MincorePlan::None => 0,
            MincorePlan::Again => 1,
            MincorePlan::SometimesAgain => 2,
            MincorePlan::NotImplemented => 3,
        };
        let libc = match setup.libc {
            Libc::Ledger => 0,
            Libc::Real => 0x40,
        };
        let header = if setup.tiny_header { 8 } else { 0 };
        writer.byte(mode | (setup.superslab_log2 - 20) << 2 | header | plan << 4 | libc);
        writer.byte(setup.registry_log2 - 1);
    }

    #[inline]
    fn read_op(tag: u16, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Option<Op> {
        let Ok(tag) = u8::try_from(tag) else { return read_later(tag - LATER_TAG, edges, reader) };
        let more = reader.byte();
        let slot = Slot::new_folded(tag & 0xf | (more & 3) << 4);
        let operand = more >> 2;
        Some(match tag >> 4 {
            row @ 0..=5 => {
                let align = Alignment::from_exponent_folded(operand);
                Op::Alloc { slot, kind: Kind::ALL[usize::from(row)], size: edges.read(reader), align }
            }
            LIBC_ALLOC => {
                let align = Alignment::from_exponent_folded(operand);
                Op::LibcAlloc { slot, size: edges.read(reader), align }
            }
            REALLOC => Op::Realloc { slot, size: edges.read(reader), delta: 0 },
            FREE => {
                let explicit = operand >> 2 == EXPLICIT;
                let delta = if explicit { edges.read(reader) } else { DELTAS[usize::from(operand >> 2)] };
                Op::Free { slot, delta, thread: Thread::new_folded(operand) }
            }
            FREE_ASIDE => {
                Op::Free { slot, delta: MORE_DELTAS[usize::from(operand >> 2)], thread: Thread::new_folded(operand) }
            }
            WRITE => {
                #[allow(clippy::cast_possible_truncation)]
                // any seed and any length is legal: the program cuts the length
                let (seed, length) = ((reader.varint() << 6) as u16 | u16::from(operand), reader.varint() as u32);
                Op::Write { slot, seed, length }
            }
            VERIFY => Op::Verify { slot },
            ASK => match operand & 3 {
                0 | 3 => Op::UsableSize { slot, delta: 0 },
                1 => Op::RetireSuperslab { slot },
                _ => Op::Stats,
            },
            MAP_FOREIGN => Op::MapForeign { slot, beside: Slot::new_folded(operand) },
            NEIGHBOUR => {
                let side = if operand & 1 == 0 { Side::Before } else { Side::After };
                match operand >> 1 & 3 {
                    0 => Op::ProtectNeighbour { slot, side, protection: Protection::None },
                    1 => Op::ProtectNeighbour { slot, side, protection: Protection::Read },
                    2 => Op::ProtectNeighbour { slot, side, protection: Protection::ReadWrite },
                    _ => Op::UnmapNeighbour { slot, side },
                }
            }
            _ => {
                #[allow(clippy::cast_possible_truncation)] // any offset is legal
                let offset = reader.varint() as u32;
                Op::Forge { slot, offset, method: Kind::ALL[usize::from(operand % 6)] }
            }
        })
    }

    #[inline]
    fn write_op(edges: &Edges<EDGES>, op: &Op, writer: &mut Writer<'_>) {
        let slot = op.slot().map_or(0, u8::from);
        if op.is_later() {
            return write_later(edges, op, writer);
        }
        let mut head = |row: u8, operand: u8| {
            writer.tag((row << 4 | slot & 0xf).into());
            writer.byte(operand << 2 | slot >> 4);
        };
        match *op {
            Op::Alloc { kind, size, align, .. } => {
                head(ALLOC[kind as usize], align.exponent());
                edges.write(size, writer);
            }
            Op::LibcAlloc { size, align, .. } => {
                head(LIBC_ALLOC, align.exponent());
                edges.write(size, writer);
            }
            Op::Realloc { size, .. } => {
                head(REALLOC, 0);
                edges.write(size, writer);
            }
            Op::Free { delta, thread, .. } => {
                if let Some(index) = index_of(&DELTAS, delta) {
                    head(FREE, index << 2 | thread.index());
                } else if let Some(index) = index_of(&MORE_DELTAS, delta) {
                    head(FREE_ASIDE, index << 2 | thread.index());
                } else {
                    head(FREE, EXPLICIT << 2 | thread.index());
                    edges.write(delta, writer);
                }
            }
            Op::Write { seed, length, .. } => {
                head(WRITE, (seed & 0x3f).to_le_bytes()[0]);
                writer.varint(u64::from(seed >> 6));
                writer.varint(u64::from(length));
            }
            Op::Verify { .. } => head(VERIFY, 0),
            Op::UsableSize { .. } => head(ASK, 0),
            Op::RetireSuperslab { .. } => head(ASK, 1),
            Op::Stats => head(ASK, 2),
            Op::MapForeign { beside, .. } => head(MAP_FOREIGN, u8::from(beside)),
            Op::ProtectNeighbour { side, protection, .. } => {
                let protection = match protection {
                    Protection::None => 0,
                    Protection::Read => 1,
                    Protection::ReadWrite => 2,
                };
                head(NEIGHBOUR, side_bit(side) | protection << 1);
            }
            Op::UnmapNeighbour { side, .. } => head(NEIGHBOUR, side_bit(side) | 3 << 1),
            Op::Forge { offset, method, .. } => {
                head(FORGE, ALLOC[method as usize]);
                writer.varint(u64::from(offset));
            }
            // They are written in their own way.
            Op::BootAlloc { .. } | Op::ThreadExit { .. } | Op::WriteEnd { .. } => {}
        }
    }
}

#[cold]
fn read_later(later: u16, edges: &Edges<EDGES>, reader: &mut Reader<'_>) -> Option<Op> {
    let low = (later % 16).to_le_bytes()[0];
    let row = later / LATER_ROW;
    if row == THREAD_EXIT {
        return Some(Op::ThreadExit { thread: Thread::new_folded(low) });
    }
    let more = reader.byte();
    let (slot, operand) = (Slot::new_folded(low | (more & 3) << 4), more >> 2);
    let delta = |reader: &mut Reader<'_>| match usize::from(operand % 32) {
        index if index < DELTAS.len() => DELTAS[index],
        index => index.checked_sub(16).map_or_else(|| edges.read(reader), |index| MORE_DELTAS[index]),
    };
    Some(match row {
        REALLOC_ASIDE => {
            let delta = delta(reader);
            Op::Realloc { slot, delta, size: edges.read(reader) }
        }
        USABLE_ASIDE => Op::UsableSize { slot, delta: delta(reader) },
        BOOT_ALLOC => Op::BootAlloc { slot, size: edges.read(reader) },
        WRITE_END => {
            #[allow(clippy::cast_possible_truncation)]
            // any seed and any length is legal: the program cuts the length
            let (seed, length) = ((reader.varint() << 6) as u16 | u16::from(operand), reader.varint() as u32);
            Op::WriteEnd { slot, seed, length }
        }
        _ => return None,
    })
}

#[cold]
fn write_later(edges: &Edges<EDGES>, op: &Op, writer: &mut Writer<'_>) {
    let slot = op.slot().map_or(0, u8::from);
    let tag = |row: u16, low: u8| LATER_TAG + row * LATER_ROW + u16::from(low & 0xf);
    let mut head = |row: u16, operand: u8| {
        writer.tag(tag(row, slot));
        writer.byte(operand << 2 | slot >> 4);
    };
    let place = |delta: u64| {
        let more = || index_of(&MORE_DELTAS, delta).map(|index| index + 16);
        index_of(&DELTAS, delta).or_else(more).unwrap_or(EXPLICIT)
    };
    match *op {
        Op::Realloc { size, delta, .. } => {
            head(REALLOC_ASIDE, place(delta));
            if place(delta) == EXPLICIT {
                edges.write(delta, writer);
            }
            edges.write(size, writer);
        }
        Op::UsableSize { delta, .. } => {
            head(USABLE_ASIDE, place(delta));
            if place(delta) == EXPLICIT {
                edges.write(delta, writer);
            }
        }
        Op::BootAlloc { size, .. } => {
            head(BOOT_ALLOC, 0);
            edges.write(size, writer);
        }
        Op::WriteEnd { seed, length, .. } => {
            head(WRITE_END, (seed & 0x3f).to_le_bytes()[0]);
            writer.varint(u64::from(seed >> 6));
            writer.varint(u64::from(length));
        }
        Op::ThreadExit { thread } => writer.tag(tag(THREAD_EXIT, thread.index())),
        Op::Alloc { .. }
        | Op::Write { .. }
        | Op::Verify { .. }
        | Op::Free { .. }
        | Op::LibcAlloc { .. }
        | Op::MapForeign { .. }
        | Op::ProtectNeighbour { .. }
        | Op::UnmapNeighbour { .. }
        | Op::Forge { .. }
        | Op::RetireSuperslab { .. }
        | Op::Stats => {}
    }
}

/// The plan that two bits name.
const fn plan(bits: u8) -> FaultPlan {
    match bits & 3 {
        1 => FaultPlan::Always,
        2 => FaultPlan::Sometimes,
        _ => FaultPlan::None,
    }
}

const fn plan_bits(plan: FaultPlan) -> u8 {
    match plan {
        FaultPlan::None => 0,
        FaultPlan::Always => 1,
        FaultPlan::Sometimes => 2,
    }
}

const fn side_bit(side: Side) -> u8 {
    match side {
        Side::Before => 0,
        Side::After => 1,
    }
}

/// The index of a distance in a table of at most sixteen.
#[inline]
fn index_of(table: &[u64], delta: u64) -> Option<u8> {
    (0..).zip(table).find(|(_, known)| **known == delta).map(|(index, _)| index)
}
