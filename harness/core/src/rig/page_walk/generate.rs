//! Draws page-walk traces: a few clusters of virtual pages mapped to the ends of backings, raw entries on the way to
//! them, reads and walks round page borders, and buffers whose pointers and prefixes a hostile guest has rewritten.

use super::layout::Expected;
use crate::random::Random;
use crate::rig::weighted::WeightedTable;
use crate::rig::{Drawn, Generator};
use memtwin_models::page_walk::translate::{COPY_ON_WRITE, LARGE, NO_EXECUTE, WRITABLE};
use memtwin_models::page_walk::{
    EDGES, File, MAX_FILLED, MAX_MAPPED, MAX_MAPPED_PAGES, MappingKind, Op, OpKind, PAGE_BYTES, PageWalk,
    PageWalkContract, SLOTS, SNAPSHOT_GPA, Setup, Slot,
};
use memtwin_models::vocabulary::told;
use memtwin_models::{Component as _, Effect};

/// The relative weight of each kind before the swarm has its say, in the order of [`OpKind::ALL`].
const WEIGHTS: [u32; OpKind::ALL.len()] =
    [36, 3, 3, 12, 32, 4, 50, 60, 8, 30, 28, 28, 40, 24, 24, 6, 3, 3, 3, 10, 24, 24, 4, 4];
/// One in this many traces has ops that came later than version 1.
const LATER_ONE_IN: u32 = 2;
/// One mapping in this many of such a trace makes pages for user mode.
const FOR_USERS_ONE_IN: u32 = 4;
/// Clusters of virtual pages in a trace.
const CLUSTERS: usize = 3;
/// One in this many traces walks round a bound: that costs as much as a hundred ops, or with full bounds a hundred
/// thousand.
const BOUNDS_ONE_IN: u32 = 32;
/// One in this many traces takes a snapshot before its mappings make more tables than a tail holds.
const EARLY_SNAPSHOT_ONE_IN: u32 = 16;
/// Raw entries of a trace that lead to tables.
const LINKS: u32 = 6;
/// Flags of leaves, besides present.
pub(super) const LEAF_FLAGS: [u64; 10] = [
    WRITABLE,
    0,
    COPY_ON_WRITE,
    COPY_ON_WRITE | WRITABLE,
    COPY_ON_WRITE | 1 << 10,
    COPY_ON_WRITE | 1 << 11,
    1 << 10 | 1 << 11,
    NO_EXECUTE,
    WRITABLE | NO_EXECUTE,
    LARGE | WRITABLE,
];

/// The generator.
#[derive(Debug)]
pub struct PageWalkGenerator {
    contract: PageWalkContract,
    pub(super) setup: Setup,
    pub(super) edges: [u64; EDGES],
    kinds: WeightedTable<OpKind>,
    clusters: [u64; CLUSTERS],
    pub(super) expected: Expected,
    /// Ops that are drawn together, the next one last.
    pub(super) planned: Vec<Op>,
    /// Whether ops that came later than version 1 are drawn.
    pub(super) draws_later: bool,
    /// Whether walks begin at a root that leads nowhere.
    is_astray: bool,
    /// Where the last mapping began.
    pub(super) last_virt: u64,
    /// How many raw entries may still lead to tables: each doubles what a walk of everything costs, or worse.
    pub(super) links_left: u32,
}

impl Generator<PageWalk> for PageWalkGenerator {
    const DRAWN: Drawn = Drawn {
        weights: &WEIGHTS,
        sentences: &[
            (&["setup"], super::setups::SETUP),
            (&["trace"], Self::SWARM),
            (&["map"], Self::MAP),
            (&["kind"], MAPPING_KIND),
            (&["set_root"], Self::ROOT),
            (&["read_entry", "write_entry", "fill_entries"], Self::ENTRY_ADDRESS),
            (&["write_entry", "fill_entries"], Self::ENTRY),
            (&["fill_entries"], "`count` reaches the end of the table in one of 256, is 64 in one of 16, else 0 to 4."),
            (&["walk", "read", "read_as_user"], Self::RANGE),
            (&["translate"], "The first or the last address of such a range."),
            (&["map_file", "unmap_file"], "Each file alike; half of those taken away are mapped again at once."),
            (&["guest_write"], Self::GPA_RANGE),
            (&["guest_write"], "One `length` in three reaches the next edge of the setup, if that is near."),
            (&["guest_word"], Self::GUEST_WORD),
            (&["seed"], "Below 1,024."),
            (&["shared_read"], Self::SHARED_READ),
            (&["push"], Self::PUSH),
            (&["slot"], "Each alike."),
            (&["add_file_mapping"], "`address` is an edge of the setup; `length` has up to 32 bits."),
        ],
    };

    fn new(contract: &PageWalkContract) -> Self {
        PageWalkGenerator {
            contract: *contract,
            setup: Setup::plain(),
            edges: [0; EDGES],
            kinds: WeightedTable::of(OpKind::Map),
            clusters: [0; CLUSTERS],
            expected: Expected::default(),
            planned: Vec::new(),
            draws_later: false,
            is_astray: false,
            last_virt: 0,
            links_left: LINKS,
        }
    }

    fn draws_later(&self) -> bool {
        self.draws_later
    }

    fn setup(&mut self, random: &mut Random) -> Setup {
        super::setups::draw(&self.contract, random)
    }

    fn begin(&mut self, setup: &Setup, random: &mut Random) {
        self.begin_trace(setup, random);
    }

    fn op(&mut self, random: &mut Random) -> Op {
        loop {
            let op = match self.planned.pop() {
                Some(op) => op,
                None if self.is_astray && random.one_in(6) => Op::SetRoot { root: self.setup.table_base },
                None => {
                    let kind = self.kinds.at(random.bits().to_le_bytes()[0]);
                    self.draw(kind, random)
                }
            };
            if PageWalk::asks(&self.contract, &op) {
                self.note(&op);
                return op;
            }
        }
    }
}

impl PageWalkGenerator {
    /// Three clusters of eight virtual pages, at 0 and in the first megabytes, at the ends of tables and of the
    /// canonical halves, or anywhere; each is mapped first. Each kind's weight is multiplied by 0, 1, 1, 2 or 4, but
    /// some ops map. One trace in 32 walks round a bound of work, one in 16 takes a snapshot before its mappings. Walks
    /// that begin at a wrong root go on for six ops on average. Half of the traces have ops that came later than
    /// version 1; there one mapping in four is made the user's by hand, one of these but for a table.
    #[told(SWARM)]
    fn begin_trace(&mut self, setup: &Setup, random: &mut Random) {
        self.setup.clone_from(setup);
        self.edges = setup.edges();
        self.expected.begin(setup);
        self.planned.clear();
        self.is_astray = false;
        self.links_left = LINKS;
        for cluster in &mut self.clusters {
            *cluster = match random.below(8) {
                0 | 1 => 0x20_0000 * u64::from(random.below(3)),
                2 => 0x7fff_ffff_c000,
                3 => 0xffff_8000_0000_0000,
                4 => 0xffff_ffff_ffff_c000,
                5 => 0x3fff_c000,
                6 => 0x7f_ffff_c000,
                _ => (random.bits() >> 18).cast_signed().wrapping_shl(17).wrapping_shr(17).cast_unsigned() & !0xfff,
            };
            if !memtwin_models::page_walk::translate::is_canonical(*cluster) {
                *cluster = 0;
            }
        }
        self.draws_later = random.one_in(LATER_ONE_IN);
        let mut weights = WEIGHTS;
        for (weight, kind) in weights.iter_mut().zip(OpKind::ALL) {
            *weight *= random.choose(&[0, 1, 1, 2, 4]);
            // Without pages there is little to see.
            if kind.makes_pages() {
                *weight = (*weight).max(WEIGHTS[*kind as usize] / 2);
            }
            if !self.is_known(*kind) || kind.is_later() && !self.draws_later {
                *weight = 0;
            }
        }
        self.kinds.fill(&weights, OpKind::ALL);
        for index in 0..CLUSTERS {
            let op = self.map_at(self.clusters[index], random);
            self.planned.push(op);
        }
        // Before any mapping it is known where the tables are.
        let is_bounded = !self.contract.no_bounds && self.is_known(OpKind::FillEntries);
        if random.one_in(BOUNDS_ONE_IN) && is_bounded {
            super::bounds::plan(setup, !self.contract.no_memory, random, &mut self.planned);
        } else if !self.contract.no_memory && random.one_in(EARLY_SNAPSHOT_ONE_IN) {
            self.planned.push(Op::Snapshot { slot: slot(random) });
        }
        // A trace that is written in version 2 has an op that needs it.
        if self.draws_later {
            self.planned.push(Op::Translate { address: 0 });
        }
    }

    /// Whether any op of this kind is asked for.
    fn is_known(&self, kind: OpKind) -> bool {
        let mut classes = PageWalk::OUTCOME_CLASSES.iter().enumerate();
        classes.any(|(class, known)| {
            known.effect != Effect::Skipped && PageWalk::permits(&self.contract, kind as usize, class)
        })
    }

    fn note(&mut self, op: &Op) {
        match *op {
            Op::Map { virt, length, kind, .. } => {
                self.last_virt = virt;
                if kind != MappingKind::Unmapped && virt.is_multiple_of(PAGE_BYTES) {
                    for page in 0..(length / PAGE_BYTES).min(16) {
                        self.expected.map(virt.wrapping_add(page * PAGE_BYTES));
                    }
                }
            }
            Op::AllocTable => self.expected.alloc(),
            Op::SetRoot { root } => self.is_astray = root & !0xfff != self.setup.table_base,
            Op::Push { length, .. } => self.expected.push(length),
            Op::Pop | Op::PopPrefixed => self.expected.pop(),
            Op::Clear | Op::Build | Op::Restore { .. } => self.expected.empty(),
            Op::ReadEntry { .. }
            | Op::WriteEntry { .. }
            | Op::FillEntries { .. }
            | Op::Walk { .. }
            | Op::Read { .. }
            | Op::Regions
            | Op::GuestWrite { .. }
            | Op::GuestWord { .. }
            | Op::SharedRead { .. }
            | Op::Snapshot { .. }
            | Op::AddFileMapping { .. }
            | Op::Translate { .. }
            | Op::ReadAsUser { .. }
            | Op::MapFile { .. }
            | Op::UnmapFile { .. } => {}
        }
    }

    fn draw(&mut self, kind: OpKind, random: &mut Random) -> Op {
        match kind {
            OpKind::Map if self.draws_later && random.one_in(FOR_USERS_ONE_IN) => self.map_for_users(random),
            OpKind::Map => self.map(random),
            OpKind::AllocTable => Op::AllocTable,
            OpKind::SetRoot => Op::SetRoot { root: self.root(random) },
            OpKind::ReadEntry => Op::ReadEntry { address: self.entry_address(random).0 },
            OpKind::WriteEntry => {
                let (address, level) = self.entry_address(random);
                Op::WriteEntry { address, value: self.entry(level, 1, random) }
            }
            OpKind::FillEntries => {
                let (address, level) = self.entry_address(random);
                let count = match random.below(256) {
                    0 => MAX_FILLED - u16::try_from(address / 8 % u64::from(MAX_FILLED)).unwrap_or(0),
                    1..=16 => 64,
                    _ => random.choose(&[0, 1, 1, 2, 3, 4]),
                };
                Op::FillEntries { address, count, value: self.entry(level, u32::from(count), random) }
            }
            OpKind::Walk => {
                let (address, length) = self.range(random);
                Op::Walk { address, length }
            }
            OpKind::Read => {
                let (address, length) = if self.setup.paging { self.range(random) } else { self.gpa_range(random) };
                Op::Read { address, length }
            }
            OpKind::ReadAsUser => {
                let (address, length) = if self.setup.paging { self.range(random) } else { self.gpa_range(random) };
                Op::ReadAsUser { address, length }
            }
            OpKind::Translate => {
                let (address, length) = self.range(random);
                let is_last = random.one_in(2);
                Op::Translate { address: if is_last { address.wrapping_add(length).wrapping_sub(1) } else { address } }
            }
            OpKind::MapFile => Op::MapFile { file: file(random) },
            OpKind::UnmapFile => {
                let file = file(random);
                if random.one_in(2) {
                    self.planned.push(Op::MapFile { file });
                }
                Op::UnmapFile { file }
            }
            OpKind::Regions => Op::Regions,
            OpKind::GuestWrite => {
                let (address, _) = self.gpa_range(random);
                let length = match self.up_to_next_edge(address) {
                    Some(length) if random.one_in(3) => length,
                    Some(_) | None => self.length16(random),
                };
                let seed = u16::from_le_bytes(random.bits().to_le_bytes().first_chunk().copied().unwrap_or_default());
                Op::GuestWrite { address, seed: seed & 0x3ff, length }
            }
            OpKind::GuestWord => self.guest_word(random),
            OpKind::SharedRead => self.shared_read(random),
            OpKind::Push => self.push(random),
            OpKind::Pop => Op::Pop,
            OpKind::PopPrefixed => Op::PopPrefixed,
            OpKind::Clear => Op::Clear,
            OpKind::Snapshot => Op::Snapshot { slot: slot(random) },
            OpKind::Restore => Op::Restore { slot: slot(random) },
            OpKind::Build => Op::Build,
            OpKind::AddFileMapping => {
                Op::AddFileMapping { address: random.choose(&self.edges), length: random.magnitude(32) }
            }
        }
    }

    /// A page of a backing, mostly one of its last, or one right behind it.
    pub(super) fn backed_page(&self, random: &mut Random) -> u64 {
        let backings = u32::try_from(2 + self.setup.mapped.len()).unwrap_or(2);
        let (start, bytes) = match random.below(backings) {
            0 => (self.setup.scratch_gpa(), self.setup.scratch_bytes),
            1 => (SNAPSHOT_GPA, self.setup.snapshot_bytes),
            index => {
                let mapped = self.setup.mapped[index as usize - 2];
                (mapped.gpa, mapped.bytes)
            }
        };
        let pages = bytes.div_ceil(4096);
        let page = if random.one_in(2) { random.below(pages + 1) } else { pages.saturating_sub(1 + random.below(2)) };
        start + u64::from(page) * PAGE_BYTES
    }

    pub(super) fn virtual_page(&self, random: &mut Random) -> u64 {
        let cluster = random.choose(&self.clusters);
        cluster.wrapping_add(u64::from(random.below(8)) * PAGE_BYTES)
    }

    fn map_at(&self, virt: u64, random: &mut Random) -> Op {
        let length = PAGE_BYTES * u64::from(1 + random.below(4));
        Op::Map { phys: self.backed_page(random), virt, length, kind: mapping_kind(random) }
    }

    /// Eleven in sixteen map one to four pages of the trace's clusters to a page of a backing, mostly one of its last,
    /// or the one behind it. Four map two pages in a row, of one backing or two, alike or nearly so. One is at an edge
    /// of the setup, not aligned, or large.
    #[told(MAP)]
    fn map(&mut self, random: &mut Random) -> Op {
        match random.below(16) {
            // Two pages in a row of one or two backings, alike or nearly so.
            0..=3 => {
                let virt = self.virtual_page(random);
                let kind = mapping_kind(random);
                let next_kind = match (kind, random.below(3)) {
                    (MappingKind::Cow { r, x }, 0) => MappingKind::Basic { r, w: false, x },
                    (MappingKind::Basic { r, x, .. }, 0) => MappingKind::Cow { r, x },
                    (MappingKind::Cow { .. } | MappingKind::Basic { .. } | MappingKind::Unmapped, _) => kind,
                };
                let phys = self.backed_page(random);
                let next_phys = match self.setup.mapped.first() {
                    Some(mapped) if random.one_in(2) => mapped.gpa,
                    _ => phys.wrapping_add(PAGE_BYTES),
                };
                let snapshot_last = SNAPSHOT_GPA + u64::from(self.setup.snapshot_bytes - 1) / PAGE_BYTES * PAGE_BYTES;
                let phys = if random.one_in(2) { snapshot_last } else { phys };
                let next = virt.wrapping_add(PAGE_BYTES);
                self.planned.push(Op::Map { phys: next_phys, virt: next, length: PAGE_BYTES, kind: next_kind });
                Op::Map { phys, virt, length: PAGE_BYTES, kind }
            }
            4 => {
                // Something is wrong with it, or it is large.
                let phys = match random.below(4) {
                    0 | 1 => self.backed_page(random),
                    2 => random.choose(&self.edges),
                    _ => random.choose(&self.edges).wrapping_sub(PAGE_BYTES),
                };
                let virt = if random.one_in(2) { self.virtual_page(random) } else { random.choose(&self.edges) };
                let length = match random.below(8) {
                    0 => 0,
                    1 => PAGE_BYTES * u64::from(random.below(64)),
                    2 => random.choose(&self.edges),
                    3 => 1_u64 << (12 + random.below(40)),
                    _ => PAGE_BYTES,
                };
                // Every later walk of everything pays for a large mapping that succeeds.
                let is_costly = (64..=MAX_MAPPED_PAGES).contains(&(length / PAGE_BYTES));
                let length = if is_costly && !random.one_in(64) { PAGE_BYTES } else { length };
                let bits = random.choose(&[0, 0x200, 0x80, 1, 0x800]);
                match random.below(4) {
                    0 => Op::Map { phys: phys ^ bits, virt, length, kind: mapping_kind(random) },
                    1 => Op::Map { phys, virt: virt ^ bits, length, kind: mapping_kind(random) },
                    2 => Op::Map { phys, virt, length: length ^ bits, kind: mapping_kind(random) },
                    _ => Op::Map { phys, virt, length, kind: mapping_kind(random) },
                }
            }
            _ => self.map_at(self.virtual_page(random), random),
        }
    }

    /// Of 32 ranges nine are one to four pages, five up to 256 bytes, five up to 16 KiB, and four end at a page's end
    /// or a byte off it, in the clusters, half of them in the page mapped last; half begin at a page's start, one in
    /// eight at its last byte. Two end at an edge. The others are empty, leave the address space or its canonical
    /// halves, go from edge to edge, or ask for more than a walk may take. Without paging reads have guest-physical
    /// ranges.
    #[told(RANGE)]
    fn range(&self, random: &mut Random) -> (u64, u64) {
        let bits = random.bits();
        let page = if bits & 1 == 0 { self.last_virt & !0xfff } else { self.virtual_page(random) };
        let offset = match bits >> 1 & 7 {
            0 => 0xfff,
            1..=3 => bits >> 8 & 0xfff,
            _ => 0,
        };
        let address = page.wrapping_add(offset);
        match bits >> 32 & 31 {
            0 => (address, 0),
            1 => (address, random.magnitude(63)),
            2 => (address, 0_u64.wrapping_sub(address).wrapping_add(random.magnitude(2)).wrapping_sub(1)),
            3 => (address ^ 1 << (47 + random.below(17)), PAGE_BYTES),
            4 => {
                let edge = random.choose(&self.edges).wrapping_sub(random.magnitude(13));
                (edge, random.choose(&self.edges).wrapping_add(random.magnitude(3)))
            }
            5 => (address, (1 << 40) + random.magnitude(12)),
            6 => (address, PAGE_BYTES * u64::from(2 + random.below(255))),
            7..=15 => (address, PAGE_BYTES * (1 + (bits >> 40 & 3))),
            16 | 17 => {
                let length = 1 + random.magnitude(14);
                (random.choose(&self.edges).wrapping_sub(length), length)
            }
            18..=21 => {
                let end = page.wrapping_add(PAGE_BYTES * (1 + (bits >> 40 & 3))).wrapping_add(bits >> 44 & 3);
                (address, end.wrapping_sub(1).wrapping_sub(address))
            }
            22..=26 => (address, 1 + (bits >> 40 & 0x3fff)),
            _ => (address, 1 + (bits >> 40 & 0xff)),
        }
    }
}

fn file(random: &mut Random) -> File {
    #[allow(clippy::cast_possible_truncation)] // three
    File::new_folded(random.below(MAX_MAPPED as u32).to_le_bytes()[0])
}

fn slot(random: &mut Random) -> Slot {
    Slot::new_folded(random.below(SLOTS.into()).to_le_bytes()[0])
}

/// Five in eight are plain, two are copied before the first write, one takes pages away; rights are drawn alike.
#[told(MAPPING_KIND)]
fn mapping_kind(random: &mut Random) -> MappingKind {
    let bits = random.bits();
    let bit = |index: u32| bits >> index & 1 != 0;
    match bits >> 8 & 7 {
        0 => MappingKind::Unmapped,
        1 | 2 => MappingKind::Cow { r: bit(0), x: bit(1) },
        _ => MappingKind::Basic { r: bit(0), w: bit(1), x: bit(2) },
    }
}
