//! Draws header_free traces: swarm weights for each trace, slots that mostly hold what the op needs, pointers a little
//! beside blocks, and now and then a move of several ops.

use super::moves::Move;
use crate::random::Random;
use crate::rig::repeat::{MOST_OPS, Repeat};
use crate::rig::weighted::WeightedTable;
use crate::rig::{Drawn, Generator};
use memtwin_models::header_free::{
    Alignment, BOOT_LIMIT_BYTES, EDGES, FaultPlan, HeaderFree, HeaderFreeContract, Kind, Libc, MAX_END_BYTES,
    MincorePlan, Mode, Op, OpKind, PAGE_BYTES, Protection, SLAB_OFFSET_BYTES, SLOTS, Setup, Side, SlabOffset, Slot,
    Thread,
};
use memtwin_models::vocabulary::told;

/// The relative weight of each kind before the swarm has its say, in the order of [`OpKind::ALL`].
const WEIGHTS: [u32; OpKind::ALL.len()] = [72, 20, 8, 28, 20, 80, 10, 2, 2, 1, 6, 4, 2, 1, 3, 10];
/// The relative weights of the allocator's kinds, likewise. A mapping costs two system calls.
const KIND_WEIGHTS: [u32; 6] = [12, 4, 2, 1, 3, 4];
/// Distances from a pointer that a careless check gets wrong.
const DELTAS: [u64; 31] = [
    12,
    20,
    24,
    1,
    2,
    4,
    8,
    16,
    28,
    31,
    32,
    48,
    64,
    256,
    1024,
    4064,
    4095,
    4096,
    0x1_0000,
    u64::MAX,
    8_u64.wrapping_neg(),
    16_u64.wrapping_neg(),
    32_u64.wrapping_neg(),
    4096_u64.wrapping_neg(),
    1 << 20,
    1 << 21,
    1 << 31,
    1 << 32,
    (1_u64 << 32).wrapping_neg(),
    1 << 47,
    1 << 63,
];

/// What the generator believes of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belief {
    Empty,
    Block,
    Stale,
    Foreign,
}

/// The generator.
#[derive(Debug)]
pub struct HeaderFreeGenerator {
    contract: HeaderFreeContract,
    edges: [u64; EDGES],
    kinds: WeightedTable<OpKind>,
    owners: WeightedTable<Kind>,
    /// How many slots the trace uses.
    slots: u32,
    beliefs: [Belief; SLOTS as usize],
    /// How many slots are believed to hold something.
    held: u32,
    /// The class that most tiny sizes are of.
    favourite_bits: u32,
    /// One in this many sizes lies round an edge.
    wild_one_in: u32,
    /// One in this many frees is of a pointer beside the block.
    aside_one_in: u32,
    /// One in this many ops begins a move.
    move_one_in: u32,
    /// Whether most writes go to the block's end.
    fills: bool,
    /// Whether ops that came later than version 1 are drawn.
    has_later: bool,
    /// How many ops from before the allocator is up are still to come.
    opening: u32,
    pending: Move,
    /// What is repeated next, and how many ops are still to be added to it.
    repeat: Repeat<Op>,
    to_repeat: u32,
}

impl Generator<HeaderFree> for HeaderFreeGenerator {
    const DRAWN: Drawn = Drawn {
        weights: &WEIGHTS,
        sentences: &[
            (&["setup"], SETUP),
            (&["trace"], Self::SWARM),
            (&["slot"], Self::SLOT),
            (&["kind"], "By weights of the trace; tiny blocks most often, mappings least, which cost system calls."),
            (&["size"], Self::SIZE),
            (&["align"], ALIGNMENT),
            (
                &["length"],
                "One in eight is more than any block holds, the others are below 128; in a trace of three each is \
                 more than any block holds.",
            ),
            (&["seed"], "Below 1,024."),
            (&["delta", "thread"], Self::FREE),
            (&["realloc", "usable_size"], Self::ASKED),
            (&["write_end"], "`length` is 1 to 64."),
            (&["boot_alloc"], "`size` is 1 to 512, in one of sixteen up to 3 beyond."),
            (&["beside"], "A slot with a block or with a foreign page, each half of the time."),
            (&["side", "protection"], "Each alike."),
            (
                &["forge"],
                "One header in four lies at the end of a page; else `offset` is a multiple of 16 below 512. `method` \
                 is any kind.",
            ),
        ],
    };

    fn new(contract: &HeaderFreeContract) -> Self {
        HeaderFreeGenerator {
            contract: *contract,
            edges: [0; EDGES],
            kinds: WeightedTable::of(OpKind::Alloc),
            owners: WeightedTable::of(Kind::Tiny),
            slots: 16,
            beliefs: [Belief::Empty; SLOTS as usize],
            held: 0,
            favourite_bits: 6,
            wild_one_in: 64,
            aside_one_in: 8,
            move_one_in: 16,
            fills: false,
            has_later: false,
            opening: 0,
            pending: Move::none(),
            repeat: Repeat::default(),
            to_repeat: 0,
        }
    }

    fn draws_later(&self) -> bool {
        self.has_later
    }

    fn setup(&mut self, random: &mut Random) -> Setup {
        draw_setup(&self.contract, random)
    }

    fn begin(&mut self, setup: &Setup, random: &mut Random) {
        self.begin_trace(setup, random);
    }

    fn op(&mut self, random: &mut Random) -> Op {
        let op = match self.next_of_move().or_else(|| self.next_repeated()) {
            Some(op) => op,
            None if self.opening != 0 => self.opening_op(random),
            None => self.draw(random),
        };
        if self.to_repeat != 0 && self.opening == 0 {
            self.to_repeat -= 1;
            self.repeat.add(op.clone());
            if self.to_repeat == 0 {
                self.repeat.begin(200 + random.below(401));
            }
        }
        self.note(&op);
        op
    }
}

impl HeaderFreeGenerator {
    /// The next op of those that are repeated: tombstones of the registry, free lists and mappings that the kernel does
    /// not take back come to their end.
    fn next_repeated(&mut self) -> Option<Op> {
        let slots = self.slots.max(1);
        self.repeat.next(|op, rounds| {
            if let Some(slot) = op.slot_mut() {
                let index = (u32::from(u8::from(*slot)) + rounds) % slots;
                *slot = Slot::new_folded(index.to_le_bytes()[0]);
            }
        })
    }

    /// The next op of a move, without those that the trace does not have.
    fn next_of_move(&mut self) -> Option<Op> {
        let mut op = self.pending.pop()?;
        while op.is_later() && !self.has_later {
            op = self.pending.pop()?;
        }
        Some(op)
    }

    #[allow(clippy::cast_possible_truncation)] // random bits are cut to what is asked for
    fn draw(&mut self, random: &mut Random) -> Op {
        // One draw serves the kind, the slot, the seed and a length.
        let bits = random.bits();
        if ((bits >> 8 & 0xffff) * u64::from(self.move_one_in)) >> 16 == 0 {
            let first = self.slot(Belief::Empty, random);
            let aside = |distance: u8| Slot::new_folded(u8::from(first).wrapping_add(distance));
            self.pending.draw([first, aside(1), aside(2)], random);
        }
        let draw = (bits >> 32) as u32;
        match self.useful_kind(self.kinds.at(bits.to_le_bytes()[0]), draw) {
            OpKind::Alloc => {
                let kind = self.owners.at(bits.to_le_bytes()[3]);
                let (size, align) = (self.size(kind, random), draw_alignment(draw, random));
                Op::Alloc { slot: self.slot(Belief::Empty, random), kind, size, align }
            }
            OpKind::Realloc => {
                let (slot, delta) = self.asked(draw, random);
                let kind = self.owners.at(bits.to_le_bytes()[3]);
                Op::Realloc { slot, size: self.size(kind, random), delta }
            }
            OpKind::UsableSize => {
                let (slot, delta) = self.asked(draw, random);
                Op::UsableSize { slot, delta }
            }
            OpKind::BootAlloc => self.boot_alloc(random),
            OpKind::ThreadExit => Op::ThreadExit { thread: Thread::new_folded(draw.to_le_bytes()[1]) },
            OpKind::WriteEnd => {
                let slot = self.slot(Belief::Block, random);
                Op::WriteEnd { slot, seed: (bits >> 16) as u16 & 0x3ff, length: 1 + (draw >> 8) % MAX_END_BYTES }
            }
            OpKind::Write => {
                let length = if self.fills || draw & 7 == 0 { 0x1_0000 } else { draw >> 8 & 0x7f };
                Op::Write { slot: self.slot(Belief::Block, random), seed: (bits >> 16) as u16 & 0x3ff, length }
            }
            OpKind::Verify => Op::Verify { slot: self.slot(Belief::Block, random) },
            OpKind::Free => self.free(draw, random),
            OpKind::LibcAlloc => {
                let (size, align) = (self.size(Kind::Malloc, random), draw_alignment(draw, random));
                Op::LibcAlloc { slot: self.slot(Belief::Empty, random), size, align }
            }
            OpKind::MapForeign => {
                let beside = self.slot(if draw & 1 == 0 { Belief::Block } else { Belief::Foreign }, random);
                Op::MapForeign { slot: self.slot(Belief::Empty, random), beside }
            }
            OpKind::ProtectNeighbour => {
                let protection = random.choose(&[Protection::None, Protection::Read, Protection::ReadWrite]);
                Op::ProtectNeighbour { slot: self.slot(Belief::Foreign, random), side: side(draw), protection }
            }
            OpKind::UnmapNeighbour => Op::UnmapNeighbour { slot: self.slot(Belief::Foreign, random), side: side(draw) },
            OpKind::Forge => {
                let offset = if draw & 3 == 0 { random.choose(&[4064, 4068, 4092]) } else { draw >> 8 & 0x1f0 };
                let slot = self.slot(if draw & 4 == 0 { Belief::Block } else { Belief::Foreign }, random);
                Op::Forge { slot, offset, method: random.choose(&Kind::ALL) }
            }
            OpKind::RetireSuperslab => {
                let belief = if draw & 1 == 0 { Belief::Stale } else { Belief::Block };
                Op::RetireSuperslab { slot: self.slot(belief, random) }
            }
            OpKind::Stats => Op::Stats,
        }
    }

    /// Each weight, of kinds of ops and of kinds of blocks, is multiplied by 0, 1, 1, 2 or 4, drawn for each trace; but
    /// some ops allocate and some free. One op in 12, 24, 48 or 1,024 begins a move: a few ops that only mean something
    /// together, such as a forged header before a pointer at the start of a page, and its free. Every second trace has
    /// ops that came later than version 1, and half of these begin with up to six ops from before the allocator is up.
    /// One in 32 repeats two to four of its first ops 200 to 600 times, a slot further each time.
    #[told(SWARM)]
    fn begin_trace(&mut self, setup: &Setup, random: &mut Random) {
        self.edges = setup.edges();
        self.slots = random.choose(&[6, 12, 24, 40, 64]);
        self.beliefs = [Belief::Empty; SLOTS as usize];
        self.held = 0;
        self.favourite_bits = random.choose(&[3, 4, 6, 8, 9, 10, 10]);
        self.wild_one_in = random.choose(&[8, 24, 64, 256]);
        self.aside_one_in = random.choose(&[4, 8, 16, 64]);
        self.move_one_in = random.choose(&[12, 24, 48, 1024]);
        self.fills = random.one_in(3);
        self.pending = Move::none();
        self.has_later = random.one_in(2);
        self.opening = if self.has_later && random.one_in(2) { 1 + random.below(6) } else { 0 };
        self.repeat.clear();
        self.to_repeat = if random.one_in(32) { 2 + random.below(MOST_OPS - 1) } else { 0 };
        let mut weights = WEIGHTS;
        for weight in &mut weights {
            *weight *= random.choose(&[0, 1, 1, 2, 4]);
        }
        if !self.has_later {
            for kind in [OpKind::BootAlloc, OpKind::ThreadExit, OpKind::WriteEnd] {
                weights[kind as usize] = 0;
            }
        }
        // Without blocks there is nothing to free; without frees nothing is learnt.
        for kind in [OpKind::Alloc, OpKind::Free] {
            weights[kind as usize] = weights[kind as usize].max(WEIGHTS[kind as usize] / 2);
        }
        let mut owners = KIND_WEIGHTS;
        for weight in &mut owners {
            *weight *= random.choose(&[0, 1, 1, 2, 4]);
        }
        owners[Kind::Tiny as usize] += u32::from(owners.iter().all(|weight| *weight == 0));
        self.kinds.fill(&weights, OpKind::ALL);
        self.owners.fill(&owners, &Kind::ALL);
    }

    /// What is more use than this kind, where slots are nearly all full or all empty. Most of the time: what does
    /// nothing has to do nothing.
    #[inline]
    fn useful_kind(&self, kind: OpKind, draw: u32) -> OpKind {
        let allocates = matches!(kind, OpKind::Alloc | OpKind::LibcAlloc);
        let needs_block = matches!(
            kind,
            OpKind::Free | OpKind::Write | OpKind::WriteEnd | OpKind::Verify | OpKind::Realloc | OpKind::UsableSize
        );
        if draw & 0x60 == 0 {
            kind
        } else if allocates && self.slots * 3 <= self.held * 4 {
            OpKind::Free
        } else if needs_block && self.held * 4 <= self.slots {
            OpKind::Alloc
        } else {
            kind
        }
    }

    /// The trace uses 6, 12, 24, 40 or 64 of them. Six are tried for one that probably holds what the op needs.
    #[told(SLOT)]
    #[inline]
    fn slot(&self, belief: Belief, random: &mut Random) -> Slot {
        let mut slot = Slot::new_folded(0);
        for _ in 0..6 {
            slot = Slot::new_folded(random.below(self.slots).to_le_bytes()[0]);
            let is = self.beliefs[slot.index()];
            if is == belief || belief == Belief::Empty && is == Belief::Stale {
                break;
            }
        }
        slot
    }

    /// Of sixteen frees 13 are of a block, one each of null, of a foreign page and of a stale pointer. In a trace one
    /// pointer in 4, 8, 16 or 64 lies beside what the slot holds: by a few bytes, a header, a page or a power of two.
    /// Half are by the slot's own thread, the others by any.
    #[told(FREE)]
    fn free(&self, draw: u32, random: &mut Random) -> Op {
        let belief = match draw & 15 {
            0 => Belief::Empty,
            1 => Belief::Foreign,
            2 => Belief::Stale,
            _ => Belief::Block,
        };
        let slot = self.slot(belief, random);
        let thread = Thread::new_folded(if draw & 0x10 == 0 { u8::from(slot) } else { draw.to_le_bytes()[1] });
        let delta = if random.one_in(self.aside_one_in) { random.choose(&DELTAS) } else { 0 };
        Op::Free { slot, delta, thread }
    }

    /// Of sixteen 13 are about a block, one each about a foreign page, a stale pointer and an empty slot. In a trace
    /// with later ops one pointer in 8, 16, 32 or 128 lies beside what the slot holds.
    #[told(ASKED)]
    fn asked(&self, draw: u32, random: &mut Random) -> (Slot, u64) {
        let belief = match draw & 15 {
            0 => Belief::Empty,
            1 => Belief::Foreign,
            2 => Belief::Stale,
            _ => Belief::Block,
        };
        let delta = if self.has_later && random.one_in(2 * self.aside_one_in) { random.choose(&DELTAS) } else { 0 };
        (self.slot(belief, random), delta)
    }

    fn boot_alloc(&self, random: &mut Random) -> Op {
        let limit = u32::try_from(BOOT_LIMIT_BYTES).unwrap_or(u32::MAX);
        let size = if random.one_in(16) { limit + random.below(4) } else { 1 + random.below(limit) };
        Op::BootAlloc { slot: self.slot(Belief::Empty, random), size: u64::from(size) }
    }

    /// An op from before the allocator is up, mostly a block.
    fn opening_op(&mut self, random: &mut Random) -> Op {
        self.opening -= 1;
        let draw = random.below(16);
        let slot = self.slot(Belief::Block, random);
        match draw {
            0 => Op::Free { slot, delta: 0, thread: slot.thread() },
            1 => Op::UsableSize { slot, delta: 0 },
            2 => Op::Write { slot, seed: 5, length: 0x1_0000 },
            3 => Op::WriteEnd { slot, seed: 6, length: MAX_END_BYTES },
            4 => Op::Realloc { slot, size: random.magnitude(12), delta: 0 },
            _ => self.boot_alloc(random),
        }
    }

    /// Notes what a slot probably holds after an op.
    fn note(&mut self, op: &Op) {
        let (slot, belief) = match *op {
            Op::Alloc { slot, .. } | Op::LibcAlloc { slot, .. } => (slot, Belief::Block),
            Op::BootAlloc { slot, .. } if self.opening != 0 => (slot, Belief::Block),
            Op::Free { slot, delta: 0, .. } if self.beliefs[slot.index()] == Belief::Block => (slot, Belief::Stale),
            Op::MapForeign { slot, .. } => (slot, Belief::Foreign),
            Op::Free { .. }
            | Op::Realloc { .. }
            | Op::UsableSize { .. }
            | Op::Write { .. }
            | Op::Verify { .. }
            | Op::ProtectNeighbour { .. }
            | Op::UnmapNeighbour { .. }
            | Op::Forge { .. }
            | Op::RetireSuperslab { .. }
            | Op::Stats
            | Op::BootAlloc { .. }
            | Op::ThreadExit { .. }
            | Op::WriteEnd { .. } => return,
        };
        let is_held = |belief| u32::from(matches!(belief, Belief::Block | Belief::Foreign));
        let before = std::mem::replace(&mut self.beliefs[slot.index()], belief);
        self.held = self.held + is_held(belief) - is_held(before);
    }

    /// A size that the kind serves: tiny ones are of one class of the trace three times in four, of the others one in
    /// sixteen is at the kind's limit. In a trace one size in 8, 24, 64 or 256 lies up to 63 bytes round an edge of the
    /// setup instead.
    #[told(SIZE)]
    fn size(&self, kind: Kind, random: &mut Random) -> u64 {
        if random.one_in(self.wild_one_in) {
            let edge = random.choose(&self.edges);
            return edge.wrapping_add(random.magnitude(6)).wrapping_sub(random.magnitude(6));
        }
        let bits = random.bits();
        match kind {
            Kind::Tiny if bits & 3 != 0 => (1_u64 << self.favourite_bits) - (bits >> 8 & 7).min(3),
            Kind::Tiny => random.magnitude(10),
            Kind::Mid | Kind::L25 | Kind::Mmap | Kind::BigCache | Kind::Malloc if bits & 15 == 0 => {
                kind.limit_bytes() - (bits >> 8 & 0x1f)
            }
            Kind::Mid | Kind::Malloc => random.magnitude(13),
            Kind::L25 | Kind::Mmap | Kind::BigCache => random.magnitude(if bits & 0x30 == 0 { 15 } else { 12 }),
        }
    }
}

const fn side(draw: u32) -> Side {
    if draw & 8 == 0 { Side::Before } else { Side::After }
}

/// Seven in sixteen are 1 to 16, six are 16, two are 32 to 4,096, and one is any power of two.
#[told(ALIGNMENT)]
fn draw_alignment(draw: u32, random: &mut Random) -> Alignment {
    let exponent = match draw & 15 {
        0 => random.below(64),
        1 | 2 => 5 + random.below(8),
        3..=8 => 4,
        _ => random.below(5),
    };
    Alignment::from_exponent_folded(exponent.to_le_bytes()[0])
}

/// Each mode, both sizes of SuperSlabs and both forms of tiny blocks alike; registries of 2 to 16 slots, mostly 4 or 8;
/// in one setup of four each `mincore`, `munmap` and `madvise` fail, and there are two arenas; in one of four blocks of
/// a SuperSlab begin at its end, about its first MiB, or on any page; the real libc in three of four where the contract
/// has it, else the ledger.
#[told(SETUP)]
fn draw_setup(contract: &HeaderFreeContract, random: &mut Random) -> Setup {
    let superslab_log2 = random.choose(&[20, 21]);
    let setup = Setup { superslab_log2, ..Setup::PRELOADED };
    let mut plan =
        || if random.one_in(4) { random.choose(&[FaultPlan::Always, FaultPlan::Sometimes]) } else { FaultPlan::None };
    let (munmap, madvise) = (plan(), plan());
    let slab_offset = if random.one_in(4) { draw_slab_offset(&setup, random) } else { SlabOffset::default() };
    let plans = [MincorePlan::Again, MincorePlan::SometimesAgain, MincorePlan::NotImplemented];
    Setup {
        mode: random.choose(&[Mode::LdPreload, Mode::Direct0, Mode::Direct1]),
        superslab_log2,
        registry_log2: random.choose(&[1, 2, 2, 3, 3, 4]),
        tiny_header: random.one_in(2),
        mincore: if random.one_in(4) { random.choose(&plans) } else { MincorePlan::None },
        libc: if contract.real_libc && !random.one_in(4) { Libc::Real } else { Libc::Ledger },
        munmap,
        madvise,
        slab_offset,
        two_arenas: random.one_in(4),
    }
}

fn draw_slab_offset(setup: &Setup, random: &mut Random) -> SlabOffset {
    const FIRST_MIB: u64 = 1 << 20;
    let last = setup.last_slab_offset();
    let any = u64::from(random.below(u32::try_from((last - SLAB_OFFSET_BYTES) / PAGE_BYTES).unwrap_or(0) + 1));
    let places =
        [last, FIRST_MIB - PAGE_BYTES, FIRST_MIB, FIRST_MIB + SLAB_OFFSET_BYTES, SLAB_OFFSET_BYTES + any * PAGE_BYTES];
    SlabOffset(random.choose(&places).min(last))
}
