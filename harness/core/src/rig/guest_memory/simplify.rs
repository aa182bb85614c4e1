//! Simpler guest-memory setups and ops, for the shrinker. Each variant is smaller in a fixed order, so shrinking ends.

use crate::rig::Simplify;
use memtwin_models::Payload;
use memtwin_models::guest_memory::{
    DeviceIndex, DirtyLogSetup, GuestAddress, GuestMemory, Op, Owner, RamRange, Setup, TransferLength,
};

/// Sizes that a reader knows by sight, the plainest first: the small configuration of the report, then smaller ones.
const PLAIN_SIZES: [u64; 4] = [0x1_0000, 0x1000, 0x100, 0x10];

/// The place of a size among the plain ones; after them for any other.
fn rank(size: u64) -> usize {
    PLAIN_SIZES.iter().position(|&plain| plain == size).unwrap_or(PLAIN_SIZES.len())
}

impl Simplify for GuestMemory {
    fn simpler_setups(setup: &Setup) -> Vec<Setup> {
        let mut simpler = Vec::new();
        if setup.strict_alignment {
            simpler.push(Setup { strict_alignment: false, ..setup.clone() });
        }
        if let Some(log) = &setup.dirty_log {
            simpler.push(Setup { dirty_log: None, ..setup.clone() });
            let with = |refused| Setup { dirty_log: Some(DirtyLogSetup { refused }), ..setup.clone() }.normalised();
            for index in 0..log.refused.len() {
                let mut fewer = log.refused.clone();
                fewer.remove(index);
                simpler.push(with(fewer));
                for number in halves(log.refused[index].into()) {
                    let mut earlier = log.refused.clone();
                    earlier[index] = u16::try_from(number).unwrap_or(0);
                    simpler.push(with(earlier));
                }
            }
        }
        for index in 0..setup.devices.len() {
            let mut without = setup.clone();
            without.devices.remove(index);
            simpler.push(without);
            if setup.devices[index].faulty_register.is_some() {
                let mut healthy = setup.clone();
                healthy.devices[index].faulty_register = None;
                simpler.push(healthy);
            }
            for size in [8, 64] {
                if size < setup.devices[index].size {
                    let mut smaller = setup.clone();
                    smaller.devices[index].size = size;
                    smaller.devices[index].faulty_register =
                        setup.devices[index].faulty_register.filter(|&register| register < size);
                    simpler.push(smaller);
                }
            }
        }
        if !setup.is_flat() {
            simpler.extend(simpler_ranges(setup));
            return simpler;
        }
        for plain in PLAIN_SIZES {
            if rank(plain) < rank(setup.memory_size) {
                simpler.push(Setup { memory_size: plain, ..setup.clone() });
            }
        }
        if rank(setup.memory_size) == PLAIN_SIZES.len() {
            for size in halves(setup.memory_size) {
                simpler.push(Setup { memory_size: size, ..setup.clone() });
            }
        }
        simpler
    }

    fn simpler_ops(setup: &Setup, op: &Op) -> Vec<Op> {
        let mut simpler = Vec::new();
        let first = Owner::new_folded(0);
        if op.owner() != first {
            simpler.push(with_owner(op, first));
        }
        if let Some((address, length)) = op.range() {
            for address in addresses(setup, address, length) {
                simpler.push(with_address(op, GuestAddress(address)));
            }
        }
        match *op {
            Op::Read { owner, address, size } => {
                simpler.extend(sizes(size).map(|size| Op::Read { owner, address, size }));
            }
            Op::LoadReserved { owner, address, size } => {
                simpler.extend(sizes(size).map(|size| Op::LoadReserved { owner, address, size }));
            }
            Op::Write { owner, address, value, size } => {
                simpler.extend(sizes(size).map(|size| Op::Write { owner, address, value, size }));
                simpler.extend(values(value).map(|value| Op::Write { owner, address, value, size }));
            }
            Op::StoreConditional { owner, address, value, size } => {
                simpler.extend(sizes(size).map(|size| Op::StoreConditional { owner, address, value, size }));
                simpler.extend(values(value).map(|value| Op::StoreConditional { owner, address, value, size }));
            }
            Op::AtomicLoad { owner, address, size } => {
                simpler.extend(sizes(size).map(|size| Op::AtomicLoad { owner, address, size }));
            }
            Op::AtomicStore { owner, address, value, size } => {
                simpler.extend(sizes(size).map(|size| Op::AtomicStore { owner, address, value, size }));
                simpler.extend(values(value).map(|value| Op::AtomicStore { owner, address, value, size }));
            }
            Op::CompareExchange { owner, address, expected, value, size } => {
                let with = |expected, value, size| Op::CompareExchange { owner, address, expected, value, size };
                simpler.extend(sizes(size).map(|size| with(expected, value, size)));
                simpler.extend(values(value).map(|value| with(expected, value, size)));
                simpler.extend(values(expected).map(|expected| with(expected, value, size)));
            }
            Op::InvalidateReservation { owner, address, size } => {
                simpler.extend(sizes(size).map(|size| Op::InvalidateReservation { owner, address, size }));
            }
            Op::ReadBulk { owner, address, length } => {
                simpler.extend(with_the_same_end(address, length).map(|(address, length)| Op::ReadBulk {
                    owner,
                    address,
                    length,
                }));
                simpler.extend(lengths(length).map(|length| Op::ReadBulk { owner, address, length }));
            }
            Op::WriteBulk { owner, address, seed, length } => {
                simpler.extend(with_the_same_end(address, length).map(|(address, length)| Op::WriteBulk {
                    owner,
                    address,
                    seed,
                    length,
                }));
                simpler.extend(lengths(length).map(|length| Op::WriteBulk { owner, address, seed, length }));
                if seed != 0 {
                    simpler.push(Op::WriteBulk { owner, address, seed: 0, length });
                }
            }
            Op::Restore { owner, payload } => {
                if payload.seed != 0 {
                    simpler.push(Op::Restore { owner, payload: Payload { seed: 0, ..payload } });
                }
                for length in halves(u64::from(payload.length)) {
                    let length = u32::try_from(length).unwrap_or(payload.length);
                    simpler.push(Op::Restore { owner, payload: Payload { length, ..payload } });
                }
            }
            Op::MapDevice { owner, device, base } => {
                let nearer = addresses(setup, base.0, 1).into_iter().map(GuestAddress);
                simpler.extend(nearer.map(|base| Op::MapDevice { owner, device, base }));
                let first = DeviceIndex::new_folded(0);
                simpler.extend((device != first).then_some(Op::MapDevice { owner, device: first, base }));
            }
            Op::UnmapDevice { owner, device } => {
                let first = DeviceIndex::new_folded(0);
                simpler.extend((device != first).then_some(Op::UnmapDevice { owner, device: first }));
            }
            Op::FetchInstruction { .. }
            | Op::MemorySize { .. }
            | Op::Dump { .. }
            | Op::RestoreDump { .. }
            | Op::DirtyLog { .. }
            | Op::TakeDirtyLog { .. }
            | Op::DumpDirty { .. } => {}
        }
        simpler
    }

    /// Setup and ops changed in step, so that what they have in common stays.
    fn simpler_together(setup: &Setup, ops: &[Op]) -> Vec<(Setup, Vec<Op>)> {
        let mut simpler = Vec::new();
        if !setup.is_flat() {
            simpler.push((Setup { ram: Vec::new(), ..setup.clone() }, moved_to_flat(setup, ops)));
            simpler.extend([0x1000, 0].into_iter().filter_map(|base| all_moved_down(setup, ops, base)));
            simpler.extend(one_owner(ops).into_iter().map(|ops| (setup.clone(), ops)));
            return simpler;
        }
        for size in PLAIN_SIZES.into_iter().filter(|&size| rank(size) < rank(setup.memory_size)) {
            simpler.push((Setup { memory_size: size, ..setup.clone() }, moved_with_end(setup, ops, size)));
        }
        let same_setup = one_owner(ops).into_iter().chain(moved_down(setup, ops));
        simpler.extend(same_setup.map(|ops| (setup.clone(), ops)));
        simpler
    }
}

/// One range from 0 on, fewer ranges, smaller ones.
fn simpler_ranges(setup: &Setup) -> Vec<Setup> {
    let with = |ram: Vec<RamRange>| Setup { ram, ..setup.clone() }.normalised();
    let mut simpler = vec![Setup { ram: Vec::new(), ..setup.clone() }];
    for index in 0..setup.ram.len() {
        if 1 < setup.ram.len() {
            let mut fewer = setup.ram.clone();
            fewer.remove(index);
            simpler.push(with(fewer));
        }
        let RamRange { base, bytes } = setup.ram[index];
        let smaller = PLAIN_SIZES.into_iter().rev().chain(halves(bytes)).filter(|&size| 0 < size && size < bytes);
        for size in smaller {
            // The end that is not named stays where it is, because what is wrong mostly shows at one.
            for base in [base, base + (bytes - size)] {
                let mut ram = setup.ram.clone();
                ram[index] = RamRange { base, bytes: size };
                simpler.push(with(ram));
            }
        }
    }
    simpler
}

/// All that lies from the first range of RAM on, moved down so that this begins at `base`.
fn all_moved_down(setup: &Setup, ops: &[Op], base: u64) -> Option<(Setup, Vec<Op>)> {
    let first = setup.ram.first()?.base;
    let distance = first.checked_sub(base).filter(|distance| *distance != 0)?;
    let down = |address: u64| if first <= address { address - distance } else { address };
    let mut moved = setup.clone();
    moved.ram.iter_mut().for_each(|range| range.base -= distance);
    moved.devices.iter_mut().for_each(|device| device.base = down(device.base));
    let op = |op: &Op| op.range().map_or(op.clone(), |(address, _)| with_address(op, GuestAddress(down(address))));
    (moved.check().is_ok()).then(|| (moved, ops.iter().map(op).collect()))
}

/// Accesses to ranges of RAM as if these lay one behind the other from 0 on.
fn moved_to_flat(setup: &Setup, ops: &[Op]) -> Vec<Op> {
    let flat = |address: u64| {
        let mut before = 0;
        setup.ram.iter().find_map(|range| {
            let offset = before;
            before += range.bytes;
            (range.base..=range.end()).contains(&address).then(|| offset + (address - range.base))
        })
    };
    let moved = |op: &Op| match op.range().and_then(|(address, _)| flat(address)) {
        Some(address) => with_address(op, GuestAddress(address)),
        None => op.clone(),
    };
    ops.iter().map(moved).collect()
}

/// Accesses in the upper half keep their distance from the end when the memory's size changes.
fn moved_with_end(setup: &Setup, ops: &[Op], size: u64) -> Vec<Op> {
    let moved = |op: &Op| match op.range() {
        Some((address, length)) if setup.memory_size / 2 <= address.saturating_add(length) => {
            let distance = setup.memory_size.wrapping_sub(address);
            with_address(op, GuestAddress(size.wrapping_sub(distance)))
        }
        Some(_) | None => op.clone(),
    };
    ops.iter().map(moved).collect()
}

/// All ops by the first owner, or those of one other owner by the first.
fn one_owner(ops: &[Op]) -> Vec<Vec<Op>> {
    let first = Owner::new_folded(0);
    let Some(other) = ops.iter().map(Op::owner).find(|owner| owner.index() != 0) else { return Vec::new() };
    let all_first = ops.iter().map(|op| with_owner(op, first)).collect();
    let renamed = ops.iter().map(|op| if op.owner() == other { with_owner(op, first) } else { op.clone() }).collect();
    vec![all_first, renamed]
}

/// All accesses moved down by the same distance: to 0x1000, to 0, by whole shards, pages and lines. Only when two
/// accesses or more share the trace; one alone is moved by [`ops`].
fn moved_down(setup: &Setup, ops: &[Op]) -> Vec<Vec<Op>> {
    let inside = |op: &Op| op.range().map(|(address, _)| address).filter(|&address| address <= setup.memory_size);
    let lowest = ops.iter().filter_map(inside).min();
    let Some(lowest) = lowest.filter(|_| 1 < ops.iter().filter_map(inside).count()) else { return Vec::new() };
    let line = lowest % 64;
    let page = lowest % 4096;
    let targets = [0x1000, 0x1000 + line, 0x1000 + page, 0, line, page, lowest.saturating_sub(setup.shard_size())];
    let moved = |target: u64| {
        let shift = |op: &Op| match inside(op) {
            Some(address) => with_address(op, GuestAddress(address - (lowest - target))),
            None => op.clone(),
        };
        ops.iter().map(shift).collect()
    };
    targets.into_iter().filter(|&target| target < lowest).map(moved).collect()
}

/// 0, then steps from far to near below `value`.
fn halves(value: u64) -> impl Iterator<Item = u64> {
    let steps = (0..64).map_while(move |shift| Some(value >> shift).filter(|&step| step != 0));
    steps.map(move |step| value - step)
}

/// Nicer addresses: 0x1000 as in the report, the edges below, then half-way to 0. All are smaller, or the favourite.
fn addresses(setup: &Setup, address: u64, length: u64) -> Vec<u64> {
    const FAVOURITE: u64 = 0x1000;
    if address == FAVOURITE {
        return Vec::new();
    }
    let mut candidates = vec![FAVOURITE, 0];
    for edge in setup.edges() {
        candidates.push(edge);
        candidates.push(edge.wrapping_sub(length));
        candidates.push(edge.wrapping_sub(length / 2));
    }
    candidates.extend([address & !0xfff, address & !0x3f, address & !0x7]);
    candidates.extend(halves(address).skip(1));
    candidates.retain(|&candidate| candidate < address || candidate == FAVOURITE);
    let mut seen = std::collections::BTreeSet::new();
    candidates.retain(|&candidate| seen.insert(candidate));
    candidates
}

/// Valid sizes are simpler than bad ones, 8 is the simplest to read of the valid.
fn sizes(size: u8) -> impl Iterator<Item = u8> {
    const ORDER: [u8; 5] = [8, 4, 2, 1, 0];
    let rank = ORDER.iter().position(|&known| known == size).unwrap_or(ORDER.len());
    ORDER.into_iter().take(rank)
}

fn values(value: u64) -> impl Iterator<Item = u64> {
    const ORDER: [u64; 3] = [0x1122_3344_5566_7788, 1, 0];
    let rank = ORDER.iter().position(|&known| known == value).unwrap_or(ORDER.len());
    ORDER.into_iter().take(rank)
}

fn lengths(length: TransferLength) -> impl Iterator<Item = TransferLength> {
    let bytes = u64::from(length.bytes());
    // 16 is what a person writes by hand: it is tried before anything shorter.
    let plain = (bytes > 16).then_some(16);
    let shorter = halves(bytes).filter(move |_| bytes != 16);
    plain.into_iter().chain(shorter).map(TransferLength::new_folded)
}

/// Shorter transfers that end where this one does, for what happens at an end.
fn with_the_same_end(
    address: GuestAddress,
    length: TransferLength,
) -> impl Iterator<Item = (GuestAddress, TransferLength)> {
    lengths(length).map(move |shorter| {
        let moved = address.0.wrapping_add(u64::from(length.bytes()) - u64::from(shorter.bytes()));
        (GuestAddress(moved), shorter)
    })
}

fn with_owner(op: &Op, owner: Owner) -> Op {
    let mut op = op.clone();
    match &mut op {
        Op::Read { owner: old, .. }
        | Op::Write { owner: old, .. }
        | Op::FetchInstruction { owner: old, .. }
        | Op::LoadReserved { owner: old, .. }
        | Op::StoreConditional { owner: old, .. }
        | Op::InvalidateReservation { owner: old, .. }
        | Op::ReadBulk { owner: old, .. }
        | Op::WriteBulk { owner: old, .. }
        | Op::MemorySize { owner: old }
        | Op::Dump { owner: old }
        | Op::Restore { owner: old, .. }
        | Op::RestoreDump { owner: old }
        | Op::MapDevice { owner: old, .. }
        | Op::UnmapDevice { owner: old, .. }
        | Op::AtomicLoad { owner: old, .. }
        | Op::AtomicStore { owner: old, .. }
        | Op::CompareExchange { owner: old, .. }
        | Op::DirtyLog { owner: old }
        | Op::TakeDirtyLog { owner: old }
        | Op::DumpDirty { owner: old } => *old = owner,
    }
    op
}

fn with_address(op: &Op, address: GuestAddress) -> Op {
    let mut op = op.clone();
    match &mut op {
        Op::Read { address: old, .. }
        | Op::Write { address: old, .. }
        | Op::FetchInstruction { address: old, .. }
        | Op::LoadReserved { address: old, .. }
        | Op::StoreConditional { address: old, .. }
        | Op::InvalidateReservation { address: old, .. }
        | Op::ReadBulk { address: old, .. }
        | Op::WriteBulk { address: old, .. }
        | Op::AtomicLoad { address: old, .. }
        | Op::AtomicStore { address: old, .. }
        | Op::CompareExchange { address: old, .. } => *old = address,
        Op::MemorySize { .. }
        | Op::Dump { .. }
        | Op::Restore { .. }
        | Op::RestoreDump { .. }
        | Op::MapDevice { .. }
        | Op::UnmapDevice { .. }
        | Op::DirtyLog { .. }
        | Op::TakeDirtyLog { .. }
        | Op::DumpDirty { .. } => {}
    }
    op
}
