//! One byte is wrong, at one edge of one call.

use memtwin_models::Health;
use memtwin_subjects::guest_memory::deviation::Deviation;
use memtwin_subjects::guest_memory::hardened::{GuestPhysAddr, MemoryAccess as _, SoftMmu, VmError};

/// A restore keeps the last byte.
#[derive(Debug)]
pub(crate) struct LastByteIsKept;

impl Deviation for LastByteIsKept {
    const NAME: &'static str = "last_byte_is_kept";
    const HEALTH: Health = Health::Broken { defect: None, story: "a restore leaves memory's last byte as it was" };

    fn restore_memory(mmu: &mut SoftMmu, bytes: &[u8]) -> Result<(), String> {
        let mut kept = bytes.to_vec();
        if let (Some(last), Some(now)) = (kept.last_mut(), mmu.dump_memory().last()) {
            *last = *now;
        }
        mmu.restore_memory(&kept)
    }
}

/// Eight bytes at an address of the form 8 n + 1 lose their last.
#[derive(Debug)]
pub(crate) struct OddAddressLosesTop;

impl Deviation for OddAddressLosesTop {
    const NAME: &'static str = "odd_address_loses_top";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "of eight bytes written one behind a multiple of eight the last is zero",
    };

    fn write(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        let is_odd = pa.get() & 7 == 1 && size == 8;
        mmu.write(pa, if is_odd { value & (u64::MAX >> 8) } else { value }, size)
    }
}

/// A bulk write of more than 4 KiB leaves its last byte out.
#[derive(Debug)]
pub(crate) struct LongWriteEndsEarly;

impl Deviation for LongWriteEndsEarly {
    const NAME: &'static str = "long_write_ends_early";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a bulk write of more than 4096 bytes leaves the last byte out" };

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        let mut all = bytes.to_vec();
        if let Some(last) = all.last_mut().filter(|_| 4096 < bytes.len()) {
            let mut kept = vec![0; bytes.len()];
            mmu.read_bulk(pa, &mut kept)?;
            *last = kept.last().copied().unwrap_or(0);
        }
        mmu.write_bulk(pa, &all)
    }
}
