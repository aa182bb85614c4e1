//! What a guest-memory implementation may claim for itself. The strict contract claims nothing.

use super::Setup;
use crate::{Contract, Freedom, Unsupported};

/// The freedoms that an implementation's documentation claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestMemoryContract {
    /// See [`GuestMemoryContract::FREEDOMS`], as for every field.
    pub zero_length_anywhere: bool,
    /// Range errors arrive as page faults.
    pub range_error_is_page_fault: bool,
    /// Bulk transfers may be torn between shards.
    pub torn_bulk: bool,
    /// No device regions.
    pub no_devices: bool,
    /// No strict alignment.
    pub no_strict_alignment: bool,
    /// No load-reserved and store-conditional.
    pub no_reservations: bool,
    /// No dump and restore.
    pub no_dump: bool,
    /// The largest memory that can be built, in bytes.
    pub largest_memory_bytes: u64,
}

impl GuestMemoryContract {
    /// Whether a memory with this contract can be built with such a setup.
    pub(super) fn serves(&self, setup: &Setup) -> Result<(), Unsupported> {
        if self.largest_memory_bytes < setup.memory_size {
            return Err(Unsupported("the memory is larger than this implementation serves"));
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

impl Contract for GuestMemoryContract {
    const STRICT: Self = GuestMemoryContract {
        zero_length_anywhere: false,
        range_error_is_page_fault: false,
        torn_bulk: false,
        no_devices: false,
        no_strict_alignment: false,
        no_reservations: false,
        no_dump: false,
        largest_memory_bytes: u64::MAX,
    };

    const FREEDOMS: &'static [Freedom] = &[
        Freedom {
            name: "zero_length_anywhere",
            sentence: "A bulk transfer of no bytes may succeed at any address; strictly it fails beyond the end of memory.",
        },
        Freedom {
            name: "range_error_is_page_fault",
            sentence: "An access out of range may be reported as a page fault; strictly it is an invalid address.",
        },
        Freedom {
            name: "torn_bulk",
            sentence: "Another thread may see half of a bulk transfer; strictly each op is atomic.",
        },
        Freedom { name: "no_devices", sentence: "Memory only: setups with device regions are not served." },
        Freedom { name: "no_strict_alignment", sentence: "Setups with strict alignment are not served." },
        Freedom { name: "no_reservations", sentence: "Load-reserved, store-conditional and invalidate are skipped." },
        Freedom { name: "no_dump", sentence: "Dump and restore are skipped." },
        Freedom { name: "largest_memory_bytes", sentence: "Larger memories are not served." },
    ];

    fn value(&self, freedom: &str) -> Option<String> {
        (freedom == "largest_memory_bytes").then(|| self.largest_memory_bytes.to_string())
    }

    fn claimed(&self) -> Vec<&'static str> {
        let claims = [
            self.zero_length_anywhere,
            self.range_error_is_page_fault,
            self.torn_bulk,
            self.no_devices,
            self.no_strict_alignment,
            self.no_reservations,
            self.no_dump,
            self.largest_memory_bytes != u64::MAX,
        ];
        Self::FREEDOMS.iter().zip(claims).filter(|(_, claimed)| *claimed).map(|(freedom, _)| freedom.name).collect()
    }
}
