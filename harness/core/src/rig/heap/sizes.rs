//! Draws sizes of blocks: what programs ask for, what lies round powers of two and multiples of alignments, for an
//! arena what lies round its size, half of it and what is left, and what no heap may answer. It knows no op.

use crate::random::Random;
use crate::rig::weighted::WeightedTable;
use memtwin_models::heap::{Request, Setup};
use memtwin_models::vocabulary::told;

/// The largest size that C and Rust allow.
const PTRDIFF_MAX: u64 = u64::MAX >> 1;

/// Where a size comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// One of a few of the trace, so that what was freed fits.
    Usual,
    /// As many bits as chance says.
    Magnitude,
    /// A power of two or its neighbour.
    Power,
    /// A small multiple of the alignment.
    Multiple,
    /// Round a size that matters in the setup, or round what is left.
    Edge,
    /// 0 or 1.
    Tiny,
    /// Round what no heap may answer, or need not.
    Huge,
}

const SOURCES: [Source; 7] =
    [Source::Usual, Source::Magnitude, Source::Power, Source::Multiple, Source::Edge, Source::Tiny, Source::Huge];
/// The weights of these, before the swarm has its say.
const WEIGHTS: [u32; SOURCES.len()] = [24, 40, 12, 16, 6, 3, 2];
/// Distances from a power of two or an edge.
const NEAR: [i64; 8] = [0, 0, -1, 1, -8, 8, -16, 16];
/// How many times the alignment.
const MULTIPLES: [u64; 8] = [1, 1, 1, 1, 2, 2, 3, 5];

/// Sizes for one trace.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    own_memory: bool,
    largest: u64,
    sources: WeightedTable<Source>,
    usual: [u64; 4],
    /// 0 stands for what is left.
    edges: [u64; 4],
    /// The bits of an ordinary size.
    bits: u32,
}

impl Sizes {
    pub(super) fn new(own_memory: bool, largest: u64) -> Self {
        let sources = WeightedTable::of(Source::Magnitude);
        Sizes { own_memory, largest, sources, usual: [0; 4], edges: [0; 4], bits: 8 }
    }

    /// Begins a trace that uses so many slots.
    pub(super) fn begin(&mut self, setup: &Setup, slots: u32, random: &mut Random) {
        if self.own_memory {
            // Few traces have blocks beyond 64 KiB: each of them costs as much as many small ones, and it is for them
            // that memory is given back.
            let gives_back = setup.fault.is_some_and(|fault| fault.request != Request::Map);
            let is_large = random.one_in(if gives_back { 2 } else { 16 });
            let most = if is_large { random.choose(&[15, 17, 19, 21]) } else { 12 };
            self.bits = random.choose(&[5, 7, 8, 9, 10, 11, most, most]);
            self.edges = if is_large { [0x8000, 0x2_0000, 0x10_0000, 0x20_0000] } else { [256, 1024, 4096, 0x8000] };
        } else {
            let first = u64::from(setup.first_bytes);
            self.edges = [first, first / 2, 0, 0];
            // What the blocks of all slots come to is something between less than the region and a few times of it.
            let fair = (first / u64::from(slots)).max(1).ilog2();
            self.bits = (fair + random.below(4)).clamp(3, first.max(8).ilog2());
        }
        self.usual = [(); 4].map(|()| 1 + random.magnitude(self.bits));
        let mut weights = WEIGHTS;
        for weight in &mut weights {
            *weight *= random.choose(&[0, 1, 1, 2, 4]);
        }
        self.sources.fill(&weights, &SOURCES);
    }

    /// By weights of the trace: as many bits as chance says, one of four usual sizes of the trace, a small multiple of
    /// the alignment, round a power of two, round an edge (for an arena its size, half of it, or what is left), 0 or 1,
    /// and what no heap may answer, or need not. Sizes of arenas come to something between less than the region and a
    /// few times of it; in heaps with memory of their own few traces have blocks beyond 64 KiB.
    #[told(pub(super) SIZE)]
    #[inline]
    pub(super) fn draw(&self, bits: u64, align: u64, left: u64) -> u64 {
        let [source, pick, width, few, ..] = bits.to_le_bytes();
        let drawn = bits >> 32;
        let width = (u32::from(width) * (self.bits + 1)) >> 8;
        let near = NEAR[usize::from(few % 8)];
        let size = match self.sources.at(source) {
            Source::Usual => self.usual[usize::from(pick % 4)],
            Source::Magnitude => drawn & ((1 << width) - 1),
            Source::Power => (1_u64 << width).saturating_add_signed(near),
            Source::Multiple => align.saturating_mul(MULTIPLES[usize::from(pick % 8)]),
            Source::Edge => {
                let edge = self.edges[usize::from(pick % 4)];
                let edge = if edge == 0 { left } else { edge };
                // What is kept beside a block lies in the same region.
                edge.saturating_add_signed(near).saturating_sub((drawn & 0xff) >> (pick >> 5))
            }
            Source::Tiny => u64::from(pick & 1),
            Source::Huge => self.huge(pick, near, drawn),
        };
        size.min(self.largest)
    }

    /// A size that no heap may answer, from one draw.
    #[inline]
    pub(super) fn unanswered(&self, bits: u64) -> u64 {
        let [few, pick, ..] = bits.to_le_bytes();
        self.huge(pick % 5, NEAR[usize::from(few % 8)], bits >> 32).min(self.largest)
    }

    /// A size that no heap may answer, or need not.
    fn huge(&self, pick: u8, near: i64, drawn: u64) -> u64 {
        match pick % 8 {
            0 => PTRDIFF_MAX.wrapping_add_signed(near),
            1 => PTRDIFF_MAX - (drawn & 0xffff),
            2 => u64::MAX - (drawn & 0x3f),
            3 => u64::MAX - (drawn & 0xffff),
            4 => (1 << 63) | drawn,
            // A heap with memory of its own may answer these: each is several system calls.
            5 if self.own_memory && drawn >> 29 == 0 => 1 << (30 + drawn % 17),
            5 | 6 => (1 << 47) << (drawn % 16),
            _ => drawn << (drawn % 32),
        }
    }
}
