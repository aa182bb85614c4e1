//! Draws temp-map traces: swarm weights for each trace, few frames and few free slots much of the time so that both run
//! out, accesses to what is mapped and to what just was, and numbers round the edges of the address space.

use super::belief::{Belief, Pinned};
use super::operands::{MODE, PAGES, mode_for};
use super::repeat::{keeps_windows, step};
use crate::random::Random;
use crate::rig::repeat::{MOST_OPS, Repeat};
use crate::rig::weighted::WeightedTable;
use crate::rig::{Drawn, Generator};
use memtwin_models::temp_map::{
    CPUS, Cpu, EDGES, Hold, KERNEL_HALF, MAX_FILE_BYTES, MAX_FRAMES, MAX_SEGMENTS, MIN_FRAMES, Mode, Op, OpKind,
    PAGE_BYTES, PageFlags, PageSource, PhysicalAddress, Process, SLOTS, Segment, Segments, Setup, Space, TempFrame,
    TempMap, TempMapContract, VirtualAddress, WINDOW_BASE,
};
use memtwin_models::vocabulary::told;

/// The relative weight of each kind before the swarm has its say, in the order of [`OpKind::ALL`].
const WEIGHTS: [u32; OpKind::ALL.len()] = [6, 10, 5, 14, 20, 6, 4, 6, 10, 5, 10, 8, 18, 14, 32, 44, 16, 16, 7, 12];
/// Values that code takes for something special.
const VALUES: [u32; 4] = [0, 1, u32::MAX, 0x8000_0000];

/// The generator.
#[derive(Debug)]
pub struct TempMapGenerator {
    pub(super) edges: [u64; EDGES],
    pub(super) memory_start: u32,
    pub(super) frames: u32,
    pub(super) taken_slots: u32,
    kinds: WeightedTable<OpKind>,
    pub(super) belief: Belief,
    /// How many of [`PAGES`] the trace uses, from which on.
    pub(super) first_page: u32,
    pub(super) page_count: u32,
    /// The ops that a trace begins with, so that there is something to see.
    opening: u32,
    /// What is repeated next, and how many ops are still to be added to it.
    repeat: Repeat<Op>,
    to_repeat: u32,
    /// One in this many operands is wrong.
    pub(super) wrong_one_in: u32,
    cpus: u32,
    /// Whether ops that came later than version 1 are drawn.
    has_later: bool,
}

impl Generator<TempMap> for TempMapGenerator {
    const DRAWN: Drawn = Drawn {
        weights: &WEIGHTS,
        sentences: &[
            (&["setup"], SETUP),
            (&["trace"], Self::SWARM),
            (&["cpu"], "The first; in one trace of three both alike."),
            (&["process", "parent", "child", "hold"], Self::VARIABLE),
            (&["space"], "The kernel's in one of five, else that of a process."),
            (&["map_page"], Self::MAP_PAGE),
            (&["unmap_page", "unmap_page_no_free"], Self::PAGE),
            (&["get_phys_addr", "load", "store"], Self::ADDRESS),
            (&["mode"], MODE),
            (&["value"], "One in eight is 0, 1, all bits or the sign bit; the others are any."),
            (&["slot"], Self::SLOT),
            (&["map_temp"], Self::MAP_TEMP),
            (&["sys_write", "sys_read"], Self::BUFFER),
            (&["seed"], "Below 1,024."),
            (&["elf_load"], Self::SEGMENT),
            (&["protect"], Self::PROTECT),
        ],
    };

    fn new(_contract: &TempMapContract) -> Self {
        TempMapGenerator {
            edges: [0; EDGES],
            memory_start: 0,
            frames: 0,
            taken_slots: 0,
            kinds: WeightedTable::of(OpKind::Load),
            belief: Belief::new(),
            first_page: 0,
            page_count: 1,
            opening: 0,
            repeat: Repeat::default(),
            to_repeat: 0,
            wrong_one_in: 16,
            cpus: CPUS.into(),
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

    fn op(&mut self, random: &mut Random) -> Op {
        let cpu = Cpu::new_folded(if random.below(self.cpus) == 0 { 0 } else { 1 });
        if self.opening != 0 {
            self.opening -= 1;
            return self.opening_op(cpu, random);
        }
        if let Some(op) = self.repeat.next(step) {
            return op;
        }
        if self.to_repeat != 0 {
            return self.repeated_op(cpu, random);
        }
        if let Some(slot) = self.belief.loosely_pinned().filter(|_| random.one_in(4)) {
            return self.unmap_temp(cpu, slot);
        }
        let kind = self.kinds.at(random.bits().to_le_bytes()[0]);
        if self.belief.current[cpu.index()].is_none() && needs_process(kind) && random.one_in(2) {
            let is_any = self.belief.processes.iter().any(Option::is_some);
            return self.draw(if is_any { OpKind::Switch } else { OpKind::Create }, cpu, random);
        }
        self.draw(kind, cpu, random)
    }
}

/// Whether an op of this kind does little while no process is in force.
const fn needs_process(kind: OpKind) -> bool {
    match kind {
        OpKind::MapPage
        | OpKind::UnmapPage
        | OpKind::UnmapPageNoFree
        | OpKind::GetPhysAddr
        | OpKind::Load
        | OpKind::Store
        | OpKind::SysWrite
        | OpKind::SysRead
        | OpKind::ElfLoad
        | OpKind::Protect => true,
        OpKind::Create
        | OpKind::Fork
        | OpKind::Destroy
        | OpKind::Switch
        | OpKind::AllocFrame
        | OpKind::FreeFrame
        | OpKind::AllocSlot
        | OpKind::FreeSlot
        | OpKind::MapTemp
        | OpKind::UnmapTemp => false,
    }
}

impl TempMapGenerator {
    /// A trace uses two to six of twelve pages: neighbours, the ends of the user half and of directory entries. Seven
    /// in eight begin with a process that is put in force and gets pages. Each kind's weight is multiplied by 0, 1, 1,
    /// 2 or 4, but some ops map, load and store. One operand in 6, 16 or 48 of the trace is wrong. What would leave a
    /// frame free while it is mapped temporarily is not asked for, and such a mapping is soon taken away. One trace in
    /// 32 repeats one to four of its first ops 200 to 600 times, a page further each time, but for those that would
    /// change what a temporary mapping shows; every second one of these
    /// maps the frame in a variable. Pages are protected in one trace of three.
    #[told(SWARM)]
    fn begin_trace(&mut self, setup: &Setup, random: &mut Random) {
        self.edges = setup.edges();
        self.memory_start = setup.memory_start.0;
        self.frames = setup.frames.into();
        self.taken_slots = setup.taken_slots.into();
        self.belief.begin(setup, random);
        self.first_page = random.below(u32::try_from(PAGES.len()).unwrap_or(1));
        self.page_count = random.choose(&[2, 3, 4, 6]);
        self.opening = if random.one_in(8) { 0 } else { 2 + random.below(4) };
        self.wrong_one_in = random.choose(&[6, 16, 48]);
        self.cpus = random.choose(&[1, 1, u32::from(CPUS)]);
        self.repeat.clear();
        self.to_repeat = if random.one_in(32) { 1 + random.below(MOST_OPS) } else { 0 };
        let mut weights = WEIGHTS;
        for weight in &mut weights {
            *weight *= random.choose(&[0, 1, 1, 2, 4]);
        }
        self.has_later = random.one_in(3);
        if !self.has_later {
            weights[OpKind::Protect as usize] = 0;
        }
        // Without accesses there is nothing to see.
        for kind in [OpKind::Load, OpKind::Store, OpKind::MapPage] {
            weights[kind as usize] = weights[kind as usize].max(WEIGHTS[kind as usize] / 2);
        }
        self.kinds.fill(&weights, OpKind::ALL);
    }

    /// A process with pages, in force.
    fn opening_op(&mut self, cpu: Cpu, random: &mut Random) -> Op {
        match self.belief.processes.iter().position(Option::is_some) {
            None => self.draw(OpKind::Create, cpu, random),
            Some(process) if self.belief.current[cpu.index()].is_none() => {
                self.belief.current[cpu.index()] = Some(process);
                Op::Switch { cpu, space: Space::Process(process_of(process)) }
            }
            Some(_) => self.draw(OpKind::MapPage, cpu, random),
        }
    }

    /// One of the ops that will be repeated.
    fn repeated_op(&mut self, cpu: Cpu, random: &mut Random) -> Op {
        self.to_repeat -= 1;
        let held = self.belief.holds.iter().position(|is_full| *is_full);
        let op = match held.filter(|_| self.to_repeat == 0 && random.one_in(2)) {
            Some(hold) => Op::MapPage {
                cpu,
                address: VirtualAddress(self.any_page(random)),
                source: PageSource::Hold(hold_of(hold)),
                flags: PageFlags::from_bits_folded(0b11),
            },
            None => {
                let kind = self.kinds.at(random.bits().to_le_bytes()[0]);
                self.draw(kind, cpu, random)
            }
        };
        if keeps_windows(&op) {
            self.repeat.add(op.clone());
        }
        if self.to_repeat == 0 {
            self.repeat.begin(200 + random.below(401));
        }
        op
    }

    fn draw(&mut self, kind: OpKind, cpu: Cpu, random: &mut Random) -> Op {
        match kind {
            OpKind::Create => {
                let process = self.process(random, false);
                self.belief.processes[process].get_or_insert_default();
                Op::Create { process: process_of(process) }
            }
            OpKind::Fork => self.fork(cpu, random),
            OpKind::Destroy => self.destroy(cpu, random),
            OpKind::Switch => self.switch(cpu, random),
            OpKind::MapPage => self.map_page(cpu, random),
            OpKind::UnmapPage => self.unmap_page(cpu, random),
            OpKind::UnmapPageNoFree => {
                let (address, hold) = (self.page(cpu, random), self.hold(random, false));
                if self.belief.pages(cpu.index()).is_some_and(|pages| pages.has(address)) {
                    self.belief.holds[hold] = true;
                }
                if let Some(pages) = self.belief.pages_mut(cpu.index()) {
                    pages.remove(address);
                }
                Op::UnmapPageNoFree { cpu, address: VirtualAddress(address), hold: hold_of(hold) }
            }
            OpKind::GetPhysAddr => Op::GetPhysAddr { cpu, address: self.address(cpu, random) },
            OpKind::AllocFrame => {
                let hold = self.hold(random, false);
                self.belief.holds[hold] = true;
                Op::AllocFrame { hold: hold_of(hold) }
            }
            OpKind::FreeFrame => {
                let hold = self.hold(random, true);
                if self.belief.is_pinned(hold) || self.belief.loosely_pinned().is_some() {
                    return self.draw(OpKind::Load, cpu, random);
                }
                self.belief.holds[hold] = false;
                Op::FreeFrame { hold: hold_of(hold) }
            }
            OpKind::AllocSlot => {
                self.belief.alloc_slot();
                Op::AllocSlot
            }
            OpKind::FreeSlot => {
                let slot = self.slot(random, false);
                self.belief.free_slot(slot);
                Op::FreeSlot { slot }
            }
            OpKind::MapTemp => self.map_temp(cpu, random),
            OpKind::UnmapTemp => {
                let slot = self.slot(random, true);
                self.unmap_temp(cpu, slot)
            }
            OpKind::Load => {
                let address = self.address(cpu, random);
                Op::Load { cpu, mode: mode_for(address, random), address }
            }
            OpKind::Store => {
                let address = self.address(cpu, random);
                let slot = address.0.wrapping_sub(WINDOW_BASE) / PAGE_BYTES;
                if self.belief.is_foreign(slot) {
                    return Op::Load { cpu, mode: Mode::Kernel, address };
                }
                self.belief.last_page = address.page();
                let value = if random.one_in(8) { random.choose(&VALUES) } else { random.below(u32::MAX) };
                Op::Store { cpu, mode: mode_for(address, random), address, value }
            }
            OpKind::SysWrite => {
                let (address, count) = self.buffer(cpu, random);
                Op::SysWrite { cpu, address, count }
            }
            OpKind::SysRead => {
                let (address, count) = self.buffer(cpu, random);
                Op::SysRead { cpu, address, count, seed: seed(random) }
            }
            OpKind::ElfLoad => self.elf_load(cpu, random),
            OpKind::Protect => self.protect(cpu, random),
        }
    }

    fn fork(&mut self, cpu: Cpu, random: &mut Random) -> Op {
        let current = self.belief.current[cpu.index()].filter(|_| !random.one_in(4));
        let parent = current.unwrap_or_else(|| self.process(random, true));
        let child = self.process(random, false);
        if let (Some(pages), None) = (self.belief.processes[parent], self.belief.processes[child]) {
            self.belief.processes[child] = Some(pages);
        }
        Op::Fork { cpu, parent: process_of(parent), child: process_of(child) }
    }

    fn destroy(&mut self, cpu: Cpu, random: &mut Random) -> Op {
        if self.belief.loosely_pinned().is_some() {
            return self.draw(OpKind::Load, cpu, random);
        }
        let mut process = self.process(random, true);
        if self.belief.current.contains(&Some(process)) && !random.one_in(4) {
            process = self.process(random, true);
        }
        if !self.belief.current.contains(&Some(process)) {
            self.belief.processes[process] = None;
        }
        Op::Destroy { cpu, process: process_of(process) }
    }

    fn switch(&mut self, cpu: Cpu, random: &mut Random) -> Op {
        if random.one_in(5) {
            self.belief.current[cpu.index()] = None;
            return Op::Switch { cpu, space: Space::Kernel };
        }
        let process = self.process(random, true);
        if self.belief.processes[process].is_some() {
            self.belief.current[cpu.index()] = Some(process);
        }
        Op::Switch { cpu, space: Space::Process(process_of(process)) }
    }

    /// Pages of the trace, those that are not mapped if there are any. Five in eight are writable for users, two for
    /// users alone, one has any flags. A quarter map the frame in a variable, the others a new one. A wrong `address`
    /// lies in the kernel half or within a page.
    #[told(MAP_PAGE)]
    fn map_page(&mut self, cpu: Cpu, random: &mut Random) -> Op {
        let flags = match random.below(8) {
            0 => random.below(16),
            1 | 2 => 0b10,
            _ => 0b11,
        };
        let flags = PageFlags::from_bits_folded(u8::try_from(flags).unwrap_or(0));
        let source =
            if random.one_in(4) { PageSource::Hold(hold_of(self.hold(random, true))) } else { PageSource::New };
        if self.is_wrong(random) {
            let address =
                VirtualAddress(random.choose(&[KERNEL_HALF, WINDOW_BASE, 0x40_0001, 0xffff_f000, 0xbfff_fffc]));
            return Op::MapPage { cpu, address, source, flags };
        }
        let mut address = self.any_page(random);
        if self.belief.pages(cpu.index()).is_some_and(|pages| pages.has(address)) {
            address = self.any_page(random);
        }
        self.belief.last_page = address;
        if let Some(pages) = self.belief.pages_mut(cpu.index()) {
            pages.add(address);
        }
        Op::MapPage { cpu, address: VirtualAddress(address), source, flags }
    }

    /// Pages like those of `unmap_page`. Three in eight become writable for users, three read-only, two get any flags.
    #[told(PROTECT)]
    fn protect(&mut self, cpu: Cpu, random: &mut Random) -> Op {
        let flags = match random.below(8) {
            0..=2 => 0b11,
            3..=5 => 0b10,
            _ => random.below(16),
        };
        let flags = PageFlags::from_bits_folded(u8::try_from(flags).unwrap_or(0));
        let address = self.page(cpu, random);
        self.belief.last_page = address;
        Op::Protect { cpu, address: VirtualAddress(address), flags }
    }

    fn unmap_page(&mut self, cpu: Cpu, random: &mut Random) -> Op {
        if self.belief.loosely_pinned().is_some() {
            return self.draw(OpKind::Load, cpu, random);
        }
        let address = self.page(cpu, random);
        if let Some(pages) = self.belief.pages_mut(cpu.index()) {
            pages.remove(address);
        }
        Op::UnmapPage { cpu, address: VirtualAddress(address) }
    }

    /// `frame` is in ten of sixteen that of a variable, in four that behind a page, and in two a physical address:
    /// mostly no start of a frame, else round the ends of memory, and now and then a frame that is somebody else's.
    #[told(MAP_TEMP)]
    fn map_temp(&mut self, cpu: Cpu, random: &mut Random) -> Op {
        let slot = self.slot(random, false);
        let choice = random.below(16);
        let loosely = self.belief.loosely_pinned().is_some();
        if choice < 2 {
            let address = PhysicalAddress(self.odd_physical(random));
            if address.is_aligned() {
                self.belief.map(slot, Pinned::Foreign);
            }
            return Op::MapTemp { cpu, frame: TempFrame::At(address), slot };
        }
        if choice < 6 && !loosely {
            let address = self.page(cpu, random) | if random.one_in(4) { 8 } else { 0 };
            self.belief.map(slot, Pinned::Loose);
            return Op::MapTemp { cpu, frame: TempFrame::Behind(VirtualAddress(address)), slot };
        }
        let hold = self.hold(random, true);
        self.belief.map(slot, Pinned::Hold(hold));
        Op::MapTemp { cpu, frame: TempFrame::Hold(hold_of(hold)), slot }
    }

    fn unmap_temp(&mut self, cpu: Cpu, slot: i32) -> Op {
        self.belief.unmap(slot);
        Op::UnmapTemp { cpu, slot }
    }

    fn elf_load(&mut self, cpu: Cpu, random: &mut Random) -> Op {
        let length = if random.one_in(16) { random.below(MAX_FILE_BYTES) + 1 } else { 64 + random.below(0x2000) };
        let mut list = [EMPTY; MAX_SEGMENTS];
        let count = 1 + random.below(2) as usize + usize::from(random.one_in(8));
        for index in 0..count {
            list[index] = self.segment(length, random);
            if index != 0 && random.one_in(3) {
                list[index] = beside(&list[index - 1], list[index], random);
            }
        }
        if random.one_in(64) {
            return Op::ElfLoad { cpu, seed: 0, length: 0, segments: Segments::of(&[]) };
        }
        for segment in &list[..count] {
            if let Some(pages) = self.belief.pages_mut(cpu.index()).filter(|_| segment.memory_bytes != 0) {
                pages.add(segment.address.page());
            }
        }
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        Op::ElfLoad { cpu, seed: seed(random), length, segments: Segments::of(&list[..count]) }
    }
}

/// The segment right behind another one or right before it, mostly in a page of the other's.
fn beside(other: &Segment, segment: Segment, random: &mut Random) -> Segment {
    let gap = random.choose(&[0, 0, 1, 16, 100]);
    let address = if random.one_in(2) {
        other.address.0.wrapping_add(other.memory_bytes).wrapping_add(gap)
    } else {
        other.address.0.wrapping_sub(segment.memory_bytes).wrapping_sub(gap)
    };
    Segment { address: VirtualAddress(address), ..segment }
}

const EMPTY: Segment =
    Segment { address: VirtualAddress(0), offset: 0, file_bytes: 0, memory_bytes: 0, writable: false };

fn process_of(index: usize) -> Process {
    Process::new_folded(u8::try_from(index).unwrap_or(0))
}

fn hold_of(index: usize) -> Hold {
    Hold::new_folded(u8::try_from(index).unwrap_or(0))
}

/// Few seeds keep the noise in the cache.
fn seed(random: &mut Random) -> u16 {
    u16::try_from(random.below(1024)).unwrap_or(0)
}

/// Half of the machines have 24 to 64 frames, a quarter 12 to 23, one in eight fewer and one more, up to 256. Memory
/// begins at 0 in half of them, else at 4 MiB or 2 GiB, or it ends at 4 GiB. In three of eight all temporary slots are
/// free, in four none, one, or up to eleven, and in one any number.
#[told(SETUP)]
fn draw_setup(random: &mut Random) -> Setup {
    let frames = match random.below(8) {
        0 => u32::from(MIN_FRAMES) + random.below(6),
        1 | 2 => 12 + random.below(12),
        3..=6 => random.choose(&[24, 32, 40, 48, 64]),
        _ => 65 + random.below(u32::from(MAX_FRAMES) - 64),
    };
    let first_frame = match random.below(8) {
        0..=3 => 0,
        4 => (1 << 20) - frames,
        5 => 1 << 19,
        _ => 0x400,
    };
    let taken_slots = match random.below(8) {
        0..=2 => 0,
        3 => random.below(SLOTS + 1),
        4 => SLOTS,
        5 => SLOTS - 1,
        _ => SLOTS - random.below(12),
    };
    let cut = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    Setup { frames: cut(frames), memory_start: PhysicalAddress::of_frame(first_frame), taken_slots: cut(taken_slots) }
}
