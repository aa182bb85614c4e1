//! One range of RAM is wrong, where the others are right.

use memtwin_models::Health;
use memtwin_subjects::guest_memory::hardened::{
    AccessSize, GuestPhysAddr, GuestRange, Memory as _, MemoryError, RegionMemory, VmError,
};
use memtwin_subjects::guest_memory::region_deviation::RegionDeviation;

fn invalid(pa: GuestPhysAddr) -> VmError {
    VmError::Memory(MemoryError::InvalidAddress(pa))
}

/// A bulk write that ends where the last range ends is refused.
#[derive(Debug)]
pub(crate) struct LastByteIsOutside;

impl RegionDeviation for LastByteIsOutside {
    const NAME: &'static str = "last_byte_is_outside";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a bulk write that ends where the last range ends is refused" };

    fn store_bulk(memory: &RegionMemory, pa: GuestPhysAddr, source: &[u8]) -> Result<(), VmError> {
        let end = memory.ranges().last().map(GuestRange::end);
        let is_last = !source.is_empty() && pa.get().checked_add(source.len() as u64) == end;
        if is_last { Err(invalid(pa)) } else { memory.store_bulk(pa, source) }
    }
}

/// A load over the border of two ranges takes its upper part from where the first range begins.
#[derive(Debug)]
pub(crate) struct SecondPartFromFirst;

impl RegionDeviation for SecondPartFromFirst {
    const NAME: &'static str = "second_part_from_first";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a load over a border of ranges takes its upper part from the first range",
    };

    fn load(memory: &RegionMemory, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        let value = memory.load(pa, size)?;
        let end = pa.get() + u64::from(size.bytes());
        let Some(first) = memory.ranges().find(|range| range.start() <= pa.get() && pa.get() < range.end()) else {
            return Ok(value);
        };
        if end <= first.end() {
            return Ok(value);
        }
        let own_bits = 8 * (first.end() - pa.get());
        let wrong = memory.load(GuestPhysAddr::new(first.start()), AccessSize::Byte)?;
        let own = value & ((1 << own_bits) - 1);
        Ok(size.truncate(own | wrong << own_bits))
    }
}

/// The fourth range cannot be read in bulk.
#[derive(Debug)]
pub(crate) struct FourthRangeIsForgotten;

impl RegionDeviation for FourthRangeIsForgotten {
    const NAME: &'static str = "fourth_range_is_forgotten";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a table has room for three ranges: the fourth is no RAM" };

    fn load_bulk(memory: &RegionMemory, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let is_fourth = memory.ranges().nth(3).is_some_and(|range| range.start() <= pa.get() && pa.get() < range.end());
        if is_fourth { Err(invalid(pa)) } else { memory.load_bulk(pa, buffer) }
    }
}
