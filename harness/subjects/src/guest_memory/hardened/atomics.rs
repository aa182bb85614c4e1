//! Atomic accesses to guest memory, as virtual CPUs and devices of another thread share it.
//!
//! Memory carries out each call as one step towards other threads, so that an atomic load is a load. What is added here
//! is the alignment that the architecture demands, and the comparison. Does not let a device answer.

use super::access::{AccessSize, Fault, GuestPhysAddr, GuestRange, VmError};
use super::memory::{Exchanged, Memory};
use super::physical::PhysicalHandle;
use super::soft_mmu::SoftMmu;

/// Atomic accesses of one virtual CPU. Each is checked like other scalars, and its address must be a multiple of its
/// size; where it is not, that is an alignment fault. Devices take none.
pub trait Atomics {
    /// The little-endian scalar of `size` bytes (1, 2, 4 or 8) at `pa`, zero-extended.
    fn atomic_load(&self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError>;

    /// Stores the low `size` bytes of `value` at `pa`, and kills the reservations on their lines.
    fn atomic_store(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError>;

    /// Stores as [`Atomics::atomic_store`] does if memory holds the low `size` bytes of `expected`, and changes nothing
    /// else. Answers what memory held.
    fn compare_exchange(
        &mut self,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: u8,
    ) -> Result<Exchanged, VmError>;
}

/// The size of an atomic access whose range and alignment are right.
fn aligned(pa: GuestPhysAddr, size: u8) -> Result<AccessSize, VmError> {
    let access = AccessSize::try_new(pa, size)?;
    GuestRange::of_scalar(pa, access)?;
    if pa.get() & (u64::from(size) - 1) == 0 {
        Ok(access)
    } else {
        Err(VmError::Fault(Fault::AlignmentFault { pa, size }))
    }
}

impl Atomics for PhysicalHandle {
    fn atomic_load(&self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        self.memory().load(pa, aligned(pa, size)?)
    }

    fn atomic_store(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        self.memory().store(pa, value, aligned(pa, size)?)
    }

    fn compare_exchange(
        &mut self,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: u8,
    ) -> Result<Exchanged, VmError> {
        self.memory().compare_exchange(pa, expected, value, aligned(pa, size)?)
    }
}

impl<M: Memory> Atomics for SoftMmu<M> {
    fn atomic_load(&self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        let size = aligned(pa, size)?;
        self.route_reservable(pa, size.bytes())?;
        self.memory().load(pa, size)
    }

    fn atomic_store(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        let size = aligned(pa, size)?;
        self.route_reservable(pa, size.bytes())?;
        self.memory().store(pa, value, size)
    }

    fn compare_exchange(
        &mut self,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: u8,
    ) -> Result<Exchanged, VmError> {
        let size = aligned(pa, size)?;
        self.route_reservable(pa, size.bytes())?;
        self.memory().compare_exchange(pa, expected, value, size)
    }
}
