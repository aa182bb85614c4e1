//! The op mixes of the benchmarks. Frozen before anything was measured: figures of different days compare only while
//! these stay as they are.

use memtwin::engines::TraceSource;
use memtwin::engines::random::Generated;
use memtwin::models::guest_memory::{GuestMemory, GuestMemoryContract, MAX_MEMORY_BYTES, OpKind, Setup};
use memtwin::models::{Contract as _, guest_memory::Op};
use memtwin::models::{brk_heap, header_free, page_walk, temp_map};
use memtwin::rig::guest_memory::{GuestMemoryGenerator, Mix};
use memtwin::trace::Trace;

/// Ops of each trace.
pub(crate) const TRACE_OPS: u32 = 256;
/// Traces of each mix: enough that no branch predictor learns them.
pub(crate) const TRACES: u64 = 512;
/// The seed of the mixes' traces.
pub(crate) const STREAM: u64 = 20;

/// A mix with its name.
pub(crate) struct NamedMix {
    /// What the tables call it.
    pub(crate) name: &'static str,
    /// What its traces have in common.
    pub(crate) mix: Mix,
    /// The memory's size in bytes.
    pub(crate) memory_bytes: u64,
}

const fn weights(scalar: u32, reserved: u32, bulk: u32) -> [u32; OpKind::ALL.len()] {
    let mut weights = [0; OpKind::ALL.len()];
    weights[OpKind::Read as usize] = scalar;
    weights[OpKind::Write as usize] = scalar;
    weights[OpKind::FetchInstruction as usize] = scalar / 8;
    weights[OpKind::LoadReserved as usize] = reserved;
    weights[OpKind::StoreConditional as usize] = reserved;
    weights[OpKind::ReadBulk as usize] = bulk;
    weights[OpKind::WriteBulk as usize] = bulk;
    weights
}

const fn mix(weights: [u32; OpKind::ALL.len()], longest_transfer_bytes: u64) -> Mix {
    Mix { weights, longest_transfer_bytes, wild_one_in: 12 }
}

const MIB: u64 = 1 << 20;

/// About 5 % bulk to 256 bytes; about 30 % bulk to 1 KiB; all bulk to 8 KiB. The last is the second in the largest
/// memory.
pub(crate) const MIXES: [NamedMix; 4] = [
    NamedMix { name: "scalar", mix: mix(weights(80, 6, 5), 256), memory_bytes: MIB },
    NamedMix { name: "mixed", mix: mix(weights(56, 6, 30), 1024), memory_bytes: MIB },
    NamedMix { name: "bulk", mix: mix(weights(0, 0, 1), 8192), memory_bytes: MIB },
    NamedMix { name: "mixed, 64 GiB", mix: mix(weights(56, 6, 30), 1024), memory_bytes: MAX_MEMORY_BYTES },
];

impl NamedMix {
    /// The contract of the subject that is measured.
    pub(crate) const CONTRACT: GuestMemoryContract = GuestMemoryContract {
        flat_ram: true,
        no_devices: true,
        no_strict_alignment: true,
        ..GuestMemoryContract::STRICT
    };

    /// The setup.
    pub(crate) fn setup(&self) -> Setup {
        Setup::flat(self.memory_bytes)
    }

    /// A fresh source of the mix's traces.
    pub(crate) fn source(&self) -> Generated<GuestMemory> {
        Generated::uniform(GuestMemoryGenerator::with_mix(&Self::CONTRACT, self.mix), self.setup(), TRACE_OPS)
    }

    /// The traces as wire bytes.
    pub(crate) fn wires(&self) -> Vec<Vec<u8>> {
        wires(&mut self.source())
    }

    /// The traces' ops, decoded.
    pub(crate) fn ops(&self) -> Vec<Vec<Op>> {
        self.wires().iter().map(|wire| Trace::<GuestMemory>::from_wire(wire).ops().to_vec()).collect()
    }
}

/// The traces of a source as wire bytes.
pub(crate) fn wires(source: &mut dyn TraceSource) -> Vec<Vec<u8>> {
    let wire = |index| {
        let mut wire = Vec::new();
        source.write(STREAM, index, &mut wire);
        wire
    };
    (0..TRACES).map(wire).collect()
}

/// The brk heap that is measured: the report's layout with 1 MiB of frames.
pub(crate) fn brk_heap() -> brk_heap::Setup {
    brk_heap::Setup { frames: 256, ..brk_heap::Setup::reported(0) }
}

/// The header_free allocator that is measured: preloaded, with its largest registry.
pub(crate) fn header_free() -> header_free::Setup {
    header_free::Setup { superslab_log2: 20, ..header_free::Setup::PRELOADED }
}

/// The page tables that are measured: 16 KiB of snapshot and of scratch, and small bounds of work.
pub(crate) fn page_walk() -> page_walk::Setup {
    page_walk::Setup { work_bounds: page_walk::WorkBounds::Small, ..page_walk::Setup::plain() }
}

/// The machine that is measured: 512 KiB from 4 MiB on.
pub(crate) fn temp_map() -> temp_map::Setup {
    temp_map::Setup { frames: 128, memory_start: temp_map::PhysicalAddress(0x40_0000), taken_slots: 0 }
}
