//! Simpler header_free setups and ops, for the shrinker. Each variant is smaller in a fixed order, so shrinking ends.

use crate::rig::Simplify;
use memtwin_models::header_free::{
    Alignment, FaultPlan, HeaderFree, Kind, MincorePlan, Mode, Op, Protection, Setup, SlabOffset, Slot, Thread,
};

/// Sizes that a person writes by hand, the plainest first.
const PLAIN_SIZES: [u64; 8] = [64, 16, 8, 1000, 2000, 0x1000, 0x9000, 1];
/// Distances likewise.
const PLAIN_DELTAS: [u64; 7] = [0, 8, 16, 32, 64, 0x1000, 1];

impl Simplify for HeaderFree {
    fn simpler_setups(setup: &Setup) -> Vec<Setup> {
        let mut simpler = Vec::new();
        let modes: &[Mode] = match setup.mode {
            Mode::LdPreload => &[],
            Mode::Direct1 => &[Mode::LdPreload],
            Mode::Direct0 => &[Mode::LdPreload, Mode::Direct1],
        };
        simpler.extend(modes.iter().map(|&mode| Setup { mode, ..setup.clone() }));
        if setup.mincore != MincorePlan::None {
            simpler.push(Setup { mincore: MincorePlan::None, ..setup.clone() });
        }
        if matches!(setup.mincore, MincorePlan::SometimesAgain | MincorePlan::NotImplemented) {
            simpler.push(Setup { mincore: MincorePlan::Again, ..setup.clone() });
        }
        if setup.tiny_header {
            simpler.push(Setup { tiny_header: false, ..setup.clone() });
        }
        if setup.superslab_log2 != 21 {
            simpler.push(Setup { superslab_log2: 21, ..setup.clone() });
        }
        if setup.slab_offset != SlabOffset::default() {
            simpler.push(Setup { slab_offset: SlabOffset::default(), ..setup.clone() });
        }
        if setup.two_arenas {
            simpler.push(Setup { two_arenas: false, ..setup.clone() });
        }
        simpler.extend(simpler_plans(setup.munmap).iter().map(|&munmap| Setup { munmap, ..setup.clone() }));
        simpler.extend(simpler_plans(setup.madvise).iter().map(|&madvise| Setup { madvise, ..setup.clone() }));
        if setup.libc != memtwin_models::header_free::Libc::Ledger {
            simpler.push(Setup { libc: memtwin_models::header_free::Libc::Ledger, ..setup.clone() });
        }
        simpler
            .extend((setup.registry_log2 + 1..=4).rev().map(|registry_log2| Setup { registry_log2, ..setup.clone() }));
        simpler
    }

    fn simpler_ops(_setup: &Setup, op: &Op) -> Vec<Op> {
        match *op {
            Op::Alloc { slot, kind, size, align } => {
                let sizes = plainer(size, &PLAIN_SIZES).map(|size| Op::Alloc { slot, kind, size, align });
                let aligns = alignments(align).map(|align| Op::Alloc { slot, kind, size, align });
                let kinds = Kind::ALL.into_iter().take(kind as usize).map(|kind| Op::Alloc { slot, kind, size, align });
                sizes.chain(aligns).chain(kinds).collect()
            }
            Op::LibcAlloc { slot, size, align } => {
                let sizes = plainer(size, &PLAIN_SIZES).map(|size| Op::LibcAlloc { slot, size, align });
                sizes.chain(alignments(align).map(|align| Op::LibcAlloc { slot, size, align })).collect()
            }
            Op::Realloc { slot, size, delta } => {
                let nearer = deltas(delta).map(|delta| Op::Realloc { slot, size, delta });
                nearer.chain(plainer(size, &PLAIN_SIZES).map(|size| Op::Realloc { slot, size, delta })).collect()
            }
            Op::UsableSize { slot, delta } => deltas(delta).map(|delta| Op::UsableSize { slot, delta }).collect(),
            Op::BootAlloc { slot, size } => {
                plainer(size, &PLAIN_SIZES).map(|size| Op::BootAlloc { slot, size }).collect()
            }
            Op::ThreadExit { thread } => {
                (0..thread.index()).map(|thread| Op::ThreadExit { thread: Thread::new_folded(thread) }).collect()
            }
            Op::WriteEnd { slot, seed, length } => {
                let seeds = (seed != 0).then_some(Op::WriteEnd { slot, seed: 0, length });
                let lengths = plainer(length.into(), &PLAIN_SIZES).filter_map(|length| u32::try_from(length).ok());
                seeds.into_iter().chain(lengths.map(|length| Op::WriteEnd { slot, seed, length })).collect()
            }
            Op::Write { slot, seed, length } => {
                let seeds = (seed != 0).then_some(Op::Write { slot, seed: 0, length });
                let lengths = plainer(length.into(), &PLAIN_SIZES).filter_map(|length| u32::try_from(length).ok());
                seeds.into_iter().chain(lengths.map(|length| Op::Write { slot, seed, length })).collect()
            }
            Op::Free { slot, delta, thread } => {
                let first = Thread::default();
                let threads = (thread != first).then_some(Op::Free { slot, delta, thread: first });
                threads.into_iter().chain(deltas(delta).map(|delta| Op::Free { slot, delta, thread })).collect()
            }
            Op::Forge { slot, offset, method } => {
                let methods = (method != Kind::Malloc).then_some(Op::Forge { slot, offset, method: Kind::Malloc });
                let offsets = (offset != 0).then_some(Op::Forge { slot, offset: 0, method });
                methods.into_iter().chain(offsets).collect()
            }
            Op::MapForeign { slot, beside } if beside != slot => vec![Op::MapForeign { slot, beside: slot }],
            Op::ProtectNeighbour { slot, side, protection } if protection != Protection::None => {
                vec![Op::ProtectNeighbour { slot, side, protection: Protection::None }]
            }
            Op::Verify { .. }
            | Op::MapForeign { .. }
            | Op::ProtectNeighbour { .. }
            | Op::UnmapNeighbour { .. }
            | Op::RetireSuperslab { .. }
            | Op::Stats => Vec::new(),
        }
    }

    fn simpler_together(setup: &Setup, ops: &[Op]) -> Vec<(Setup, Vec<Op>)> {
        together(ops).into_iter().map(|ops| (setup.clone(), ops)).collect()
    }
}

const fn simpler_plans(plan: FaultPlan) -> &'static [FaultPlan] {
    match plan {
        FaultPlan::None => &[],
        FaultPlan::Always => &[FaultPlan::None],
        FaultPlan::Sometimes => &[FaultPlan::None, FaultPlan::Always],
    }
}

/// The slots renamed in the order of their first use.
fn together(ops: &[Op]) -> Vec<Vec<Op>> {
    let mut order: Vec<Slot> = Vec::new();
    for slot in ops.iter().flat_map(slots) {
        if !order.contains(&slot) {
            order.push(slot);
        }
    }
    let renamed = |slot: Slot| {
        let index = order.iter().position(|known| *known == slot).unwrap_or(0);
        Slot::new_folded(u8::try_from(index).unwrap_or(0))
    };
    let candidate: Vec<Op> = ops.iter().map(|op| with_slots(op, &renamed)).collect();
    if candidate == ops { Vec::new() } else { vec![candidate] }
}

fn slots(op: &Op) -> impl Iterator<Item = Slot> + use<> {
    let beside = match *op {
        Op::MapForeign { beside, .. } => Some(beside),
        Op::Alloc { .. }
        | Op::Realloc { .. }
        | Op::UsableSize { .. }
        | Op::Write { .. }
        | Op::Verify { .. }
        | Op::Free { .. }
        | Op::LibcAlloc { .. }
        | Op::ProtectNeighbour { .. }
        | Op::UnmapNeighbour { .. }
        | Op::Forge { .. }
        | Op::RetireSuperslab { .. }
        | Op::Stats
        | Op::BootAlloc { .. }
        | Op::ThreadExit { .. }
        | Op::WriteEnd { .. } => None,
    };
    op.slot().into_iter().chain(beside)
}

fn with_slots(op: &Op, renamed: &impl Fn(Slot) -> Slot) -> Op {
    let mut op = op.clone();
    if let Some(slot) = op.slot_mut() {
        *slot = renamed(*slot);
    }
    if let Op::MapForeign { beside, .. } = &mut op {
        *beside = renamed(*beside);
    }
    op
}

/// Plain numbers first, then steps from far to near below.
fn plainer(number: u64, plain: &'static [u64]) -> impl Iterator<Item = u64> {
    let rank = plain.iter().position(|&known| known == number);
    let known = plain.iter().copied().take(rank.unwrap_or(plain.len()));
    let steps = (0..64).map_while(move |shift| Some(number >> shift).filter(|&step| step != 0));
    known.chain(steps.map(move |step| number - step).filter(move |_| rank.is_none()))
}

/// Plain distances first; a small negative one is as plain as it gets.
fn deltas(delta: u64) -> impl Iterator<Item = u64> {
    let is_below = delta.cast_signed() < 0 && -64 <= delta.cast_signed();
    plainer(delta, &PLAIN_DELTAS).filter(move |plain| !is_below || *plain < 1 << 32)
}

/// Smaller alignments, 1 first.
fn alignments(align: Alignment) -> impl Iterator<Item = Alignment> {
    (0..align.exponent()).map(Alignment::from_exponent_folded)
}
