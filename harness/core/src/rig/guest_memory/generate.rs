//! Draws guest-memory traces: swarm weights for each trace, addresses near edges and near what was just touched,
//! because uniform 64-bit addresses reach almost nothing.

use super::setups::{SETUP, draw_setup};
use crate::random::Random;
use crate::rig::weighted::WeightedTable;
use crate::rig::{Drawn, Generator};
use memtwin_models::Payload;
use memtwin_models::guest_memory::{
    DUMP_LIMIT_BYTES, DeviceIndex, EDGES, GuestAddress, GuestMemory, GuestMemoryContract, OWNERS, Op, OpKind, Owner,
    RamRange, Setup, TransferLength,
};
use memtwin_models::vocabulary::told;

/// The relative weight of each kind before the swarm has its say, in the order of [`OpKind::ALL`].
const WEIGHTS: [u32; OpKind::ALL.len()] = [80, 80, 12, 36, 36, 10, 28, 28, 4, 2, 2, 2, 6, 3, 16, 16, 40, 6, 3, 6];
/// Uniform addresses of a trace lie in a window of this many bytes.
const WINDOW_BYTES: u64 = 1 << 16;
/// Values that code takes for something special: nothing, all bits, the sign bits and their neighbours. Zero counts
/// twice: it is also what fresh memory holds, so that a store of it changes nothing.
const SPECIAL_VALUES: [u64; 8] = [0, 0, u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 31, 0xffff_ffff, 1];
/// How many touched places are remembered.
const RECENT: usize = 8;

/// What makes the traces of a run alike: drawn for each trace, or fixed for a benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// The relative weight of each op kind, in the order of [`OpKind::ALL`].
    pub weights: [u32; OpKind::ALL.len()],
    /// The longest bulk transfer in bytes.
    pub longest_transfer_bytes: u64,
    /// One in this many addresses is drawn from the whole address space.
    pub wild_one_in: u32,
}

/// The generator.
#[derive(Debug)]
pub struct GuestMemoryGenerator {
    contract: GuestMemoryContract,
    /// Instead of swarm mixes.
    fixed: Option<Mix>,
    memory_size: u64,
    /// Where RAM lies, if not from 0 on.
    ranges: Vec<RamRange>,
    strict_alignment: bool,
    /// Whether devices are mapped and unmapped in this trace.
    devices_move: bool,
    edges: [u64; EDGES],
    kinds: WeightedTable<OpKind>,
    recent: [(u64, u8); RECENT],
    next_recent: usize,
    reserved: [(u64, u8); OWNERS as usize],
    /// Whether there are atomic accesses in this trace.
    has_atomics: bool,
    /// Whether the setup has a dirty log.
    has_log: bool,
    /// Where the last atomic store or compare-exchange was, with its size, and what it was to store.
    exchanged: (u64, u8, u64),
    longest_transfer: u64,
    /// In 128ths.
    wild_share: u32,
    /// Where uniform addresses of this trace begin, and how many there are: a page of a huge memory that is touched
    /// once costs more than many ops and shows nothing.
    window_base: u64,
    window_bytes: u64,
}

impl Generator<GuestMemory> for GuestMemoryGenerator {
    const DRAWN: Drawn = Drawn {
        weights: &WEIGHTS,
        sentences: &[
            (&["setup"], SETUP),
            (&["trace"], Self::SWARM),
            (&["owner"], "Each of them alike."),
            (&["address"], Self::PLACE),
            (&["size"], Self::SCALAR),
            (&["invalidate_reservation"], "`size` has as many bits as chance says, up to 8."),
            (
                &["store_conditional"],
                "Three in four go to the place, and have the size, of the owner's last `load_reserved`.",
            ),
            (
                &["atomic_load", "atomic_store", "compare_exchange"],
                "In one trace of four. Places and sizes are those of other scalars, 15 in 16 aligned. Three in four \
                 compare-exchanges go where the last of them or of the atomic stores went.",
            ),
            (
                &["expected"],
                "Behind such an op: what it was to store, but one in eight something else; elsewhere 0, which is what \
                 fresh memory holds.",
            ),
            (
                &["map_device", "unmap_device"],
                "In half of the traces whose setups have devices. Any of three; one base in four is where a device of \
                 the setup begins or ends, the others are places like those of accesses, three in four a multiple of 64.",
            ),
            (&["value"], VALUE),
            (&["length"], Self::TRANSFER),
            (&["seed"], "Below 1,024."),
            (&["payload"], "Half are as long as memory, the others differ from that in the lowest five bits."),
        ],
    };

    fn new(contract: &GuestMemoryContract) -> Self {
        GuestMemoryGenerator {
            contract: *contract,
            fixed: None,
            memory_size: 0,
            ranges: Vec::new(),
            strict_alignment: false,
            devices_move: false,
            edges: [0; EDGES],
            kinds: WeightedTable::of(OpKind::Read),
            recent: [(0, 8); RECENT],
            next_recent: 0,
            reserved: [(0, 8); OWNERS as usize],
            has_atomics: false,
            has_log: false,
            exchanged: (0, 8, 0),
            longest_transfer: 1,
            wild_share: 0,
            window_base: 0,
            window_bytes: 0,
        }
    }

    fn setup(&mut self, random: &mut Random) -> Setup {
        draw_setup(&self.contract, random)
    }

    fn draws_later(&self) -> bool {
        self.devices_move || self.has_atomics || self.has_log
    }

    fn begin(&mut self, setup: &Setup, random: &mut Random) {
        self.memory_size = setup.memory_size;
        self.ranges.clone_from(&setup.ram);
        self.strict_alignment = setup.strict_alignment;
        let can_move = !setup.devices.is_empty() && !self.contract.fixed_devices && self.fixed.is_none();
        self.devices_move = can_move && random.one_in(2);
        self.has_atomics = !self.contract.no_atomics && self.fixed.is_none() && random.one_in(4);
        self.exchanged = (0, 8, 0);
        self.has_log = setup.dirty_log.is_some();
        self.edges = setup.edges();
        let first = setup.ram.first().map_or(setup.memory_size / 2, |range| range.base);
        (self.recent, self.next_recent) = ([(first, 8); RECENT], 0);
        self.reserved = [(0, 8); OWNERS as usize];
        let mix = self.fixed.unwrap_or_else(|| self.draw_mix(random));
        self.longest_transfer = mix.longest_transfer_bytes;
        self.wild_share = 128 / mix.wild_one_in.max(1);
        self.kinds = WeightedTable::of(OpKind::Read);
        self.kinds.fill(&mix.weights, OpKind::ALL);
        self.window_bytes = setup.memory_size.min(WINDOW_BYTES);
        let room = setup.memory_size - self.window_bytes;
        self.window_base = if random.one_in(2) { 0 } else { room - room / u64::from(1 + random.below(64)) };
    }

    #[allow(clippy::cast_possible_truncation)] // random bits are cut to what is asked for
    #[inline(always)] // next to `write_op`, so that the kind is looked at once and the op is never put together
    fn op(&mut self, random: &mut Random) -> Op {
        // One draw serves the kind, the owner and the size.
        let bits = random.bits();
        let kind = self.kinds.at(bits.to_le_bytes()[0]);
        let owner = Owner::new_folded((bits >> 8) as u8);
        let draw = (bits >> 16) as u16;
        match kind {
            OpKind::Read => {
                let (address, size) = self.scalar(draw, random);
                Op::Read { owner, address, size }
            }
            OpKind::Write => {
                let (address, size) = self.scalar(draw, random);
                Op::Write { owner, address, value: value((bits >> 32) as u8, random), size }
            }
            OpKind::FetchInstruction => {
                let (address, _) = self.scalar(draw, random);
                Op::FetchInstruction { owner, address }
            }
            OpKind::LoadReserved => {
                let (address, size) = self.scalar(draw, random);
                self.reserved[owner.index()] = (address.0, size);
                Op::LoadReserved { owner, address, size }
            }
            OpKind::StoreConditional => {
                let (address, size) = if draw.is_multiple_of(4) {
                    self.scalar(draw >> 2, random)
                } else {
                    let (address, size) = self.reserved[owner.index()];
                    (GuestAddress(address), size)
                };
                Op::StoreConditional { owner, address, value: value((bits >> 32) as u8, random), size }
            }
            OpKind::InvalidateReservation => {
                let (address, _) = self.scalar(draw, random);
                Op::InvalidateReservation { owner, address, size: random.magnitude(8) as u8 }
            }
            OpKind::ReadBulk => {
                let (address, length) = self.transfer(random);
                Op::ReadBulk { owner, address, length }
            }
            OpKind::WriteBulk => {
                let (address, length) = self.transfer(random);
                // Few seeds keep the noise in the cache; 1,024 tell writes apart well enough.
                Op::WriteBulk { owner, address, seed: draw & 0x3ff, length }
            }
            OpKind::MemorySize => Op::MemorySize { owner },
            OpKind::Dump => Op::Dump { owner },
            OpKind::Restore => {
                let length = if random.one_in(2) { self.memory_size } else { self.memory_size ^ random.magnitude(5) };
                Op::Restore { owner, payload: Payload { seed: draw, length: length as u32 } }
            }
            OpKind::RestoreDump => Op::RestoreDump { owner },
            OpKind::MapDevice => {
                // Where another device ends or begins, at what was touched, or anywhere.
                let base =
                    if draw & 3 == 0 { self.edges[8 + usize::from(draw >> 2) % 6] } else { self.place(8, random) };
                let base = if draw & 0x300 == 0 { base } else { base & !0x3f };
                Op::MapDevice { owner, device: DeviceIndex::new_folded((draw >> 4) as u8), base: GuestAddress(base) }
            }
            OpKind::AtomicLoad => {
                let (address, size) = self.aligned(draw, random);
                Op::AtomicLoad { owner, address, size }
            }
            OpKind::AtomicStore => {
                let (address, size) = self.aligned(draw, random);
                let value = value((bits >> 32) as u8, random);
                self.exchanged = (address.0, size, value);
                Op::AtomicStore { owner, address, value, size }
            }
            OpKind::CompareExchange => {
                let value = value((bits >> 32) as u8, random);
                let (address, size, expected) = if (bits >> 40) & 3 == 0 {
                    let (address, size) = self.aligned(draw, random);
                    (address.0, size, 0)
                } else {
                    let (address, size, expected) = self.exchanged;
                    (address, size, if (bits >> 42) & 7 == 0 { value } else { expected })
                };
                self.exchanged = (address, size, value);
                Op::CompareExchange { owner, address: GuestAddress(address), expected, value, size }
            }
            OpKind::DirtyLog => Op::DirtyLog { owner },
            OpKind::TakeDirtyLog => Op::TakeDirtyLog { owner },
            OpKind::DumpDirty => Op::DumpDirty { owner },
            OpKind::UnmapDevice => Op::UnmapDevice { owner, device: DeviceIndex::new_folded((draw >> 4) as u8) },
        }
    }
}

impl GuestMemoryGenerator {
    /// A generator whose traces all have the same mix.
    #[must_use]
    pub fn with_mix(contract: &GuestMemoryContract, mix: Mix) -> Self {
        GuestMemoryGenerator { fixed: Some(mix), ..Self::new(contract) }
    }

    /// Swarm weights (Groce et al., "Swarm Testing", ISSTA 2012): each trace leaves some kinds out and favours others,
    /// for each kind's weight is multiplied by 0, 1, 1, 2 or 4. Ops on the whole memory cost in proportion to it, so
    /// with 64 KiB one trace in 17 has any, with 1 MiB one in 257, and with more none.
    #[told(SWARM)]
    fn draw_mix(&self, random: &mut Random) -> Mix {
        let longest_transfer_bytes = match random.below(8) {
            0 => 65_536,
            1 | 2 => 4096,
            _ => 256,
        };
        let wild_one_in = random.choose(&[6, 12, 24, 48]);
        let mut weights = WEIGHTS;
        for (weight, kind) in weights.iter_mut().zip(OpKind::ALL) {
            *weight *= random.choose(&[0, 1, 1, 2, 4]);
            *weight = if self.can(*kind) { *weight } else { 0 };
        }
        if !self.whole_memory_ops_are_cheap(random) {
            weights[OpKind::Dump as usize..=OpKind::RestoreDump as usize].fill(0);
        }
        Mix { weights, longest_transfer_bytes, wild_one_in }
    }

    fn can(&self, kind: OpKind) -> bool {
        match kind {
            OpKind::LoadReserved | OpKind::StoreConditional | OpKind::InvalidateReservation => {
                !self.contract.no_reservations
            }
            OpKind::Dump | OpKind::Restore | OpKind::RestoreDump => !self.contract.no_dump,
            OpKind::MapDevice | OpKind::UnmapDevice => self.devices_move,
            OpKind::DirtyLog | OpKind::TakeDirtyLog | OpKind::DumpDirty => self.has_log,
            OpKind::AtomicLoad | OpKind::AtomicStore => self.has_atomics,
            OpKind::CompareExchange => self.has_atomics && !self.contract.no_compare_exchange,
            OpKind::Read
            | OpKind::Write
            | OpKind::FetchInstruction
            | OpKind::ReadBulk
            | OpKind::WriteBulk
            | OpKind::MemorySize => true,
        }
    }

    /// Ops on the whole memory cost in proportion to it: always for 1 KiB, seldom for 64 KiB, hardly ever for 1 MiB.
    #[allow(clippy::cast_possible_truncation)] // at most 1 MiB where it matters
    fn whole_memory_ops_are_cheap(&self, random: &mut Random) -> bool {
        self.memory_size <= DUMP_LIMIT_BYTES && random.one_in((self.memory_size / 4096) as u32 + 1)
    }

    /// 1, 2, 4 or 8, but one in 64 is any byte.
    #[told(SCALAR)]
    #[allow(clippy::cast_possible_truncation)] // random bits are cut to what is asked for
    #[inline]
    fn scalar(&mut self, draw: u16, random: &mut Random) -> (GuestAddress, u8) {
        let odd_size = (draw >> 6) as u8;
        let size = if draw & 0x3f == 0 { odd_size } else { 1 << (draw & 3) };
        let address = self.place(u64::from(size), random);
        let aligns = self.strict_alignment && !draw.is_multiple_of(16);
        let mask = if aligns { u64::from(size.wrapping_sub(1) & 7) } else { 0 };
        let address = address & !mask;
        self.remember(address, size);
        (GuestAddress(address), size)
    }

    /// A scalar of which 15 in 16 are aligned.
    fn aligned(&mut self, draw: u16, random: &mut Random) -> (GuestAddress, u8) {
        let (GuestAddress(address), size) = self.scalar(draw, random);
        let mask = if random.one_in(16) { 0 } else { u64::from(size.wrapping_sub(1) & 7) };
        (GuestAddress(address & !mask), size)
    }

    /// Seven in sixteen lie between 1 and the trace's longest, six are 1 to 64, one is 0, one is that longest, and one
    /// ends at an edge of the setup. The longest is 64 KiB in one trace of eight, 4 KiB in two, 256 bytes in the
    /// others.
    #[told(TRANSFER)]
    #[inline]
    fn transfer(&mut self, random: &mut Random) -> (GuestAddress, TransferLength) {
        let bits = random.bits();
        let length = match bits & 0xf {
            0 => 0,
            // From a remembered place to the next edge and a little more or less: the lengths at which borders show.
            1 => self.edges[((bits >> 4) & 31) as usize].wrapping_sub(self.recent[0].0).min(self.longest_transfer),
            2 => self.longest_transfer,
            // Small lengths half of the time: they cost least for what they reach.
            3..=8 => 1 + ((bits >> 4) & 0x3f),
            _ => (((bits >> 32) * self.longest_transfer) >> 32) + 1,
        };
        let address = self.place(length, random);
        self.remember(address, length.min(64) as u8);
        (GuestAddress(address), TransferLength::new_folded(length))
    }

    /// Uniform addresses reach nothing. One in 6, 12, 24 or 48 of a trace lies up to 1,023 bytes round any edge of the
    /// setup, devices and the last address among them. Nearly half lie at one of the last eight places touched, behind
    /// it, before it or a little aside; three in sixteen at an edge, of which a quarter begin there, a quarter end
    /// there, and the others lie right before, so that some cross it; the others in a window of up to 64 KiB. Where RAM
    /// lies in ranges, a quarter lies at their borders, as likely across them, and the window is the first 64 KiB of
    /// any. Where setups are strict about it, 15 scalars in 16 are aligned.
    #[told(PLACE)]
    #[inline]
    fn place(&self, length: u64, random: &mut Random) -> u64 {
        // All three are computed and one is chosen, because a wrong guess of the processor costs more than the others.
        let bits = random.bits();
        let choice = bits & 0xff;
        let index = ((bits >> 8) & 0x1f) as usize;
        let detail = bits >> 16;

        let (recent, size) = self.recent[index % RECENT];
        let after = if detail & 7 == 0 { u64::from(size) } else { 0 };
        let before = if detail & 7 == 1 { length } else { 0 };
        let aside = if detail & 7 == 2 { (detail >> 4) & 0x7f } else { 0 };
        let near = (recent ^ aside).wrapping_add(after).wrapping_sub(before);

        if choice < 2 * u64::from(self.wild_share) {
            // Anything at all round any edge: mostly errors and devices.
            return self.edges[index].wrapping_add(random.magnitude(10)).wrapping_sub(random.magnitude(10));
        }
        // So many bytes before the edge that some accesses cross it.
        let back = ((detail & 0xffff) * (length + 9)) >> 16;
        let near_edge = back.wrapping_sub((bits >> 60) & 7);
        let at_edge = select((detail >> 17) & 1 == 0, 0, length);
        let back = select((detail >> 16) & 1 == 0, near_edge, at_edge);
        let edge = self.edges[13 + index % 19].wrapping_sub(back);
        if self.ranges.is_empty() {
            let uniform = self.window_base + (((bits >> 32) * self.window_bytes) >> 32);
            let inside = self.fold(select(208 <= choice, edge, uniform), length);
            return select(choice < 128, near, inside);
        }
        let range = self.ranges[index % self.ranges.len()];
        let uniform = range.base + (((bits >> 32) * range.bytes.min(WINDOW_BYTES)) >> 32);
        select(choice < 128, near, select(192 <= choice, edge, uniform))
    }

    /// The nearest address at which `length` bytes fit.
    #[inline]
    fn fold(&self, number: u64, length: u64) -> u64 {
        number.min(self.memory_size.saturating_sub(length))
    }

    #[inline]
    fn remember(&mut self, address: u64, size: u8) {
        self.recent[self.next_recent % RECENT] = (address, size);
        self.next_recent = self.next_recent.wrapping_add(1);
    }
}

/// One of two numbers, certainly without a branch.
#[inline]
fn select(condition: bool, yes: u64, no: u64) -> u64 {
    let mask = u64::from(condition).wrapping_neg();
    yes & mask | no & !mask
}

/// Any bits, but one in 16 is 0, 1, or all bits, the sign bit, or their neighbours, of 32 and of 64 bits.
#[told(VALUE)]
#[inline]
fn value(draw: u8, random: &mut Random) -> u64 {
    let bits = random.bits();
    if draw & 0xf == 0 { SPECIAL_VALUES[usize::from(draw >> 4 & 7)] } else { bits }
}
