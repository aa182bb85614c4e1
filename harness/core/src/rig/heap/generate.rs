//! Draws heap traces: swarm weights for each trace, few slots most of the time so that ops meet, and sizes that an
//! arena has room for most of the time but not always. It draws what the contract asks for and nothing else.

use super::belief::Belief;
use super::setups::draw_setup;
use super::sizes::Sizes;
use crate::random::Random;
use crate::rig::weighted::WeightedTable;
use crate::rig::{Drawn, Generator};
use memtwin_models::heap::{
    Alignment, AnyAlignment, FreedBy, Heap, HeapContract, MAX_REGION_BYTES, Op, OpKind, Order, SLOTS, Setup, Size,
    Slot, UNANSWERED_BYTES,
};
use memtwin_models::vocabulary::told;

/// The relative weight of each kind before the swarm has its say, in the order of [`OpKind::ALL`].
const WEIGHTS: [u32; OpKind::ALL.len()] =
    [36, 12, 8, 5, 4, 40, 14, 14, 24, 6, 36, 1, 6, 18, 12, 10, 10, 2, 2, 3, 4, 2, 1, 1, 1, 1, 1];
/// Kinds that get a block.
const GETTERS: [OpKind; 7] = [
    OpKind::Malloc,
    OpKind::Alloc,
    OpKind::Calloc,
    OpKind::AllocZeroed,
    OpKind::PosixMemalign,
    OpKind::AlignedAlloc,
    OpKind::Memalign,
];
/// What a heap with memory of its own is believed to hold before blocks become small, in bytes.
const MOST_LIVE_BYTES: u64 = 4 << 20;
/// One trace in this many begins with a cycle, which is hundreds or thousands of calls.
const CYCLE_ONE_IN: u32 = 12;
/// One trace in this many trims: each time is several system calls.
const TRIMS_ONE_IN: u32 = 16;
/// One trace with threads in this many ends some, and has memory freed by new ones: each costs as much as hundreds of
/// ops.
const ENDS_THREADS_ONE_IN: u32 = 2;
/// From here on allocators have other code for blocks, in bytes.
const LARGE_BYTES: u32 = 1 << 16;
/// Blocks that are zeroed cost as much as they are large, so those that may be answered are no larger than this, in
/// bytes.
const MOST_ZEROED_BYTES: u64 = 1 << 21;
/// Alignments that no call may take.
const BAD_ALIGNMENTS: [u64; 16] =
    [0, 1, 2, 3, 4, 6, 7, 12, 24, 48, 0x1001, 0xfff, (1 << 32) + 8, (1 << 63) + 8, u64::MAX, u64::MAX - 7];

/// The generator.
#[derive(Debug)]
pub struct HeapGenerator {
    contract: HeapContract,
    kinds: WeightedTable<OpKind>,
    sizes: Sizes,
    /// Exponents of alignments.
    aligns: WeightedTable<u8>,
    /// The alignment that the largest blocks of a trace have, so that they can be compared.
    largest_align: Alignment,
    belief: Belief,
    /// What the arena has, in bytes.
    room: u64,
    extend_bytes: u32,
    second_bytes: u32,
    /// How many slots the trace uses.
    slots: u32,
    ends_threads: bool,
    /// The kinds that come next, the last one first.
    planned: [OpKind; 3],
    planned_count: usize,
}

impl Generator<Heap> for HeapGenerator {
    const DRAWN: Drawn = Drawn {
        weights: &WEIGHTS,
        sentences: &[
            (&["setup"], super::setups::SETUP),
            (&["trace"], Self::SWARM),
            (&["slot"], "Any of those that the trace uses: 2 to 64, and in one trace of 32 at least 256, up to 4,096."),
            (&["size"], Sizes::SIZE),
            (&["align"], Self::ALIGNMENT),
            (&["posix_memalign"], Self::ANY_ALIGNMENT),
            (&["calloc", "reallocarray"], Self::PRODUCT),
            (&["realloc", "relayout"], Self::RESIZE),
            (&["zeroed"], "Half of the time."),
            (&["write"], "One `length` in 16 is 65,535, the others are below two to the power of 0 to 15."),
            (&["push_string", "push_vec"], "`length` is below 256, halved 0 to 7 times."),
            (
                &["fill", "drain"],
                "Up to 15 slots, and up to 255 in one `fill` of 16 and one `drain` of four; `every` is below 4. \
                 Blocks of a fill have at most 8 KiB, or are too large for any heap.",
            ),
            (
                &["order"],
                "Each alike. Then the largest block tells, five times in eight, whether everything came back.",
            ),
            (&["bytes"], Self::EXTENSION),
            (&["largest"], "Seven in eight have the trace's own alignment, so that they can be compared."),
            (
                &["cycle"],
                "Up to 255 blocks, halved 0 to 7 times, which fill half of an arena at most. In traces that end \
                 threads, new ones free three cycles of four.",
            ),
        ],
    };

    fn new(contract: &HeapContract) -> Self {
        HeapGenerator {
            contract: *contract,
            kinds: WeightedTable::of(OpKind::Verify),
            sizes: Sizes::new(contract.own_memory, contract.largest_size),
            aligns: WeightedTable::of(0),
            largest_align: Alignment::from_exponent_folded(0),
            belief: Belief::new(),
            room: 0,
            extend_bytes: 0,
            second_bytes: 0,
            slots: 16,
            ends_threads: false,
            planned: [OpKind::Verify; 3],
            planned_count: 0,
        }
    }

    fn setup(&mut self, random: &mut Random) -> Setup {
        draw_setup(&self.contract, random)
    }

    fn lanes(setup: &Setup) -> u8 {
        setup.threads
    }

    fn begin(&mut self, setup: &Setup, random: &mut Random) {
        self.belief.clear();
        self.room = if self.contract.own_memory { u64::MAX } else { setup.first_bytes.into() };
        self.extend_bytes = setup.extend_bytes;
        self.second_bytes = setup.second.map_or(0, |second| second.bytes);
        self.ends_threads = setup.threads != 1 && random.one_in(ENDS_THREADS_ONE_IN);
        self.slots = match random.below(32) {
            0 => random.choose(&[256, 1024, SLOTS.into()]),
            _ => random.choose(&[2, 3, 4, 6, 8, 12, 16, 24, 32, 64]),
        };
        self.sizes.begin(setup, self.slots, random);
        self.begin_aligns(random);
        self.begin_kinds(random);
    }

    #[inline]
    fn op(&mut self, random: &mut Random) -> Op {
        // One draw serves the kind, the slot, and what a kind has besides sizes and alignments.
        let bits = random.bits();
        let kind = match self.planned_count {
            0 => self.kinds.at(bits.to_le_bytes()[0]),
            count => {
                self.planned_count = count - 1;
                self.planned[count - 1]
            }
        };
        #[allow(clippy::cast_possible_truncation)] // below the number of slots
        let slot = Slot::new_folded((((bits >> 8 & 0xffff) * u64::from(self.slots)) >> 16) as u16);
        self.draw(kind, slot, bits >> 24, random)
    }
}

impl HeapGenerator {
    /// 1 to 16 alone in a quarter of the traces; in the others some of 32 to 8,192 too, in half of all traces a few up
    /// to 2 MiB, and in a quarter of all now and then 1 GiB or 2^63. Never more than the contract serves.
    #[told(ALIGNMENT)]
    fn begin_aligns(&mut self, random: &mut Random) {
        let largest = self.contract.largest_align.max(1).ilog2().to_le_bytes()[0];
        // Up to 16, to 8 KiB, to 2 MiB, and any.
        let weights = random.choose(&[[64, 0, 0, 0], [48, 16, 0, 0], [40, 20, 1, 0], [24, 32, 4, 1]]);
        let exponents: [u8; 32] = std::array::from_fn(|index| {
            let exponent = match index {
                0..16 => [0, 3, 4, 3, 1, 4, 2, 3][index % 8],
                16..25 => index - 11,
                25..30 => [14, 16, 18, 20, 21][index - 25],
                _ => [30, 63][index - 30],
            };
            exponent.to_le_bytes()[0].min(largest)
        });
        let weight = |index: usize| match index {
            0..16 => weights[0],
            16..25 => weights[1],
            25..30 => weights[2],
            _ => weights[3],
        };
        self.aligns.fill(&std::array::from_fn::<u32, 32, _>(weight), &exponents);
        self.largest_align = Alignment::from_exponent_folded(random.choose(&[0, 3, 4, 4, 6, 12]).min(largest));
    }

    /// Each kind's weight is multiplied by 0, 1, 1, 2 or 4, drawn for each trace, so that a trace leaves some kinds out
    /// and favours others; but some kind gets blocks. What costs much is rare: one trace in 12 begins with a `cycle`,
    /// one in 16 trims, half of those with threads end some. Half of the other traces of arenas begin with one block,
    /// its free, and the largest block that can be had. Only what the contract asks for is drawn.
    #[told(SWARM)]
    fn begin_kinds(&mut self, random: &mut Random) {
        let mut weights = WEIGHTS;
        for (weight, kind) in weights.iter_mut().zip(OpKind::ALL) {
            let is_threads = matches!(kind, OpKind::ThreadStart | OpKind::ThreadExit);
            let is_left_out = is_threads && !self.ends_threads
                || *kind == OpKind::Cycle
                || *kind == OpKind::Trim && !random.one_in(TRIMS_ONE_IN)
                || *kind == OpKind::Extend && u64::from(MAX_REGION_BYTES) < self.contract.smallest_extend;
            let is_drawn = self.contract.has(*kind) && !is_left_out;
            *weight *= if is_drawn { random.choose(&[0, 1, 1, 2, 4]) } else { 0 };
        }
        // Without blocks there is nothing to see.
        let getter = GETTERS.into_iter().find(|kind| self.contract.has(*kind));
        if let Some(getter) = getter.filter(|_| GETTERS.iter().all(|kind| weights[*kind as usize] == 0)) {
            weights[getter as usize] = WEIGHTS[getter as usize];
        }
        self.kinds.fill(&weights, OpKind::ALL);
        self.planned_count = 0;
        let has_all = self.contract.has(OpKind::Largest) && self.contract.has(OpKind::FreeAll);
        if self.contract.has(OpKind::Cycle) && random.one_in(CYCLE_ONE_IN) {
            self.planned[0] = OpKind::Cycle;
            self.planned_count = 1;
        } else if let Some(getter) = getter.filter(|_| has_all && random.one_in(2)) {
            self.planned = [OpKind::Largest, OpKind::FreeAll, getter];
            self.planned_count = 3;
        }
    }

    /// An op of this kind, if it would not cost too much.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // random bits are cut to what is asked for
    fn draw(&mut self, kind: OpKind, slot: Slot, bits: u64, random: &mut Random) -> Op {
        let [short, few, pick, ..] = bits.to_le_bytes();
        match kind {
            OpKind::Malloc => {
                let size = self.get(slot, 16, false, random);
                Op::Malloc { slot, size }
            }
            OpKind::Calloc => {
                let size = self.get(slot, 16, true, random);
                let (count, size) = self.product(size.0, short, pick);
                Op::Calloc { slot, count, size }
            }
            OpKind::PosixMemalign => {
                let align = self.any_alignment(short, few);
                let size = self.get(slot, align.0.max(1), false, random);
                Op::PosixMemalign { slot, align, size }
            }
            OpKind::AlignedAlloc => {
                let align = self.alignment(short);
                Op::AlignedAlloc { slot, align, size: self.get(slot, align.bytes(), false, random) }
            }
            OpKind::Memalign => {
                let align = self.alignment(short);
                Op::Memalign { slot, align, size: self.get(slot, align.bytes(), false, random) }
            }
            OpKind::Alloc => {
                let align = self.alignment(short);
                Op::Alloc { slot, size: self.get(slot, align.bytes(), false, random), align }
            }
            OpKind::AllocZeroed => {
                let align = self.alignment(short);
                Op::AllocZeroed { slot, size: self.get(slot, align.bytes(), true, random), align }
            }
            OpKind::Relayout => {
                let (align, zeroed) = (self.alignment(short), few & 1 != 0);
                Op::Relayout { slot, size: self.resize(slot, align.bytes(), zeroed, random), align, zeroed }
            }
            OpKind::Realloc => Op::Realloc { slot, size: self.resize(slot, 16, false, random) },
            OpKind::Reallocarray => {
                let size = self.resize(slot, 16, false, random);
                let (count, size) = self.product(size.0, short, pick);
                Op::Reallocarray { slot, count, size }
            }
            OpKind::Free => {
                self.belief.free(slot);
                Op::Free { slot }
            }
            OpKind::FreeNull => Op::FreeNull,
            OpKind::UsableSize => Op::UsableSize { slot },
            OpKind::Write => {
                let length = if short < 16 { 0xffff } else { (bits >> 8) as u32 & ((1 << (short % 16)) - 1) };
                Op::Write { slot, length }
            }
            OpKind::Verify => Op::Verify { slot },
            OpKind::PushString => Op::PushString { slot, length: short >> (few % 8) },
            OpKind::PushVec => Op::PushVec { slot, length: short >> (few % 8) },
            OpKind::Fill => {
                let count = if few < 16 { short } else { short % 16 };
                let size = self.plain_size(0x2000, random);
                if self.has_room(size) {
                    self.belief.fill(slot, count, size, self.room);
                }
                Op::Fill { slot, count, size: Size(size) }
            }
            OpKind::Drain => {
                let (count, every) = (if few < 64 { short } else { short % 16 }, pick % 4);
                self.belief.drain(slot, count, every);
                Op::Drain { slot, count, every }
            }
            OpKind::FreeAll => {
                self.belief.clear();
                // Then the largest block tells whether everything came back.
                if few < 160 && self.contract.has(OpKind::Largest) && self.planned_count == 0 {
                    self.planned[0] = OpKind::Largest;
                    self.planned_count = 1;
                }
                Op::FreeAll { order: [Order::Forward, Order::Backward, Order::Alternating][usize::from(short % 3)] }
            }
            OpKind::Extend => self.extension(bits),
            OpKind::AddRegion => {
                self.room = self.room.saturating_add(std::mem::take(&mut self.second_bytes).into());
                Op::AddRegion
            }
            OpKind::Largest => {
                Op::Largest { align: if few < 224 { self.largest_align } else { self.alignment(short) } }
            }
            OpKind::Trim => Op::Trim,
            OpKind::Cycle => {
                let count = (short >> (pick % 8)).max(1);
                let fair = (self.room / 2 / u64::from(count)).clamp(1, 0x8000);
                let size = Size(self.plain_size(fair, random));
                let by = if self.ends_threads && few < 192 { FreedBy::NewThread } else { FreedBy::Owner };
                Op::Cycle { count, size, by }
            }
            OpKind::ThreadStart => Op::ThreadStart,
            OpKind::ThreadExit => Op::ThreadExit,
        }
    }

    #[inline]
    fn alignment(&self, place: u8) -> Alignment {
        Alignment::from_exponent_folded(self.aligns.at(place))
    }

    /// One `align` in 16 is one that no call may take: 0, less than a pointer's size, or no power of two.
    #[told(ANY_ALIGNMENT)]
    fn any_alignment(&self, place: u8, few: u8) -> AnyAlignment {
        let bad = BAD_ALIGNMENTS[usize::from(place % 16)];
        if few < 16 && bad <= self.contract.largest_align {
            return AnyAlignment(bad);
        }
        AnyAlignment(self.alignment(place).bytes().max(8).min(self.contract.largest_align))
    }

    /// A size that a block of this alignment is asked for with; `zeroed` if it is to hold zeros.
    #[inline]
    fn size(&self, align: u64, zeroed: bool, random: &mut Random) -> u64 {
        let live = self.belief.live_bytes();
        let size = self.sizes.draw(random.bits(), align, self.room.saturating_sub(live));
        if !self.contract.own_memory {
            return size;
        }
        let is_full = MOST_LIVE_BYTES < live && size < UNANSWERED_BYTES;
        if is_full || zeroed && (MOST_ZEROED_BYTES..UNANSWERED_BYTES).contains(&size) { size & 0x1ff } else { size }
    }

    /// The size of a new block for a slot.
    #[inline]
    fn get(&mut self, slot: Slot, align: u64, zeroed: bool, random: &mut Random) -> Size {
        let size = self.size(align, zeroed, random);
        self.belief.free(slot);
        if self.has_room(size) {
            self.belief.put(slot, size);
        }
        Size(size)
    }

    /// A new `size` is drawn as that of a new block is; a large block is asked in one case of eight to become larger
    /// than any heap may answer.
    #[told(RESIZE)]
    #[inline]
    fn resize(&mut self, slot: Slot, align: u64, zeroed: bool, random: &mut Random) -> Size {
        // Large blocks are changed by code of their own, which has its own limits to get wrong.
        if self.belief.holds(slot, LARGE_BYTES) && random.one_in(8) {
            return Size(self.sizes.unanswered(random.bits()));
        }
        let size = self.size(align, zeroed, random);
        if self.belief.holds(slot, 1) && self.has_room(size) {
            self.belief.put(slot, size);
        }
        Size(size)
    }

    #[inline]
    fn has_room(&self, size: u64) -> bool {
        size < UNANSWERED_BYTES && size <= self.room.saturating_sub(self.belief.live_bytes())
    }

    /// A size that many blocks are asked for with: an ordinary one, or one that nobody answers.
    fn plain_size(&self, most: u64, random: &mut Random) -> u64 {
        let size = self.size(16, false, random);
        if most < size && size < UNANSWERED_BYTES { size % most } else { size }
    }

    /// A size as a product of 1, 1, 2, 3, 4, 7, 16 or itself; one in 32 is larger than any number, or than any block.
    #[told(PRODUCT)]
    fn product(&self, size: u64, pick: u8, rare: u8) -> (Size, Size) {
        if rare < 8 && self.contract.largest_size == u64::MAX {
            let unit = (size & 0xffff).max(3);
            let limit = if rare & 1 == 0 { u64::MAX } else { u64::MAX >> 1 };
            let count = limit / unit + 1 + u64::from(pick % 2);
            return if rare & 2 == 0 { (Size(count), Size(unit)) } else { (Size(unit), Size(count)) };
        }
        // What a huge size loses when it is divided might make of it one that may be answered.
        let count =
            if size < UNANSWERED_BYTES { [1, 1, 2, 3, 4, 7, 16, size.max(1)][usize::from(pick % 8)] } else { 1 };
        (Size(count), Size(size / count))
    }

    /// Three in eight are all that the first region may have, one half of it, one a third, one the smallest step, and
    /// two are any number, up to more than it may have. Multiples of what the contract wants.
    #[told(EXTENSION)]
    fn extension(&mut self, bits: u64) -> Op {
        let [few, shift, ..] = bits.to_le_bytes();
        let all = u64::from(self.extend_bytes);
        let step = self.contract.smallest_extend.max(1);
        let wanted = match few % 8 {
            0..=2 => all,
            3 => all / 2,
            4 => all / 3,
            5 => step,
            _ => (bits >> 16 & 0xff_ffff) >> (shift % 24),
        };
        let bytes = u32::try_from((wanted / step).max(1) * step).unwrap_or(0);
        if bytes <= self.extend_bytes {
            self.extend_bytes -= bytes;
            self.room = self.room.saturating_add(bytes.into());
        }
        Op::Extend { bytes }
    }
}
