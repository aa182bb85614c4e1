//! Simpler temp-map setups, and operands renamed together, for the shrinker. Each variant is smaller in a fixed order,
//! so shrinking ends. Simpler ops follow from their operands.

use crate::rig::Simplify;
use memtwin_models::operand::Simpler as _;
use memtwin_models::temp_map::{
    Hold, Op, PAGE_BYTES, PageSource, PhysicalAddress, Process, Setup, Space, TempFrame, TempMap, VirtualAddress,
};

/// Frame counts that a reader knows by sight, the plainest first.
const PLAIN_FRAMES: [u16; 6] = [64, 32, 16, 12, 8, 6];
/// Pages that a reader knows by sight, the plainest first.
const PLAIN_PAGES: [u32; 3] = [0x40_0000, 0x40_1000, 0x4000_0000];

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
        op.simpler()
    }

    fn simpler_together(setup: &Setup, ops: &[Op]) -> Vec<(Setup, Vec<Op>)> {
        together(ops).into_iter().map(|ops| (setup.clone(), ops)).collect()
    }
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
            | Op::ElfLoad { .. }
            | Op::Protect { .. } => {}
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
        | Op::SysRead { address, .. }
        | Op::Protect { address, .. } => work(address),
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
