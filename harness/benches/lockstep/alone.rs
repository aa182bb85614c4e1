//! The guest memory alone, as a virtual machine would use it.

use crate::mixes::NamedMix;
use memtwin::models::Payload;
use memtwin::models::guest_memory::Op;
use memtwin::subjects::guest_memory::hardened::{
    GuestPhysAddr, MemoryAccess, OwnerIndex, PhysicalHandle, PhysicalMemory,
};
use std::hint::black_box;
use std::sync::Arc;

/// The subject alone: decoded ops on the memory's own handles, no model, no reset, no record of anything.
pub(crate) struct Alone {
    handles: [PhysicalHandle; 4],
    buffer: Vec<u8>,
}

impl Alone {
    pub(crate) fn new(mix: &NamedMix) -> Self {
        let memory = Arc::new(PhysicalMemory::new(mix.memory_bytes).expect("the host has the address space"));
        let handles = [0, 1, 2, 3].map(|owner| PhysicalHandle::new(Arc::clone(&memory), OwnerIndex(owner)));
        Alone { handles, buffer: vec![0; 1 << 16] }
    }

    pub(crate) fn run(&mut self, ops: &[Op]) {
        for op in ops {
            let handles = &mut self.handles;
            match *op {
                Op::Read { owner, address, size, .. } => {
                    let _ = black_box(handles[owner.index()].read(GuestPhysAddr::new(address.0), size));
                }
                Op::Write { owner, address, value, size, .. } => {
                    let _ = black_box(handles[owner.index()].write(GuestPhysAddr::new(address.0), value, size));
                }
                Op::FetchInstruction { owner, address, .. } => {
                    let _ = black_box(handles[owner.index()].fetch_insn(GuestPhysAddr::new(address.0)));
                }
                Op::LoadReserved { owner, address, size, .. } => {
                    let _ = black_box(handles[owner.index()].load_reserved(GuestPhysAddr::new(address.0), size));
                }
                Op::StoreConditional { owner, address, value, size, .. } => {
                    let _ =
                        black_box(handles[owner.index()].store_conditional(GuestPhysAddr::new(address.0), value, size));
                }
                Op::InvalidateReservation { owner, address, size, .. } => {
                    handles[owner.index()].invalidate_reservation(GuestPhysAddr::new(address.0), size);
                }
                Op::ReadBulk { owner, address, length, .. } => {
                    let buffer = &mut self.buffer[..length.bytes() as usize];
                    let _ = black_box(handles[owner.index()].read_bulk(GuestPhysAddr::new(address.0), buffer));
                }
                Op::WriteBulk { owner, address, seed, length, .. } => {
                    let payload = Payload { seed, length: length.bytes() };
                    let bytes = payload.bytes().unwrap_or_default();
                    let _ = black_box(handles[owner.index()].write_bulk(GuestPhysAddr::new(address.0), bytes));
                }
                Op::MemorySize { owner } => {
                    let _ = black_box(handles[owner.index()].memory_size());
                }
                Op::Dump { .. }
                | Op::Restore { .. }
                | Op::RestoreDump { .. }
                | Op::MapDevice { .. }
                | Op::UnmapDevice { .. }
                | Op::AtomicLoad { .. }
                | Op::AtomicStore { .. }
                | Op::CompareExchange { .. }
                | Op::DirtyLog { .. }
                | Op::TakeDirtyLog { .. }
                | Op::DumpDirty { .. } => {
                    unreachable!("the mixes have none of these")
                }
            }
        }
    }
}
