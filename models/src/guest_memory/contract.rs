//! What a guest-memory implementation may claim for itself. The strict contract claims nothing.

use super::Setup;
use crate::Unsupported;
use crate::contract::freedoms;

freedoms! {
    /// What a guest memory's documentation claims.
    GuestMemoryContract;
    zero_length_anywhere: bool = false,
        "A bulk transfer of no bytes may succeed at any address; strictly it fails beyond the end of memory.";
    partial_bulk: bool = false,
        "A bulk transfer that is refused may have moved some of what fits, which begins at its first byte and ends \
         where memory does: it says how many bytes, or fails, and then each byte that fits is written or not, as the \
         next look at it shows; strictly it moves nothing.";
    range_error_is_page_fault: bool = false,
        "An access out of range may be reported as a page fault; strictly it is an invalid address.";
    torn_bulk: bool = false,
        "Another thread may see half of a bulk transfer; strictly each op is atomic.";
    no_devices: bool = false,
        "Memory only: setups with device regions are not served.";
    fixed_devices: bool = false,
        "Devices stay where the setup puts them: mapping and unmapping are skipped.";
    no_strict_alignment: bool = false,
        "Setups with strict alignment are not served.";
    no_reservations: bool = false,
        "Load-reserved, store-conditional and invalidate are skipped.";
    failed_sc_keeps: bool = false,
        "A store-conditional that does not store may leave its owner's reservation live. Strictly each one ends it, as \
         the RISC-V manual says of LR/SC: a later one succeeds only after another load-reserved.";
    sc_may_fail: bool = false,
        "A store-conditional may fail although its reservation is live, as cores do that let any store or a context \
         switch end it; strictly it stores.";
    sc_other_size: bool = false,
        "A store-conditional may succeed with another size than its load-reserved had, at the same address; strictly \
         it fails.";
    sc_line_wide: bool = false,
        "A store-conditional may succeed anywhere in the lines of 64 bytes that its load-reserved touched; strictly \
         only at the same address.";
    own_store_keeps: bool = false,
        "A store by the owner of a reservation may leave it live; strictly each store to its lines ends it, whoever \
         stores.";
    no_atomics: bool = false,
        "Atomic loads and stores and compare-exchange are skipped.";
    no_compare_exchange: bool = false,
        "Compare-exchange is skipped.";
    host_alignment: bool = false,
        "An atomic access may be an alignment fault where its address in the host is misaligned or two ranges of RAM \
         meet within it, and may succeed where only its guest address is misaligned; strictly the guest address alone \
         decides.";
    no_dump: bool = false,
        "Dump and restore are skipped.";
    no_dirty_log: bool = false,
        "No log of written pages: setups with one are not served.";
    dirty_extra: bool = false,
        "The dirty log may hold pages that nobody wrote, as logs of larger pages do; strictly only those that a store \
         named, if only one that was refused.";
    flat_ram: bool = false,
        "RAM is one range from address 0 on: setups whose RAM lies in other ranges are not served.";
    smallest_memory_bytes: u64 = 0,
        "Smaller memories are not served.";
    largest_memory_bytes: u64 = u64::MAX,
        "Larger memories are not served.";
}

impl GuestMemoryContract {
    /// Whether a memory with this contract can be built with such a setup.
    pub(super) fn serves(&self, setup: &Setup) -> Result<(), Unsupported> {
        if self.largest_memory_bytes < setup.memory_size {
            return Err(Unsupported("the memory is larger than this implementation serves"));
        }
        if setup.memory_size < self.smallest_memory_bytes {
            return Err(Unsupported("the memory is smaller than this implementation serves"));
        }
        if self.flat_ram && !setup.is_flat() {
            return Err(Unsupported("this implementation has one range of RAM, from address 0 on"));
        }
        if self.no_dirty_log && setup.dirty_log.is_some() {
            return Err(Unsupported("this implementation has no dirty log"));
        }
        if self.no_devices && !setup.devices.is_empty() {
            return Err(Unsupported("this implementation has no devices"));
        }
        if self.no_strict_alignment && setup.strict_alignment {
            return Err(Unsupported("this implementation has no strict alignment"));
        }
        Ok(())
    }
}
