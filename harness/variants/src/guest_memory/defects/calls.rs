//! One call is wrong, as public reports have it of other memories.

use memtwin_models::Health;
use memtwin_subjects::guest_memory::deviation::Deviation;
use memtwin_subjects::guest_memory::hardened::{
    Atomics as _, Exchanged, GuestPhysAddr, MemoryAccess as _, MemoryError, SoftMmu, VmError, WriteLog as _,
};

/// A bulk read takes the size of a part of memory for what is left of it from its first byte on.
#[derive(Debug)]
pub(crate) struct ReadsOverPart;

impl Deviation for ReadsOverPart {
    const NAME: &'static str = "reads_over_part";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a bulk read runs over the end of a part of memory, and what is there is something else",
    };

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        mmu.read_bulk(pa, buffer)?;
        let part = mmu.memory().shard_size().max(1);
        let left = usize::try_from(part - pa.get() % part).unwrap_or(usize::MAX);
        let chunk = usize::try_from(part).unwrap_or(usize::MAX).min(buffer.len());
        if let Some(over) = buffer.get_mut(left..chunk).filter(|_| pa.get() < mmu.memory_size()) {
            over.fill(0xee);
        }
        Ok(())
    }
}

/// The check of a bulk read looks at the last byte, also where there is none.
#[derive(Debug)]
pub(crate) struct EmptyHasLastByte;

impl Deviation for EmptyHasLastByte {
    const NAME: &'static str = "empty_has_last_byte";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a bulk read of no bytes at address 0 underflows, and is refused" };

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let last = pa.get().wrapping_add(buffer.len() as u64).wrapping_sub(1);
        let is_underflow = last == u64::MAX && buffer.is_empty();
        if is_underflow { Err(VmError::Memory(MemoryError::InvalidAddress(pa))) } else { mmu.read_bulk(pa, buffer) }
    }
}

/// Eight bytes are two stores of four.
#[derive(Debug)]
pub(crate) struct DoubleIsTwoWords;

impl Deviation for DoubleIsTwoWords {
    const NAME: &'static str = "double_is_two_words";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a device is given eight bytes by two calls of four each" };

    fn write(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        if size != 8 || !pa.get().is_multiple_of(8) || u64::MAX - 8 < pa.get() {
            return mmu.write(pa, value, size);
        }
        mmu.write(pa, value, 4)?;
        mmu.write(GuestPhysAddr::new(pa.get() + 4), value >> 32, 4)
    }
}

/// Whoever takes the log gets sixteen pages at most, and the others are gone.
#[derive(Debug)]
pub(crate) struct LogHasRoomForSixteen;

impl Deviation for LogHasRoomForSixteen {
    const NAME: &'static str = "log_has_room_for_sixteen";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "whoever takes the dirty log gets its first sixteen pages" };

    fn take_dirty_log(mmu: &mut SoftMmu, visit: &mut dyn FnMut(GuestPhysAddr)) {
        let mut left = 16_u32;
        mmu.take_dirty_log(&mut |page| {
            if left != 0 {
                left -= 1;
                visit(page);
            }
        });
    }
}

/// A compare-exchange that stores nothing answers what was expected.
#[derive(Debug)]
pub(crate) struct FailedExchangeEchoes;

impl Deviation for FailedExchangeEchoes {
    const NAME: &'static str = "failed_exchange_echoes";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a compare-exchange that stores nothing answers what was expected" };

    fn compare_exchange(
        mmu: &mut SoftMmu,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: u8,
    ) -> Result<Exchanged, VmError> {
        let exchanged = mmu.compare_exchange(pa, expected, value, size)?;
        Ok(exchanged.map_err(|_before| expected))
    }
}
