//! Simpler guest-memory setups and ops, for the shrinker. Each variant is smaller in a fixed order, so shrinking ends.

use memtwin_models::Payload;
use memtwin_models::guest_memory::{GuestAddress, Op, Owner, Setup, TransferLength};

/// Sizes that a reader knows by sight, the plainest first: the small configuration of the report, then smaller ones.
const PLAIN_SIZES: [u64; 4] = [0x1_0000, 0x1000, 0x100, 0x10];

pub(super) fn setups(setup: &Setup) -> Vec<Setup> {
    let mut simpler = Vec::new();
    if setup.strict_alignment {
        simpler.push(Setup { strict_alignment: false, ..setup.clone() });
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
    let rank = |size: u64| PLAIN_SIZES.iter().position(|&plain| plain == size).unwrap_or(PLAIN_SIZES.len());
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

pub(super) fn ops(setup: &Setup, op: &Op) -> Vec<Op> {
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
        Op::InvalidateReservation { owner, address, size } => {
            simpler.extend(sizes(size).map(|size| Op::InvalidateReservation { owner, address, size }));
        }
        Op::ReadBulk { owner, address, length } => {
            simpler.extend(lengths(length).map(|length| Op::ReadBulk { owner, address, length }));
        }
        Op::WriteBulk { owner, address, seed, length } => {
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
                let length = length as u32;
                simpler.push(Op::Restore { owner, payload: Payload { length, ..payload } });
            }
        }
        Op::FetchInstruction { .. } | Op::MemorySize { .. } | Op::Dump { .. } | Op::RestoreDump { .. } => {}
    }
    simpler
}

/// All accesses moved down by the same distance, so that what they have in common stays: to 0x1000, to 0, by whole shards,
/// pages and lines. All owners swapped so that the first is 0. Only when two accesses or more share the trace; one alone is moved by [`ops`].
pub(super) fn together(setup: &Setup, ops: &[Op]) -> Vec<Vec<Op>> {
    let inside = |op: &Op| op.range().map(|(address, _)| address).filter(|&address| address <= setup.memory_size);
    let mut moved: Vec<Vec<Op>> = Vec::new();
    if let Some(other) = ops.iter().map(Op::owner).find(|owner| owner.index() != 0) {
        let first = Owner::new_folded(0);
        let all_first = ops.iter().map(|op| with_owner(op, first)).collect();
        let renamed =
            ops.iter().map(|op| if op.owner() == other { with_owner(op, first) } else { op.clone() }).collect();
        moved.extend([all_first, renamed]);
    }
    let lowest = ops.iter().filter_map(inside).min();
    let Some(lowest) = lowest.filter(|_| 1 < ops.iter().filter_map(inside).count()) else { return moved };
    let line = lowest % 64;
    let page = lowest % 4096;
    let targets = [0x1000, 0x1000 + line, 0x1000 + page, 0, line, page, lowest.saturating_sub(setup.shard_size())];
    for target in targets.into_iter().filter(|&target| target < lowest) {
        let distance = lowest - target;
        let shift = |op: &Op| match inside(op) {
            Some(address) => with_address(op, GuestAddress(address - distance)),
            None => op.clone(),
        };
        moved.push(ops.iter().map(shift).collect());
    }
    moved
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
        | Op::RestoreDump { owner: old } => *old = owner,
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
        | Op::WriteBulk { address: old, .. } => *old = address,
        Op::MemorySize { .. } | Op::Dump { .. } | Op::Restore { .. } | Op::RestoreDump { .. } => {}
    }
    op
}
