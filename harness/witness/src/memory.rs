//! The memory of a guest under KVM.

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::{Error, VmFd};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// Memory of whole pages, shared with a machine that it outlives.
#[derive(Debug)]
pub(super) struct GuestMemory {
    base: NonNull<u8>,
    length: NonZeroUsize,
}

impl GuestMemory {
    /// A copy of `memory` and `more` bytes of zeros.
    pub(super) fn new(memory: &[u8], more: usize) -> Result<Self, Error> {
        let length = NonZeroUsize::new(memory.len() + more).ok_or(Error::new(libc::EINVAL))?;
        let (access, flags) = (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_PRIVATE);
        // SAFETY: a new private mapping at an address of the kernel's choice touches no memory in use.
        let base = unsafe { mmap_anonymous(None, length, access, flags) }.map_err(|error| Error::new(error as i32))?;
        let mut guest = GuestMemory { base: base.cast(), length };
        guest.bytes_mut()[..memory.len()].copy_from_slice(memory);
        Ok(guest)
    }

    /// Makes it the machine's memory from guest-physical address 0. The machine must be dropped first.
    pub(super) fn give_to(&self, vm: &VmFd) -> Result<(), Error> {
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: self.length.get() as u64,
            userspace_addr: self.base.as_ptr() as u64,
        };
        // SAFETY: the mapping is as long as it says and lives longer than the machine; the guest runs only while a
        // thread is in `VcpuFd::run`, which borrows neither.
        unsafe { vm.set_user_memory_region(region) }
    }

    /// The bytes; no guest runs meanwhile.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is this value's own and initialised.
        unsafe { NonNull::slice_from_raw_parts(self.base, self.length.get()).as_ref() }
    }

    /// The bytes; no guest runs meanwhile.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { NonNull::slice_from_raw_parts(self.base, self.length.get()).as_mut() }
    }
}

impl Drop for GuestMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        let _ = unsafe { munmap(self.base.cast(), self.length.get()) };
    }
}
