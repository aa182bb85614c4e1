//! Simpler page-walk setups and ops, for the shrinker. Each variant is smaller in a fixed order, so shrinking ends.

use crate::rig::Simplify;
use memtwin_models::page_walk::{File, MappedSetup, MappingKind, Op, PageWalk, Prefix, Setup, Slot};

/// Backing sizes that a reader knows by sight, the plainest first.
const PLAIN_BYTES: [u32; 4] = [0x4000, 0x1000, 0x1800, 0x2000];
/// Lengths that a person writes by hand, the plainest first.
const PLAIN_LENGTHS: [u64; 6] = [0x1000, 0x2000, 1, 8, 16, 0x100];

impl Simplify for PageWalk {
    fn simpler_setups(setup: &Setup) -> Vec<Setup> {
        let plain = Setup::plain();
        let mut simpler: Vec<Setup> = Vec::new();
        if !setup.paging {
            simpler.push(Setup { paging: true, ..setup.clone() });
        }
        if setup.adjacent {
            simpler.push(Setup { adjacent: false, ..setup.clone() });
        }
        for pages in 0..setup.tail_pages {
            simpler.push(Setup { tail_pages: pages, ..setup.clone() });
        }
        for index in 0..setup.mapped.len() {
            let mut fewer = setup.clone();
            fewer.mapped.remove(index);
            simpler.push(fewer);
        }
        if setup.table_base != plain.table_base {
            simpler.push(Setup { table_base: plain.table_base, ..setup.clone() });
        }
        simpler.extend(plainer(setup.snapshot_bytes).map(|bytes| Setup { snapshot_bytes: bytes, ..setup.clone() }));
        simpler.extend(plainer(setup.scratch_bytes).map(|bytes| Setup { scratch_bytes: bytes, ..setup.clone() }));
        if setup.buffer_bytes != plain.buffer_bytes {
            simpler.push(Setup { buffer_bytes: plain.buffer_bytes, ..setup.clone() });
        }
        for (index, mapped) in setup.mapped.iter().enumerate() {
            let with = |mapped: MappedSetup| {
                let mut setup = setup.clone();
                setup.mapped[index] = mapped;
                setup
            };
            simpler.extend(plainer(mapped.bytes).map(|bytes| with(MappedSetup { bytes, ..*mapped })));
            if mapped.gpa != 0x40_0000 && !setup.adjacent {
                simpler.push(with(MappedSetup { gpa: 0x40_0000, ..*mapped }));
            }
            if mapped.writable || mapped.executable {
                simpler.push(with(MappedSetup { writable: false, executable: false, ..*mapped }));
            }
        }
        simpler.into_iter().map(Setup::normalised).filter(|candidate| candidate != setup).collect()
    }

    fn simpler_ops(_setup: &Setup, op: &Op) -> Vec<Op> {
        match *op {
            Op::Map { phys, virt, length, kind } => {
                let kinds = kinds(kind).map(|kind| Op::Map { phys, virt, length, kind });
                let lengths = lengths(length).map(|length| Op::Map { phys, virt, length, kind });
                let fewer = kinds.chain(lengths);
                let phys = rounded(phys).map(|phys| Op::Map { phys, virt, length, kind });
                fewer
                    .chain(phys)
                    .chain(rounded(virt).map(|virt| Op::Map { phys: base_of(op), virt, length, kind }))
                    .collect()
            }
            Op::SetRoot { root } => rounded(root).map(|root| Op::SetRoot { root }).collect(),
            Op::WriteEntry { address, value } => {
                entries(value).map(|value| Op::WriteEntry { address, value }).collect()
            }
            Op::FillEntries { address, count, value } => {
                let one = (count == 1).then_some(Op::WriteEntry { address, value });
                let counts = [1, 2, 4, 8, 64].into_iter().filter(move |&plain| plain < count);
                one.into_iter().chain(counts.map(|count| Op::FillEntries { address, count, value })).collect()
            }
            Op::Walk { address, length } => {
                let lengths = lengths(length).map(|length| Op::Walk { address, length });
                lengths.chain(rounded(address).map(|address| Op::Walk { address, length })).collect()
            }
            Op::Read { address, length } => {
                let lengths = lengths(length).map(|length| Op::Read { address, length });
                lengths.chain(rounded(address).map(|address| Op::Read { address, length })).collect()
            }
            Op::ReadAsUser { address, length } => {
                let lengths = lengths(length).map(|length| Op::ReadAsUser { address, length });
                lengths.chain(rounded(address).map(|address| Op::ReadAsUser { address, length })).collect()
            }
            Op::Translate { address } => rounded(address).map(|address| Op::Translate { address }).collect(),
            Op::MapFile { file } => files(file).map(|file| Op::MapFile { file }).collect(),
            Op::UnmapFile { file } => files(file).map(|file| Op::UnmapFile { file }).collect(),
            Op::GuestWrite { address, seed, length } => {
                let seeds = (seed != 0).then_some(Op::GuestWrite { address, seed: 0, length });
                seeds
                    .into_iter()
                    .chain(shorter(length).map(|length| Op::GuestWrite { address, seed, length }))
                    .collect()
            }
            Op::GuestWord { address, value } => [0, 8, 9999]
                .into_iter()
                .take_while(|&plain| plain != value)
                .map(|value| Op::GuestWord { address, value })
                .collect(),
            Op::SharedRead { backing, offset, length } => {
                let lengths = lengths(length).map(|length| Op::SharedRead { backing, offset, length });
                lengths.chain(rounded(offset).map(|offset| Op::SharedRead { backing, offset, length })).collect()
            }
            Op::Push { seed, length, prefix } => {
                let seeds = (seed != 0).then_some(Op::Push { seed: 0, length, prefix });
                let lengths = shorter(length).map(|length| Op::Push { seed, length, prefix });
                let plain = match prefix {
                    Prefix::None => None,
                    Prefix::Right | Prefix::Number(_) => Some(Op::Push { seed, length, prefix: Prefix::None }),
                };
                plain.into_iter().chain(seeds).chain(lengths).collect()
            }
            Op::AddFileMapping { address, length } => (address != 0 || length != 0)
                .then_some(Op::AddFileMapping { address: 0, length: 0 })
                .into_iter()
                .collect(),
            Op::AllocTable
            | Op::ReadEntry { .. }
            | Op::Regions
            | Op::Pop
            | Op::PopPrefixed
            | Op::Clear
            | Op::Snapshot { .. }
            | Op::Restore { .. }
            | Op::Build => Vec::new(),
        }
    }

    /// All snapshots in the first slot; all mappings moved to the start of the address space.
    fn simpler_together(setup: &Setup, ops: &[Op]) -> Vec<(Setup, Vec<Op>)> {
        let one_slot = ops.iter().map(|op| {
            let mut op = op.clone();
            if let Op::Snapshot { slot } | Op::Restore { slot } = &mut op {
                *slot = Slot::new_folded(0);
            }
            op
        });
        let virtual_of = |op: &Op| if let Op::Map { virt, .. } = op { Some(*virt) } else { None };
        let lowest = ops.iter().filter_map(virtual_of).min().unwrap_or(0);
        let moved = ops.iter().map(|op| {
            let mut op = op.clone();
            if let Op::Map { virt: address, .. }
            | Op::Walk { address, .. }
            | Op::Read { address, .. }
            | Op::ReadAsUser { address, .. }
            | Op::Translate { address } = &mut op
            {
                *address = address.wrapping_sub(lowest);
            }
            op
        });
        let candidates: [Vec<Op>; 2] = [one_slot.collect(), moved.collect()];
        candidates.into_iter().filter(|candidate| candidate != ops).map(|ops| (setup.clone(), ops)).collect()
    }
}

fn plainer(bytes: u32) -> impl Iterator<Item = u32> {
    let rank = PLAIN_BYTES.iter().position(|&plain| plain == bytes).unwrap_or(PLAIN_BYTES.len());
    PLAIN_BYTES.into_iter().take(rank)
}

/// Plain numbers first, then smaller steps.
fn lengths(length: u64) -> impl Iterator<Item = u64> {
    let rank = PLAIN_LENGTHS.iter().position(|&plain| plain == length);
    let plain = PLAIN_LENGTHS.into_iter().take(rank.unwrap_or(PLAIN_LENGTHS.len()));
    let steps = (1..64).map_while(move |shift| Some(length >> shift).filter(|&step| step != 0));
    let is_odd = rank.is_none() && length != 0;
    plain.filter(move |_| length != 0).chain(steps.map(move |step| length - step).filter(move |_| is_odd))
}

fn files(file: File) -> impl Iterator<Item = File> {
    (0..file.index()).map(File::new_folded)
}

fn shorter(length: u16) -> impl Iterator<Item = u16> {
    [0, 3, 4, 8, 16, 64].into_iter().filter(move |&plain| plain < length)
}

/// Addresses with fewer low bits.
fn rounded(address: u64) -> impl Iterator<Item = u64> {
    [!0xfff, !0xff, !7].into_iter().map(move |mask| address & mask).filter(move |&plain| plain != address)
}

fn base_of(op: &Op) -> u64 {
    if let Op::Map { phys, .. } = *op { phys } else { 0 }
}

/// Plainer kinds: read and write first.
fn kinds(kind: MappingKind) -> impl Iterator<Item = MappingKind> {
    let plain = [
        MappingKind::Basic { r: true, w: true, x: false },
        MappingKind::Basic { r: true, w: false, x: false },
        MappingKind::Basic { r: true, w: false, x: true },
        MappingKind::Cow { r: true, x: false },
        MappingKind::Cow { r: true, x: true },
    ];
    plain.into_iter().take_while(move |plain| *plain != kind)
}

/// Entries with fewer bits set.
fn entries(value: u64) -> impl Iterator<Item = u64> {
    (0..64).rev().filter(move |bit| value >> bit & 1 != 0).map(move |bit| value & !(1 << bit))
}
