//! Turns handles of guest memory into a subject: ops become calls, answers become outcomes.
//!
//! One machine a setup, with one handle for each owner. Does not judge, and does not change anything on the way: what
//! the handles answer is what is shown. The view and the reset look at memory behind the handles, so that a broken
//! method is judged for what it did and never for what it shows of itself.

use super::footprint::Footprint;
use super::hardened::{
    Atomics, Fault, GuestPhysAddr, GuestRange, ImageError, Memory, MemoryAccess, MemoryError, MmioDevice, PageImage,
    PhysicalMemory, RegionError, RegionMemory, VmError, WriteLog,
};
use super::recorded_devices::RecordedDevices;
use memtwin_models::guest_memory::{
    DUMP_LIMIT_BYTES, Error, GuestMemory, GuestMemoryContract, MAX_DEVICES, OWNERS, Op, Outcome, Owner, PageWrite,
    Seen, Setup, View,
};
use memtwin_models::{Health, Payload, Subject, Unsupported};
use std::fmt::Debug;
use std::sync::Arc;

/// A handle that can be put under test: one virtual CPU's, in a machine of [`OWNERS`].
pub trait Vcpu: MemoryAccess + Sized {
    /// The subject's name on the command line.
    const NAME: &'static str;
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;
    /// What its documentation claims.
    const CONTRACT: GuestMemoryContract;
    /// Whether a used machine can be made as good as new. False where the defect is in construction or in drop.
    const REUSABLE: bool;
    /// The memory behind the handles.
    type Ram: Ram + Debug;

    /// Where devices can be moved; nothing where they stay.
    fn device_map(&mut self) -> Option<&mut dyn DeviceMap> {
        None
    }

    /// The atomic accesses; nothing where there are none.
    fn atomics(&mut self) -> Option<&mut dyn Atomics> {
        None
    }

    /// The log of written pages; nothing where there is none.
    fn write_log(&mut self) -> Option<&mut dyn WriteLog> {
        None
    }

    /// The machine that `setup` describes.
    fn build(setup: &Setup, devices: &Arc<RecordedDevices>) -> Result<Machine<Self>, Unsupported>;
}

/// The devices in one CPU's view.
pub trait DeviceMap {
    /// Puts a device in front of `[base, base + size)`.
    fn map_mmio(&mut self, base: GuestPhysAddr, size: u64, device: Arc<dyn MmioDevice>) -> Result<(), RegionError>;
    /// Moves the device whose region begins at `from`.
    fn move_mmio(&mut self, from: GuestPhysAddr, to: GuestPhysAddr) -> Result<(), RegionError>;
    /// Takes away the device whose region begins at `base`.
    fn unmap_mmio(&mut self, base: GuestPhysAddr) -> Result<(), RegionError>;
}

/// Memory that is put under test behind a [`SoftMmu`](super::hardened::SoftMmu).
pub trait Behind: Memory + Sized {
    /// The subject's name on the command line.
    const NAME: &'static str;
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;
    /// What its documentation claims.
    const CONTRACT: GuestMemoryContract;
    /// The memory without any method under test.
    type Ram: Ram + Debug;

    /// The memory that `setup` describes.
    fn build(setup: &Setup) -> Result<(Arc<Self>, Self::Ram), Unsupported>;
}

/// Memory, and a handle to it for each owner.
#[derive(Debug)]
pub struct Machine<V: Vcpu> {
    /// One handle for each owner.
    pub handles: [V; OWNERS as usize],
    /// What the handles share.
    pub ram: V::Ram,
}

/// Memory as it is, without devices and without any method under test.
pub trait Ram {
    /// The size in bytes.
    fn size(&self) -> u64;
    /// Fills `buffer` from `address` on.
    fn show(&self, address: u64, buffer: &mut [u8]) -> Result<(), VmError>;
    /// Fills `buffer`, which has the memory's size, with all bytes in the order of their addresses.
    fn show_all(&self, buffer: &mut [u8]) -> Result<(), VmError> {
        self.show(0, buffer)
    }
    /// Calls `visit` with the address and the size in bytes of each range.
    fn visit_ranges(&self, mut visit: impl FnMut(u64, u64)) {
        visit(0, self.size());
    }
    /// Makes the bytes of the ranges, each an address and a length in bytes, zero and kills the reservations there;
    /// bytes beyond the end are left out.
    fn clear(&self, ranges: &[(u64, u32)]) -> Result<(), VmError>;
    /// Empties the log of written pages, where there is one.
    fn forget_writes(&self) {}
}

impl Ram for Arc<PhysicalMemory> {
    fn size(&self) -> u64 {
        PhysicalMemory::size(self)
    }

    fn show(&self, address: u64, buffer: &mut [u8]) -> Result<(), VmError> {
        self.load_bulk(GuestPhysAddr::new(address), buffer)
    }

    fn clear(&self, ranges: &[(u64, u32)]) -> Result<(), VmError> {
        let range = |&(start, length): &(u64, u32)| GuestRange::between(start, start.saturating_add(u64::from(length)));
        PhysicalMemory::clear(self, ranges.iter().map(range))
    }

    fn forget_writes(&self) {
        if let Some(log) = self.dirty_log() {
            log.take(&mut |_page| ());
        }
    }
}

impl Ram for Arc<RegionMemory> {
    fn size(&self) -> u64 {
        Memory::size(&**self)
    }

    fn show(&self, address: u64, buffer: &mut [u8]) -> Result<(), VmError> {
        self.load_bulk(GuestPhysAddr::new(address), buffer)
    }

    fn show_all(&self, buffer: &mut [u8]) -> Result<(), VmError> {
        let mut rest = buffer;
        for range in self.ranges() {
            let length = usize::try_from(range.length()).unwrap_or(usize::MAX).min(rest.len());
            let (bytes, others) = rest.split_at_mut(length);
            self.show(range.start(), bytes)?;
            rest = others;
        }
        Ok(())
    }

    fn visit_ranges(&self, mut visit: impl FnMut(u64, u64)) {
        self.ranges().for_each(|range| visit(range.start(), range.length()));
    }

    fn clear(&self, ranges: &[(u64, u32)]) -> Result<(), VmError> {
        let range = |&(start, length): &(u64, u32)| GuestRange::between(start, start.saturating_add(u64::from(length)));
        RegionMemory::clear(self, ranges.iter().map(range))
    }

    fn forget_writes(&self) {
        if let Some(log) = self.dirty_log() {
            log.take(&mut |_page| ());
        }
    }
}

/// The subject made of a machine of `V`s.
#[derive(Debug)]
pub struct Adapter<V: Vcpu> {
    machine: Machine<V>,
    devices: Arc<RecordedDevices>,
    /// Where each device of the setup is mapped.
    places: [Option<GuestPhysAddr>; MAX_DEVICES],
    /// Whether one may be elsewhere than the setup says.
    moved: bool,
    setup: Setup,
    footprint: Footprint,
    /// Where the bytes of a restore are put together when they are more than one slice of the pattern; grows once.
    restored: Vec<u8>,
    /// How many pages were written to images.
    page_writes: u64,
}

/// The image of a setup: all that is written to it is in the outcome, and the setup says what it refuses.
struct RecordedImage<'a> {
    seen: &'a mut Outcome,
    refused: &'a [u16],
    page_writes: &'a mut u64,
}

impl PageImage for RecordedImage<'_> {
    fn write(&mut self, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), ImageError> {
        let refused = self.refused.iter().any(|number| u64::from(*number) == *self.page_writes);
        *self.page_writes += 1;
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.seen.page_writes.push(PageWrite { address: pa.get(), length, refused });
        self.seen.dump.extend_from_slice(bytes);
        if refused { Err(ImageError) } else { Ok(()) }
    }
}

impl<V: Vcpu> Subject<GuestMemory> for Adapter<V> {
    const NAME: &'static str = V::NAME;
    const HEALTH: Health = V::HEALTH;
    const CONTRACT: GuestMemoryContract = V::CONTRACT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let devices = Arc::new(RecordedDevices::new(setup));
        let machine = V::build(setup, &devices)?;
        Ok(Adapter {
            machine,
            devices,
            places: places(setup),
            moved: false,
            setup: setup.clone(),
            footprint: Footprint::new(),
            restored: Vec::new(),
            page_writes: 0,
        })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        if !V::REUSABLE || self.setup != *setup || !self.footprint.scrub(&self.machine.ram) {
            return false;
        }
        self.machine.ram.forget_writes();
        self.page_writes = 0;
        self.devices.reset();
        !self.moved || self.put_back()
    }

    #[inline]
    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        seen.device_calls.clear();
        seen.result = self.call(op, seen);
        self.devices.drain(&mut seen.device_calls);
    }

    fn view(&mut self, view: &mut View) {
        view.memory_size = Some(self.machine.handles[0].memory_size());
        let mut dump = view.dump.take().unwrap_or_default();
        if view.dump_wanted && self.has_dump() {
            // At most the dump limit, so the cast below cannot lose anything.
            dump.resize(usize::try_from(self.setup.memory_size).unwrap_or(0), 0);
            view.dump = self.machine.ram.show_all(&mut dump).is_ok().then_some(dump);
        }
        view.bytes.clear();
        for &(address, length) in &view.ranges_wanted {
            let start = view.bytes.len();
            view.bytes.resize(start + length as usize, 0);
            if self.machine.ram.show(address, &mut view.bytes[start..]).is_err() {
                // A range outside memory cannot be shown, and bytes that are not there must not look like zeros.
                view.bytes.clear();
                return;
            }
        }
    }
}

impl<V: Vcpu> Adapter<V> {
    const fn has_dump(&self) -> bool {
        self.setup.memory_size <= DUMP_LIMIT_BYTES
    }

    #[inline]
    fn call(&mut self, op: &Op, seen: &mut Outcome) -> Seen {
        // The owner is taken in each arm: asking the op for it would be a second jump by its kind, and jumps by
        // something random are what a scalar op costs most.
        let handles = &mut self.machine.handles;
        match *op {
            Op::Read { owner, address, size, .. } => {
                value(handles[owner.index()].read(GuestPhysAddr::new(address.0), size))
            }
            Op::Write { owner, address, value, size, .. } => {
                self.footprint.note(address.0, u32::from(size));
                done(handles[owner.index()].write(GuestPhysAddr::new(address.0), value, size))
            }
            Op::FetchInstruction { owner, address, .. } => {
                value(handles[owner.index()].fetch_insn(GuestPhysAddr::new(address.0)).map(u64::from))
            }
            Op::LoadReserved { owner, address, size, .. } => {
                self.footprint.note(address.0, u32::from(size));
                value(handles[owner.index()].load_reserved(GuestPhysAddr::new(address.0), size))
            }
            Op::StoreConditional { owner, address, value, size, .. } => {
                self.footprint.note(address.0, u32::from(size));
                match handles[owner.index()].store_conditional(GuestPhysAddr::new(address.0), value, size) {
                    Ok(stored) => Seen::Stored(stored),
                    Err(error) => Seen::Error(class(error)),
                }
            }
            Op::InvalidateReservation { owner, address, size, .. } => {
                handles[owner.index()].invalidate_reservation(GuestPhysAddr::new(address.0), size);
                Seen::Done
            }
            Op::ReadBulk { owner, address, length, .. } => {
                done(handles[owner.index()].read_bulk(GuestPhysAddr::new(address.0), seen.buffer(length)))
            }
            Op::WriteBulk { owner, address, seed, length, .. } => {
                self.footprint.note(address.0, length.bytes());
                let payload = Payload { seed, length: length.bytes() };
                // Every transfer fits one slice of the pattern: MAX_TRANSFER_BYTES is MAX_SLICE_BYTES.
                done(
                    handles[owner.index()]
                        .write_bulk(GuestPhysAddr::new(address.0), payload.bytes().unwrap_or_default()),
                )
            }
            Op::MemorySize { owner } => Seen::Value(handles[owner.index()].memory_size()),
            Op::Dump { owner } if self.has_dump() => {
                seen.dump = self.machine.handles[owner.index()].dump_memory();
                Seen::Done
            }
            Op::Restore { owner, payload } if self.has_dump() => self.restore(owner, payload),
            Op::RestoreDump { owner } if self.has_dump() => {
                self.footprint.note_everything();
                let handle = &mut self.machine.handles[owner.index()];
                let dump = handle.dump_memory();
                restored(&handle.restore_memory(&dump))
            }
            Op::Dump { .. } | Op::Restore { .. } | Op::RestoreDump { .. } => Seen::Skipped,
            Op::MapDevice { device, base, .. } => self.place(device.index(), Some(GuestPhysAddr::new(base.0))),
            Op::UnmapDevice { device, .. } => self.place(device.index(), None),
            Op::DirtyLog { .. } | Op::TakeDirtyLog { .. } | Op::DumpDirty { .. } => self.call_log(op, seen),
            Op::AtomicLoad { .. } | Op::AtomicStore { .. } | Op::CompareExchange { .. } => self.call_atomic(op),
        }
    }

    #[cold]
    fn call_log(&mut self, op: &Op, seen: &mut Outcome) -> Seen {
        let handle = self.machine.handles[op.owner().index()].write_log();
        let (Some(log), Some(handle)) = (&self.setup.dirty_log, handle) else { return Seen::Skipped };
        if let Op::DirtyLog { .. } = op {
            handle.dirty_log(&mut |page| seen.pages.push(page.get()));
            return Seen::Done;
        }
        if let Op::TakeDirtyLog { .. } = op {
            handle.take_dirty_log(&mut |page| seen.pages.push(page.get()));
            return Seen::Done;
        }
        let mut image = RecordedImage { seen, refused: &log.refused, page_writes: &mut self.page_writes };
        if handle.dump_dirty(&mut image).is_ok() { Seen::Done } else { Seen::Error(Error::Other) }
    }

    #[cold]
    fn call_atomic(&mut self, op: &Op) -> Seen {
        let Some(handle) = self.machine.handles[op.owner().index()].atomics() else { return Seen::Skipped };
        if let Op::AtomicLoad { address, size, .. } = *op {
            return value(handle.atomic_load(GuestPhysAddr::new(address.0), size));
        }
        let Some((address, size)) = op.range() else { return Seen::Skipped };
        self.footprint.note(address, u32::try_from(size).unwrap_or(u32::MAX));
        let pa = GuestPhysAddr::new(address);
        if let Op::AtomicStore { value, size, .. } = *op {
            done(handle.atomic_store(pa, value, size))
        } else if let Op::CompareExchange { expected, value, size, .. } = *op {
            match handle.compare_exchange(pa, expected, value, size) {
                Ok(Ok(before)) => Seen::Exchanged { before, stored: true },
                Ok(Err(before)) => Seen::Exchanged { before, stored: false },
                Err(error) => Seen::Error(class(error)),
            }
        } else {
            Seen::Skipped
        }
    }

    /// Maps, moves or unmaps a device in the view of each CPU.
    #[cold]
    fn place(&mut self, index: usize, to: Option<GuestPhysAddr>) -> Seen {
        if self.machine.handles[0].device_map().is_none() {
            return Seen::Skipped;
        }
        let Some(device) = self.setup.devices.get(index) else { return Seen::Error(Error::Other) };
        let from = self.places[index];
        let mut answer = Ok(());
        for map in self.machine.handles.iter_mut().filter_map(V::device_map) {
            let answered = match (from, to) {
                (Some(from), Some(to)) => map.move_mmio(from, to),
                (Some(from), None) => map.unmap_mmio(from),
                (None, Some(to)) => map.map_mmio(to, device.size.into(), Arc::new(self.devices.device(index))),
                // There is nothing to take away.
                (None, None) => Err(RegionError::Unmapped),
            };
            answer = answer.and(answered);
        }
        if answer.is_err() {
            return Seen::Error(Error::Other);
        }
        self.places[index] = to;
        self.moved = true;
        Seen::Done
    }

    /// All devices are where the setup says; false where that cannot be.
    fn put_back(&mut self) -> bool {
        self.moved = false;
        let taken_away = (0..self.setup.devices.len())
            .all(|index| self.places[index].is_none() || self.place(index, None) == Seen::Done);
        let wanted = places(&self.setup);
        let is_back =
            taken_away && (0..self.setup.devices.len()).all(|index| self.place(index, wanted[index]) == Seen::Done);
        self.moved = false;
        is_back
    }

    fn restore(&mut self, owner: Owner, payload: Payload) -> Seen {
        self.footprint.note_everything();
        let handle = &mut self.machine.handles[owner.index()];
        if let Some(bytes) = payload.bytes() {
            return restored(&handle.restore_memory(bytes));
        }
        // Beyond the limit every length is equally wrong, so a length of gigabytes need not cost gigabytes.
        let length = u64::from(payload.length).min(DUMP_LIMIT_BYTES + 1);
        self.restored.resize(usize::try_from(length).unwrap_or(0), 0);
        payload.fill(0, &mut self.restored);
        restored(&handle.restore_memory(&self.restored))
    }
}

/// Where a setup's devices are mapped.
fn places(setup: &Setup) -> [Option<GuestPhysAddr>; MAX_DEVICES] {
    std::array::from_fn(|index| setup.devices.get(index).map(|device| GuestPhysAddr::new(device.base)))
}

#[inline]
fn value(answer: Result<u64, VmError>) -> Seen {
    match answer {
        Ok(value) => Seen::Value(value),
        Err(error) => Seen::Error(class(error)),
    }
}

#[inline]
fn done(answer: Result<(), VmError>) -> Seen {
    match answer {
        Ok(()) => Seen::Done,
        Err(error) => Seen::Error(class(error)),
    }
}

fn restored(answer: &Result<(), String>) -> Seen {
    if answer.is_ok() { Seen::Done } else { Seen::Error(Error::Other) }
}

#[inline]
const fn class(error: VmError) -> Error {
    match error {
        VmError::Fault(Fault::AlignmentFault { .. }) => Error::Alignment,
        VmError::Fault(Fault::PageFault(_)) => Error::PageFault,
        VmError::Memory(MemoryError::InvalidAddress(_)) => Error::InvalidAddress,
        VmError::Memory(
            MemoryError::MixedAccess(_) | MemoryError::ReservationOnDevice(_) | MemoryError::OutOfMemory(_),
        )
        | VmError::Device(_) => Error::Other,
    }
}
