//! Where an arena has room: its regions, and the gaps between live blocks. A library's room is the system's.

use super::super::contract::HeapContract;
use super::super::operands::SLOTS;
use super::super::setup::Setup;
use super::blocks::Blocks;

/// A range of addresses, from the first to the first beyond.
type Range = (u64, u64);

/// What blocks have had of a piece.
#[derive(Debug, Clone, Copy)]
struct Touched {
    low: u64,
    high: u64,
    /// Whether what lies before the first block may be padding, and whether what lies behind it may be.
    goes_up: bool,
    goes_down: bool,
}

impl Touched {
    const NOTHING: Touched = Touched { low: u64::MAX, high: 0, goes_up: false, goes_down: false };

    /// The bytes of a piece that are left for certain: behind the blocks of an allocator that goes up, before those of
    /// one that goes down, and the fewer of both where nobody can tell.
    fn room(&self, start: u64, end: u64) -> u64 {
        let (before, behind) = (self.low.saturating_sub(start), end.saturating_sub(self.high));
        match (self.goes_up, self.goes_down) {
            (true, false) => behind,
            (false, true) => before,
            (true, true) | (false, false) => before.min(behind),
        }
    }
}

/// The regions as they are now.
#[derive(Debug, Clone)]
pub(super) struct Regions {
    /// The first region's first address and its end at the start.
    first: Range,
    /// What `extend` added, in all.
    extended: u64,
    second: Option<Range>,
    has_second: bool,
    /// What blocks have had of each piece, for allocators that never use memory again.
    touched: [Touched; 3],
    /// Room for the blocks in order.
    sorted: Vec<Range>,
}

impl Regions {
    pub(super) fn new(setup: &Setup) -> Self {
        let mut regions = Regions {
            first: (0, 0),
            extended: 0,
            second: None,
            has_second: false,
            touched: [Touched::NOTHING; 3],
            sorted: Vec::with_capacity(usize::from(SLOTS) + 1),
        };
        regions.reset(setup);
        regions
    }

    pub(super) fn reset(&mut self, setup: &Setup) {
        let start = setup.first_start();
        self.first = (start, start + u64::from(setup.first_bytes));
        self.extended = 0;
        self.second = setup.second_range();
        self.has_second = false;
        self.touched = [Touched::NOTHING; 3];
    }

    /// The end of the first region as it is now.
    pub(super) fn first_end(&self) -> u64 {
        self.first.1 + self.extended
    }

    /// Whether the first region may have so many bytes more.
    pub(super) fn extend(&mut self, setup: &Setup, bytes: u64) -> bool {
        let fits = self.first_end() + bytes <= setup.first_limit();
        if fits {
            self.extended += bytes;
        }
        fits
    }

    /// Whether there is a second region that the arena does not have yet.
    pub(super) fn add_second(&mut self) -> bool {
        let adds = self.second.is_some() && !self.has_second;
        self.has_second |= adds;
        adds
    }

    /// The regions that the arena has.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range> {
        let second = self.second.filter(|_| self.has_second);
        [Some((self.first.0, self.first_end())), second].into_iter().flatten()
    }

    /// Whether a block lies within one region.
    #[inline]
    pub(super) fn hold(&self, address: u64, end: u64) -> bool {
        let within = |(low, high): Range| low <= address && end <= high;
        within((self.first.0, self.first_end())) || self.second.is_some_and(|second| self.has_second && within(second))
    }

    /// The pieces that a block never lies across.
    fn pieces(&self, contract: &HeapContract) -> [Option<Range>; 3] {
        let (start, end) = (self.first.0, self.first_end());
        let border = if contract.separate_pieces { self.first.1 } else { end };
        [
            Some((start, border)),
            Some((border, end)).filter(|(low, high)| low < high),
            self.second.filter(|_| self.has_second),
        ]
    }

    /// A block of this alignment was placed; for allocators that never use memory again.
    #[inline]
    pub(super) fn touch(&mut self, contract: &HeapContract, address: u64, end: u64, align: u64) {
        if !contract.no_reuse {
            return;
        }
        // Of no bytes one was asked for.
        let end = end.max(address + 1);
        for (piece, touched) in self.pieces(contract).into_iter().zip(&mut self.touched) {
            if let Some((low, high)) = piece.filter(|(low, high)| *low <= address && end <= *high) {
                if touched.low == u64::MAX {
                    touched.goes_up = address - low < align.saturating_add(contract.region_overhead);
                    touched.goes_down = high - end < align;
                }
                (touched.low, touched.high) = (touched.low.min(address), touched.high.max(end));
            }
        }
    }

    /// The largest gap in bytes that no live block takes any of.
    pub(super) fn largest_gap(&mut self, contract: &HeapContract, blocks: &Blocks) -> u64 {
        let mut largest = 0;
        let pieces = self.pieces(contract);
        for (piece, touched) in pieces.into_iter().zip(self.touched) {
            let Some((start, end)) = piece else { continue };
            let start = start.saturating_add(contract.region_overhead);
            if contract.no_reuse && touched.low < touched.high {
                largest = largest.max(touched.room(start, end));
                continue;
            }
            self.sorted.clear();
            // A block of no bytes has its address to itself.
            self.sorted.extend(blocks.iter().map(|(_, block)| (block.address, block.end().max(block.address + 1))));
            self.sorted.push((end, end));
            self.sorted.sort_unstable();
            let mut free_from = start;
            for (low, high) in self.sorted.iter().filter(|(low, high)| start <= *high && *low <= end) {
                largest = largest.max(low.saturating_sub(free_from));
                free_from = free_from.max(*high);
            }
        }
        largest
    }
}

/// The room that a request needs at most, as the contract states it.
pub(super) fn needed(contract: &HeapContract, size: u64, align: u64) -> u64 {
    let bytes = u128::from(size) + u128::from(align - 1) + 2 * u128::from(contract.block_overhead);
    let needed = (bytes * u128::from(contract.waste)).div_ceil(16);
    u64::try_from(needed).unwrap_or(u64::MAX)
}
