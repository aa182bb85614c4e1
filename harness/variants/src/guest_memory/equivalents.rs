//! Guest memories that are right in another way than the hardened code. Some claim a freedom, and use it.

use memtwin_models::guest_memory::{GuestMemory, GuestMemoryContract};
use memtwin_models::{Contract as _, Health, Row};
use memtwin_subjects::guest_memory::deviation::{Deviating, Deviation};
use memtwin_subjects::guest_memory::hardened::{
    AccessSize, Fault, GuestPhysAddr, Memory as _, MemoryAccess as _, MemoryError, RegionError, RegionMemory, SoftMmu,
    VmError,
};
use memtwin_subjects::guest_memory::region_deviation::{RegionDeviation, WrongRegions};
use memtwin_subjects::guest_memory::subject::Adapter;

/// All of them.
pub(crate) static ROWS: &[Row<GuestMemory>] = &[
    Row::of::<Adapter<Deviating<BytesAscending>>>(),
    Row::of::<Adapter<Deviating<BytesDescending>>>(),
    Row::of::<Adapter<Deviating<ScalarsInHalves>>>(),
    Row::of::<Adapter<Deviating<DumpInPieces>>>(),
    Row::of::<Adapter<Deviating<RestoreInPieces>>>(),
    Row::of::<Adapter<Deviating<MovesEndReservations>>>(),
    Row::of::<Adapter<Deviating<SpuriousFailure>>>(),
    Row::of::<Adapter<Deviating<EmptyAnywhere>>>(),
    Row::of::<Adapter<Deviating<WritesWhatFits>>>(),
    Row::of::<Adapter<Deviating<ReadsWhatFits>>>(),
    Row::of::<Adapter<Deviating<PageFaults>>>(),
    Row::of::<Adapter<SoftMmu<WrongRegions<RegionsByByte>>>>(),
    Row::of::<Adapter<SoftMmu<WrongRegions<ScalarsInBulk>>>>(),
];

pub(super) const FLAT: GuestMemoryContract = GuestMemoryContract { flat_ram: true, ..GuestMemoryContract::STRICT };
const ALONE: GuestMemoryContract = GuestMemoryContract { no_devices: true, ..FLAT };
/// Dumps and restores move this many bytes at a time.
const PIECE_BYTES: usize = 1000;

fn at(pa: GuestPhysAddr, distance: usize) -> GuestPhysAddr {
    GuestPhysAddr::new(pa.get().wrapping_add(distance as u64))
}

/// Whether all of these bytes are memory, where there are no devices.
fn is_memory(mmu: &SoftMmu, pa: GuestPhysAddr, length: usize) -> bool {
    pa.get().checked_add(length as u64).is_some_and(|end| end <= mmu.memory_size())
}

/// A bulk read of memory is a loop of scalar reads, from the first byte on.
#[derive(Debug)]
pub(crate) struct BytesAscending;

impl Deviation for BytesAscending {
    const NAME: &'static str = "bytes_ascending";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = ALONE;

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        if !is_memory(mmu, pa, buffer.len()) {
            return mmu.read_bulk(pa, buffer);
        }
        for (distance, byte) in buffer.iter_mut().enumerate() {
            *byte = mmu.memory().load(at(pa, distance), AccessSize::Byte)?.to_le_bytes()[0];
        }
        Ok(())
    }
}

/// A bulk write of memory is a loop of scalar writes, from the last byte on.
#[derive(Debug)]
pub(crate) struct BytesDescending;

impl Deviation for BytesDescending {
    const NAME: &'static str = "bytes_descending";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = ALONE;

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        if !is_memory(mmu, pa, bytes.len()) {
            return mmu.write_bulk(pa, bytes);
        }
        let backwards = bytes.iter().enumerate().rev();
        { backwards }
            .try_for_each(|(distance, byte)| mmu.memory().store(at(pa, distance), u64::from(*byte), AccessSize::Byte))
    }
}

/// Eight bytes of memory are written as two words, the upper one first.
#[derive(Debug)]
pub(crate) struct ScalarsInHalves;

impl Deviation for ScalarsInHalves {
    const NAME: &'static str = "scalars_in_halves";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = ALONE;

    fn write(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        let is_checked = size == 8 && is_memory(mmu, pa, 8) && mmu.read(pa, size).is_ok();
        if !is_checked {
            return mmu.write(pa, value, size);
        }
        mmu.memory().store(at(pa, 4), value >> 32, AccessSize::Word)?;
        mmu.memory().store(pa, value, AccessSize::Word)
    }
}

/// A dump is read piece by piece.
#[derive(Debug)]
pub(crate) struct DumpInPieces;

impl Deviation for DumpInPieces {
    const NAME: &'static str = "dump_in_pieces";
    const HEALTH: Health = Health::Sound;

    fn dump_memory(mmu: &SoftMmu) -> Vec<u8> {
        let mut bytes = vec![0; mmu.memory().dump().len()];
        for (index, piece) in bytes.chunks_mut(PIECE_BYTES).enumerate() {
            let read = mmu.memory().load_bulk(at(GuestPhysAddr::new(0), index * PIECE_BYTES), piece);
            read.expect("a piece lies in memory");
        }
        bytes
    }
}

/// A restore is written piece by piece; the stores end the reservations.
#[derive(Debug)]
pub(crate) struct RestoreInPieces;

impl Deviation for RestoreInPieces {
    const NAME: &'static str = "restore_in_pieces";
    const HEALTH: Health = Health::Sound;

    fn restore_memory(mmu: &mut SoftMmu, bytes: &[u8]) -> Result<(), String> {
        if bytes.len() as u64 != mmu.memory_size() {
            return Err("another size".to_owned());
        }
        for (index, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
            let stored = mmu.memory().store_bulk(at(GuestPhysAddr::new(0), index * PIECE_BYTES), piece);
            stored.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// A device that moves ends the reservations of the first lines of memory.
#[derive(Debug)]
pub(crate) struct MovesEndReservations;

impl Deviation for MovesEndReservations {
    const NAME: &'static str = "moves_end_reservations";
    const HEALTH: Health = Health::Sound;

    fn move_mmio(mmu: &mut SoftMmu, from: GuestPhysAddr, to: GuestPhysAddr) -> Result<(), RegionError> {
        mmu.move_mmio(from, to)?;
        for line in 0..64 {
            mmu.invalidate_reservation(GuestPhysAddr::new(line * 64), 64);
        }
        Ok(())
    }
}

/// A store-conditional in the upper half of a line fails.
#[derive(Debug)]
pub(crate) struct SpuriousFailure;

impl Deviation for SpuriousFailure {
    const NAME: &'static str = "spurious_failure";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { sc_may_fail: true, ..FLAT };

    fn store_conditional(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        if pa.get() & 0x20 != 0 {
            mmu.invalidate_reservation(pa, size);
        }
        mmu.store_conditional(pa, value, size)
    }
}

/// A transfer of no bytes succeeds everywhere.
#[derive(Debug)]
pub(crate) struct EmptyAnywhere;

impl Deviation for EmptyAnywhere {
    const NAME: &'static str = "empty_anywhere";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { zero_length_anywhere: true, ..FLAT };

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        if buffer.is_empty() { Ok(()) } else { mmu.read_bulk(pa, buffer) }
    }

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        if bytes.is_empty() { Ok(()) } else { mmu.write_bulk(pa, bytes) }
    }
}

/// How many bytes from an address on are memory, where there are no devices.
fn fitting(mmu: &SoftMmu, pa: GuestPhysAddr, length: usize) -> usize {
    usize::try_from(mmu.memory_size().saturating_sub(pa.get())).map_or(length, |left| left.min(length))
}

/// A refused write has written what fits.
#[derive(Debug)]
pub(crate) struct WritesWhatFits;

impl Deviation for WritesWhatFits {
    const NAME: &'static str = "writes_what_fits";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { partial_bulk: true, ..ALONE };

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        let answer = mmu.write_bulk(pa, bytes);
        let fitting = fitting(mmu, pa, bytes.len());
        if answer.is_err() && fitting != 0 {
            mmu.write_bulk(pa, &bytes[..fitting])?;
        }
        answer
    }
}

/// A refused read has read every other byte of what fits.
#[derive(Debug)]
pub(crate) struct ReadsWhatFits;

impl Deviation for ReadsWhatFits {
    const NAME: &'static str = "reads_what_fits";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { partial_bulk: true, ..ALONE };

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let answer = mmu.read_bulk(pa, buffer);
        if answer.is_err() {
            let fitting = fitting(mmu, pa, buffer.len());
            for (distance, byte) in buffer[..fitting].iter_mut().enumerate().step_by(2) {
                *byte = mmu.memory().load(at(pa, distance), AccessSize::Byte)?.to_le_bytes()[0];
            }
        }
        answer
    }
}

/// An address out of range is a page fault.
#[derive(Debug)]
pub(crate) struct PageFaults;

impl Deviation for PageFaults {
    const NAME: &'static str = "page_faults";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { range_error_is_page_fault: true, ..FLAT };

    fn read(mmu: &SoftMmu, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        mmu.read(pa, size).map_err(|error| match error {
            VmError::Memory(MemoryError::InvalidAddress(pa)) => VmError::Fault(Fault::PageFault(pa)),
            VmError::Memory(_) | VmError::Fault(_) | VmError::Device(_) => error,
        })
    }
}

/// Regions are read byte by byte.
#[derive(Debug)]
pub(crate) struct RegionsByByte;

impl RegionDeviation for RegionsByByte {
    const NAME: &'static str = "regions_by_byte";
    const HEALTH: Health = Health::Sound;

    fn load_bulk(memory: &RegionMemory, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let mut bytes = vec![0; buffer.len()];
        if buffer.is_empty() {
            return memory.load_bulk(pa, buffer);
        }
        pa.get().checked_add(buffer.len() as u64).ok_or(VmError::Memory(MemoryError::InvalidAddress(pa)))?;
        for (distance, byte) in bytes.iter_mut().enumerate() {
            *byte = memory.load(at(pa, distance), AccessSize::Byte)?.to_le_bytes()[0];
        }
        buffer.copy_from_slice(&bytes);
        Ok(())
    }
}

/// A scalar of regions is a bulk transfer of so many bytes.
#[derive(Debug)]
pub(crate) struct ScalarsInBulk;

impl RegionDeviation for ScalarsInBulk {
    const NAME: &'static str = "scalars_in_bulk";
    const HEALTH: Health = Health::Sound;

    fn load(memory: &RegionMemory, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        let mut bytes = [0; 8];
        memory.load_bulk(pa, &mut bytes[..usize::from(size.bytes())])?;
        Ok(u64::from_le_bytes(bytes))
    }
}
