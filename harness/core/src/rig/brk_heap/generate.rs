//! Draws brk-heap traces: swarm weights for each trace, few frames most of the time so that refusals happen, small
//! blocks, and now and then a size round an edge.

use crate::random::Random;
use crate::rig::weighted::WeightedTable;
use crate::rig::{Drawn, Generator};
use memtwin_models::brk_heap::{
    Alignment, BrkHeap, BrkHeapContract, BrkRequest, CopyOrder, EDGES, FIRST_EXTENT_BYTES, Granularity, GuestAddress,
    MAX_BSS_BYTES, MAX_FRAMES, MAX_SHOWN_BYTES, MIN_BSS_BYTES, Op, OpKind, PAGE_BYTES, Placement, Refusal, SLOTS,
    STACK_LOW, Setup, Size, Slot, StackLow, Storage,
};
use memtwin_models::vocabulary::told;

/// The relative weight of each kind before the swarm has its say, in the order of [`OpKind::ALL`].
const WEIGHTS: [u32; OpKind::ALL.len()] = [40, 16, 32, 20, 40, 32, 32, 16, 8, 8, 6, 3, 16, 20, 16];

/// The generator.
#[derive(Debug)]
pub struct BrkHeapGenerator {
    contract: BrkHeapContract,
    edges: [u64; EDGES],
    kinds: WeightedTable<OpKind>,
    /// The bits of an ordinary size.
    size_bits: u32,
    /// One in this many sizes lies round an edge.
    wild_one_in: u32,
    /// How many slots the trace uses.
    slots: u32,
    /// The slot of the op before.
    last_slot: Slot,
    /// Whether blocks are drawn that are larger than what a look shows.
    has_large: bool,
    /// Whether ops that came later than version 1 are drawn.
    has_later: bool,
}

impl Generator<BrkHeap> for BrkHeapGenerator {
    const DRAWN: Drawn = Drawn {
        weights: &WEIGHTS,
        sentences: &[
            (&["setup"], SETUP),
            (&["trace"], Self::SWARM),
            (
                &["slot"],
                "Any of the first 2, 4, 8 or 16, as many as the trace uses; in one op of four that of the op before.",
            ),
            (&["size"], Self::SIZE),
            (&["align"], ALIGNMENT),
            (&["seed"], "Below 1,024."),
            (
                &["write", "write_end"],
                "One `length` in 16 is 65,536, the others are at most the trace's largest ordinary size.",
            ),
            (&["push_string", "push_vec"], "`length` is below 256, halved 0 to 7 times."),
            (&["request"], Self::REQUEST),
        ],
    };

    fn new(contract: &BrkHeapContract) -> Self {
        BrkHeapGenerator {
            contract: *contract,
            edges: [0; EDGES],
            kinds: WeightedTable::of(OpKind::Alloc),
            size_bits: 8,
            wild_one_in: 64,
            slots: SLOTS.into(),
            last_slot: Slot::new_folded(0),
            has_large: false,
            has_later: false,
        }
    }

    fn setup(&mut self, random: &mut Random) -> Setup {
        draw_setup(random)
    }

    fn begin(&mut self, setup: &Setup, random: &mut Random) {
        self.begin_trace(setup, random);
    }

    fn draws_later(&self) -> bool {
        self.has_later
    }

    #[allow(clippy::cast_possible_truncation)] // random bits are cut to what is asked for
    fn op(&mut self, random: &mut Random) -> Op {
        // One draw serves the kind, the slot, the seed and a length.
        let bits = random.bits();
        let kind = self.kinds.at(bits.to_le_bytes()[0]);
        let any_slot = Slot::new_folded((bits >> 8) as u8 % self.slots as u8);
        let slot = if bits >> 56 & 3 == 0 { self.last_slot } else { any_slot };
        self.last_slot = slot;
        let seed = (bits >> 16) as u16 & 0x3ff;
        let short = (bits >> 32) as u8;
        match kind {
            OpKind::Alloc => Op::Alloc { slot, size: self.size(random), align: draw_alignment(random) },
            OpKind::AllocZeroed => Op::AllocZeroed { slot, size: self.size(random), align: draw_alignment(random) },
            OpKind::Realloc => Op::Realloc { slot, size: self.size(random) },
            OpKind::Dealloc => Op::Dealloc { slot },
            OpKind::Write | OpKind::WriteEnd => {
                let length =
                    if short < 16 { MAX_SHOWN_BYTES } else { (bits >> 40) as u32 & ((1 << self.size_bits) - 1) };
                if kind == OpKind::Write {
                    Op::Write { slot, seed, length }
                } else {
                    Op::WriteEnd { slot, seed, length }
                }
            }
            OpKind::Verify => Op::Verify { slot },
            OpKind::VerifyEnd => Op::VerifyEnd { slot },
            OpKind::PushString => Op::PushString { slot, seed, length: short >> (bits >> 61) },
            OpKind::PushVec => Op::PushVec { slot, seed, length: short >> (bits >> 61) },
            OpKind::RawBrk => Op::RawBrk { request: self.request(random) },
            OpKind::VerifyRawBrk => Op::VerifyRawBrk,
            OpKind::Fork => Op::Fork,
            OpKind::Exec => Op::Exec,
            OpKind::ReallocAligned => {
                Op::ReallocAligned { slot, size: self.size(random), align: draw_alignment(random) }
            }
        }
    }
}

impl BrkHeapGenerator {
    /// Each kind's weight is multiplied by 0, 1, 1, 2 or 4, drawn for each trace, so that a trace leaves some kinds out
    /// and favours others; but some kind allocates. Without the other user of `brk` nothing is asked of it. Ordinary
    /// sizes of a trace have up to 5, 6, 8, 8, 10, 12 or 15 bits. Processes, new alignments, another user's look and
    /// blocks' ends are in one trace of two; in one of eight of those that have room for four times 64 KiB, half of the
    /// ordinary sizes are 64 KiB and up to 64 KiB more.
    #[told(SWARM)]
    fn begin_trace(&mut self, setup: &Setup, random: &mut Random) {
        self.edges = setup.edges();
        self.last_slot = Slot::new_folded(0);
        self.size_bits = random.choose(&[5, 6, 8, 8, 10, 12, 15]);
        self.wild_one_in = random.choose(&[8, 24, 64, 256]);
        self.slots = random.choose(&[2, 4, 8, SLOTS.into()]);
        let mut weights = WEIGHTS;
        for weight in &mut weights {
            *weight *= random.choose(&[0, 1, 1, 2, 4]);
        }
        self.has_later = random.one_in(2);
        let has_room = 4 * u64::from(MAX_SHOWN_BYTES) <= u64::from(setup.frames) * PAGE_BYTES;
        self.has_large = self.has_later && has_room && random.one_in(8);
        let mut leave_out = |kinds: &[OpKind]| kinds.iter().for_each(|kind| weights[*kind as usize] = 0);
        if self.contract.no_raw_brk {
            leave_out(&[OpKind::RawBrk, OpKind::VerifyRawBrk]);
        }
        if self.contract.no_processes || !self.has_later {
            leave_out(&[OpKind::Fork, OpKind::Exec]);
        }
        if self.contract.no_new_alignment || !self.has_later {
            leave_out(&[OpKind::ReallocAligned]);
        }
        if !self.has_later {
            leave_out(&[OpKind::VerifyRawBrk, OpKind::WriteEnd, OpKind::VerifyEnd]);
        }
        // Without blocks there is nothing to see.
        if weights[OpKind::Alloc as usize] + weights[OpKind::AllocZeroed as usize] == 0 {
            weights[OpKind::Alloc as usize] = WEIGHTS[OpKind::Alloc as usize];
        }
        self.kinds.fill(&weights, OpKind::ALL);
    }

    /// As many bits as chance says, up to those of the trace; in a trace, one size in 8, 24, 64 or 256 lies up to 511
    /// bytes round an edge of the setup instead.
    #[told(SIZE)]
    fn size(&self, random: &mut Random) -> Size {
        if random.one_in(self.wild_one_in) {
            let edge = random.choose(&self.edges);
            return Size(edge.wrapping_add(random.magnitude(9)).wrapping_sub(random.magnitude(9)));
        }
        if self.has_large && random.one_in(2) {
            return Size(u64::from(MAX_SHOWN_BYTES) + random.magnitude(16));
        }
        Size(random.magnitude(self.size_bits))
    }

    /// Of the other user's calls one in 8 asks, three grow (one by up to 96 KiB, one by what lies round a page or 64
    /// KiB or by nothing, one by any number, mostly one that the frames suffice for), two give back, and two name a
    /// break: the first page or round an edge beyond the heap. One in 4,096 of these names an address in the heap, from
    /// where on the contract says nothing.
    #[told(REQUEST)]
    fn request(&self, random: &mut Random) -> BrkRequest {
        match random.below(8) {
            0 => BrkRequest::Query,
            1 => BrkRequest::Grow(random.below(0x1_8000)),
            // Round the borders that the kernel rounds to, and nothing at all.
            2 => BrkRequest::Grow(random.choose(&[0, 0, 1, 0xfff, 0x1000, 0x1001, 0xffff, 0x1_0000, 0x1_0001])),
            // As much as there may be: many pages, and many to be given back.
            3 if random.one_in(2) => BrkRequest::Grow(random.below(u32::try_from(self.edges[6]).unwrap_or(u32::MAX))),
            3 => BrkRequest::Grow(u32::try_from(random.magnitude(32)).unwrap_or(u32::MAX)),
            4 | 5 => BrkRequest::GiveBack,
            _ if random.one_in(4096) => BrkRequest::At(GuestAddress(self.edges[3] + random.magnitude(17))),
            _ => {
                // Edges beyond the guest, and the first page.
                let edge = self.edges[random.choose(&[0, 8, 9, 10, 11, 11, 12, 12])];
                let above = random.magnitude(11);
                let below = if edge == 0 { 0 } else { random.magnitude(11) };
                BrkRequest::At(GuestAddress(edge.saturating_add(above).saturating_sub(below)))
            }
        }
    }
}

/// Nine in sixteen are 1 to 16, four are 8, two are 32 to 8,192, and one is any power of two.
#[told(ALIGNMENT)]
fn draw_alignment(random: &mut Random) -> Alignment {
    let exponent = match random.below(16) {
        0 => random.below(64),
        1 | 2 => 5 + random.below(9),
        3..=6 => 3,
        _ => random.below(5),
    };
    Alignment::from_exponent_folded(exponent.to_le_bytes()[0])
}

/// Locals in the registers that gates are known to lose, and in others.
fn draw_placement(random: &mut Random) -> Placement {
    let mut place = || match random.below(6) {
        0 => Storage::X(9),
        1 => Storage::X(10),
        2 => Storage::X(11),
        3 => {
            let (first, last) = (*Storage::REGISTERS.start(), *Storage::REGISTERS.end());
            Storage::X(first + random.below(u32::from(last - first) + 1).to_le_bytes()[0])
        }
        _ => Storage::Saved,
    };
    let placement = Placement { size: place(), mask: place(), head: place(), new_head: place(), new_end: place() };
    if placement.clashes() { Placement::default() } else { placement }
}

/// Half of the programs have the smallest .bss, a quarter a page more, the others any. In six setups of sixteen the
/// heap may have 16 to 32 pages, in four 48 to 256, in two 1 to 16, in two 16 to 31, in one 1 to 512, in one 2,048 or
/// 4,096. Each answer of a refusal is as likely as another; a break in four is rounded up to 64 KiB, and one stays as
/// it is; half of the kernels hand out dirty pages. Two copies in three are unrolled. A quarter of the programs keep
/// all locals on the stack, a quarter where the reported build has them, the others some on the stack and some in x9,
/// x10, x11 or any of x9 to x28. The stack begins up to 80 pages above the lowest place that it may have in one program
/// of four.
#[told(SETUP)]
fn draw_setup(random: &mut Random) -> Setup {
    let bss_bytes = match random.below(4) {
        0 => MIN_BSS_BYTES + random.below(MAX_BSS_BYTES - MIN_BSS_BYTES + 1),
        1 => MIN_BSS_BYTES + 4096,
        _ => MIN_BSS_BYTES,
    };
    let frames = match random.below(16) {
        0 | 1 => 1 + random.below(16),
        2 | 3 => 16 + random.below(16),
        4..=9 => random.choose(&[16, 17, 18, 20, 24, 32]),
        10..=13 => random.choose(&[48, 64, 128, 256]),
        14 => 1 + random.below(512),
        _ => random.choose(&[2048, MAX_FRAMES]),
    };
    let copy_order = match random.below(6) {
        first @ 0..=3 => CopyOrder::UnrolledBy4 { first: first.to_le_bytes()[0] },
        _ => CopyOrder::Ascending,
    };
    let placement = match random.below(4) {
        0 => Placement::default(),
        1 => Placement::REPORTED,
        _ => draw_placement(random),
    };
    let lowest = Setup { bss_bytes, ..Setup::reported(0) }.heap_start() + FIRST_EXTENT_BYTES;
    let stack_low = if random.one_in(4) { lowest + PAGE_BYTES * u64::from(random.below(81)) } else { STACK_LOW };
    Setup {
        bss_bytes,
        frames,
        refusal: random.choose(&[Refusal::CurrentBreak, Refusal::Zero, Refusal::Enomem]),
        granularity: random.choose(&[
            Granularity::Page,
            Granularity::Page,
            Granularity::SixteenPages,
            Granularity::Byte,
        ]),
        dirty_pages: random.one_in(2),
        copy_order,
        placement,
        stack_low: StackLow(stack_low),
    }
}
