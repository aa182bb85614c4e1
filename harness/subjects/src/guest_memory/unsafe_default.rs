//! The trait's bulk methods as the bug report found them: defaults that take a guest physical address for a host
//! pointer.
//!
//! Whoever did not override them had code that compiled, passed every scalar test, and died at the first bulk access.
//! No check of any kind is made here, because none was.

use super::hardened::{GuestPhysAddr, VmError};
use memtwin_wild as wild;

/// Reads host memory at the guest's address.
pub(crate) fn read_bulk(pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
    for (offset, byte) in (0_u64..).zip(buffer) {
        *byte = wild::read_byte(pa.get().wrapping_add(offset));
    }
    Ok(())
}

/// Writes host memory at the guest's address.
pub(crate) fn write_bulk(pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
    for (offset, &byte) in (0_u64..).zip(bytes) {
        wild::write_byte(pa.get().wrapping_add(offset), byte);
    }
    Ok(())
}
