//! Simpler temp-map setups and ops, for the shrinker. Each variant is smaller in a fixed order, so shrinking ends.

use crate::rig::Simplify;
use memtwin_models::temp_map::{
    Cpu, Hold, Mode, Op, PAGE_BYTES, PageFlags, PageSource, PhysicalAddress, Process, Segment, Segments, Setup, Space,
    TempFrame, TempMap, VirtualAddress,
};

/// Frame counts that a reader knows by sight, the plainest first.
const PLAIN_FRAMES: [u16; 6] = [64, 32, 16, 12, 8, 6];
/// Pages that a reader knows by sight, the plainest first.
const PLAIN_PAGES: [u32; 3] = [0x40_0000, 0x40_1000, 0x4000_0000];
/// Offsets in a page, the plainest first.
const PLAIN_OFFSETS: [u32; 4] = [0, 4, 1, 4092];

impl Simplify for TempMap {
    fn simpler_setups(setup: &Setup) -> Vec<Setup> {
        let mut simpler = Vec::new();
        let starts = [0x40_0000, 0];
        let rank = starts.iter().position(|start| *start == setup.memory_start.0).unwrap_or(starts.len());
        for start in &starts[..rank] {
            simpler.push(Setup { memory_start: PhysicalAddress(*start), ..setup.clone() });
        }
        if setup.taken_slots != 0 {
            simpler.push(Setup { taken_slots: 0, ..setup.clone() });
            if setup.taken_slots != 255 && setup.taken_slots != 256 {
                simpler.extend([256, 255].map(|taken_slots| Setup { taken_slots, ..setup.clone() }));
            }
        }
        let rank = PLAIN_FRAMES.iter().position(|plain| *plain == setup.frames).unwrap_or(PLAIN_FRAMES.len());
        for frames in &PLAIN_FRAMES[..rank] {
            simpler.push(Setup { frames: *frames, ..setup.clone() });
        }
        // More frames may reach beyond 4 GiB.
        simpler.retain(|setup| setup.check().is_ok());
        simpler
    }

    fn simpler_ops(_setup: &Setup, op: &Op) -> Vec<Op> {
        let mut simpler = on_first_cpu(op);
        match *op {
            Op::MapPage { cpu, address, source, flags } => {
                simpler.extend(addresses(address).map(|address| Op::MapPage { cpu, address, source, flags }));
                if source != PageSource::New {
                    simpler.push(Op::MapPage { cpu, address, source: PageSource::New, flags });
                }
                let fewer = [PLAIN_FLAGS, PageFlags::from_bits_folded(0b10)];
                let rank = fewer.iter().position(|plain| *plain == flags).unwrap_or(fewer.len());
                simpler.extend(fewer[..rank].iter().map(|flags| Op::MapPage { cpu, address, source, flags: *flags }));
            }
            Op::UnmapPage { cpu, address } => {
                simpler.extend(addresses(address).map(|address| Op::UnmapPage { cpu, address }));
            }
            Op::UnmapPageNoFree { cpu, address, hold } => {
                simpler.extend(addresses(address).map(|address| Op::UnmapPageNoFree { cpu, address, hold }));
            }
            Op::GetPhysAddr { cpu, address } => {
                simpler.extend(addresses(address).map(|address| Op::GetPhysAddr { cpu, address }));
            }
            Op::MapTemp { cpu, frame: TempFrame::Behind(address), slot } => {
                let plain = addresses(address).map(TempFrame::Behind);
                simpler.extend(plain.map(|frame| Op::MapTemp { cpu, frame, slot }));
            }
            Op::MapTemp { .. } => {}
            Op::Load { cpu, mode, address } => {
                simpler.extend(addresses(address).map(|address| Op::Load { cpu, mode, address }));
                simpler.extend((mode == Mode::Kernel).then_some(Op::Load { cpu, mode: Mode::User, address }));
            }
            Op::Store { cpu, mode, address, value } => {
                simpler.extend(addresses(address).map(|address| Op::Store { cpu, mode, address, value }));
                simpler.extend((mode == Mode::Kernel).then_some(Op::Store { cpu, mode: Mode::User, address, value }));
                simpler.extend((value != 1).then_some(Op::Store { cpu, mode, address, value: 1 }));
            }
            Op::SysWrite { cpu, address, count } => {
                simpler.extend(addresses(address).map(|address| Op::SysWrite { cpu, address, count }));
                simpler.extend(counts(count).map(|count| Op::SysWrite { cpu, address, count }));
            }
            Op::SysRead { cpu, address, count, seed } => {
                simpler.extend(addresses(address).map(|address| Op::SysRead { cpu, address, count, seed }));
                simpler.extend(counts(count).map(|count| Op::SysRead { cpu, address, count, seed }));
                simpler.extend((seed != 0).then_some(Op::SysRead { cpu, address, count, seed: 0 }));
            }
            Op::ElfLoad { cpu, seed, length, ref segments } => {
                let lists = simpler_segments(segments.as_slice());
                simpler.extend(lists.into_iter().map(|segments| Op::ElfLoad { cpu, seed, length, segments }));
                if seed != 0 {
                    simpler.push(Op::ElfLoad { cpu, seed: 0, length, segments: *segments });
                }
            }
            Op::Create { .. }
            | Op::Fork { .. }
            | Op::Destroy { .. }
            | Op::Switch { .. }
            | Op::AllocFrame { .. }
            | Op::FreeFrame { .. }
            | Op::AllocSlot
            | Op::FreeSlot { .. }
            | Op::UnmapTemp { .. } => {}
        }
        simpler
    }

    fn simpler_together(setup: &Setup, ops: &[Op]) -> Vec<(Setup, Vec<Op>)> {
        together(ops).into_iter().map(|ops| (setup.clone(), ops)).collect()
    }
}

const FIRST_CPU: Cpu = Cpu::new_folded(0);
/// Writable and user.
const PLAIN_FLAGS: PageFlags = PageFlags::from_bits_folded(0b11);

/// The op on the first processor, if it was on another.
fn on_first_cpu(op: &Op) -> Vec<Op> {
    let mut moved = op.clone();
    if let Some(cpu) = moved.cpu_mut() {
        *cpu = FIRST_CPU;
    }
    if moved == *op { Vec::new() } else { vec![moved] }
}

/// Plainer offsets in the page.
fn addresses(address: VirtualAddress) -> impl Iterator<Item = VirtualAddress> {
    let rank = PLAIN_OFFSETS.iter().position(|plain| *plain == address.offset()).unwrap_or(PLAIN_OFFSETS.len());
    PLAIN_OFFSETS.into_iter().take(rank).map(move |offset| VirtualAddress(address.page() | offset))
}

fn counts(count: u32) -> impl Iterator<Item = u32> {
    [14, 1, 4, 100, 4096].into_iter().filter(move |plain| *plain < count)
}

fn simpler_segments(segments: &[Segment]) -> Vec<Segments> {
    let mut lists = Vec::new();
    for index in 0..segments.len() {
        let mut fewer = segments.to_vec();
        fewer.remove(index);
        lists.push(Segments::of(&fewer));
        let segment = segments[index];
        let mut variants = Vec::new();
        variants.extend((segment.offset != 0).then_some(Segment { offset: 0, ..segment }));
        variants.extend(segment.writable.then_some(Segment { writable: false, ..segment }));
        variants.extend(addresses(segment.address).map(|address| Segment { address, ..segment }));
        variants.extend(counts(segment.file_bytes).map(|file_bytes| Segment { file_bytes, ..segment }));
        variants.extend(
            [16, 100, 4096]
                .into_iter()
                .filter(|plain| *plain < segment.memory_bytes)
                .map(|memory_bytes| Segment { memory_bytes, ..segment }),
        );
        for variant in variants {
            let mut list = segments.to_vec();
            list[index] = variant;
            lists.push(Segments::of(&list));
        }
    }
    lists
}

/// Operands renamed together: processes and variables in the order of their first use, and pages to plain ones.
fn together(ops: &[Op]) -> Vec<Vec<Op>> {
    let mut candidates = vec![renamed(ops)];
    for plain in PLAIN_PAGES {
        // Only pages that are no plainer themselves, and only to pages that are not in use, so that shrinking ends.
        let rank = |page: u32| PLAIN_PAGES.iter().position(|known| *known == page).unwrap_or(PLAIN_PAGES.len());
        let pages: Vec<u32> = ops.iter().filter_map(page_of).collect();
        if pages.contains(&plain) {
            continue;
        }
        for page in &pages {
            if rank(plain) < rank(*page) {
                candidates.push(ops.iter().map(|op| with_page(op, *page, plain)).collect());
            }
        }
    }
    candidates.retain(|candidate| candidate != ops);
    candidates
}

fn renamed(ops: &[Op]) -> Vec<Op> {
    let (mut processes, mut holds): (Vec<Process>, Vec<Hold>) = (Vec::new(), Vec::new());
    let mut process = |process: &mut Process| *process = Process::new_folded(place(&mut processes, *process));
    let mut hold = |hold: &mut Hold| *hold = Hold::new_folded(place(&mut holds, *hold));
    let mut ops = ops.to_vec();
    for op in &mut ops {
        match op {
            Op::Create { process: name } | Op::Destroy { process: name, .. } => process(name),
            Op::Switch { space: Space::Process(name), .. } => process(name),
            Op::Fork { parent, child, .. } => {
                process(parent);
                process(child);
            }
            Op::MapPage { source: PageSource::Hold(name), .. }
            | Op::MapTemp { frame: TempFrame::Hold(name), .. }
            | Op::UnmapPageNoFree { hold: name, .. }
            | Op::AllocFrame { hold: name }
            | Op::FreeFrame { hold: name } => hold(name),
            Op::Switch { space: Space::Kernel, .. }
            | Op::MapPage { source: PageSource::New, .. }
            | Op::MapTemp { frame: TempFrame::Behind(_) | TempFrame::At(_), .. }
            | Op::UnmapPage { .. }
            | Op::GetPhysAddr { .. }
            | Op::AllocSlot
            | Op::FreeSlot { .. }
            | Op::UnmapTemp { .. }
            | Op::Load { .. }
            | Op::Store { .. }
            | Op::SysWrite { .. }
            | Op::SysRead { .. }
            | Op::ElfLoad { .. } => {}
        }
    }
    ops
}

/// The place of a name in the order of first uses.
fn place<T: PartialEq>(order: &mut Vec<T>, name: T) -> u8 {
    let at = order.iter().position(|known| *known == name).unwrap_or_else(|| {
        order.push(name);
        order.len() - 1
    });
    u8::try_from(at).unwrap_or(0)
}

/// The page of the user half that an op names.
fn page_of(op: &Op) -> Option<u32> {
    let mut page = None;
    let mut op = op.clone();
    each_address(&mut op, &mut |address| page = Some(address.page()));
    page.filter(|page| *page < memtwin_models::temp_map::KERNEL_HALF)
}

fn with_page(op: &Op, from: u32, to: u32) -> Op {
    let mut op = op.clone();
    each_address(&mut op, &mut |address| {
        if address.page() == from {
            *address = VirtualAddress(to | address.0 & (PAGE_BYTES - 1));
        }
    });
    op
}

fn each_address(op: &mut Op, work: &mut dyn FnMut(&mut VirtualAddress)) {
    match op {
        Op::MapPage { address, .. }
        | Op::UnmapPage { address, .. }
        | Op::UnmapPageNoFree { address, .. }
        | Op::GetPhysAddr { address, .. }
        | Op::MapTemp { frame: TempFrame::Behind(address), .. }
        | Op::Load { address, .. }
        | Op::Store { address, .. }
        | Op::SysWrite { address, .. }
        | Op::SysRead { address, .. } => work(address),
        Op::Create { .. }
        | Op::Fork { .. }
        | Op::Destroy { .. }
        | Op::Switch { .. }
        | Op::MapTemp { frame: TempFrame::Hold(_) | TempFrame::At(_), .. }
        | Op::AllocFrame { .. }
        | Op::FreeFrame { .. }
        | Op::AllocSlot
        | Op::FreeSlot { .. }
        | Op::UnmapTemp { .. }
        | Op::ElfLoad { .. } => {}
    }
}
