//! Addresses of the machine, virtual and physical. Does not do arithmetic: whoever adds to an address says how.

use super::setup::PAGE_BYTES;
use crate::vocabulary::DescribedHere;
#[cfg(feature = "arbitrary")]
use arbitrary::Arbitrary;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A virtual address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(transparent)]
pub struct VirtualAddress(#[serde(with = "hex_word")] pub u32);

/// A physical address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(transparent)]
pub struct PhysicalAddress(#[serde(with = "hex_word")] pub u32);

impl VirtualAddress {
    /// The address of the page that it lies in.
    #[inline]
    #[must_use]
    pub const fn page(self) -> u32 {
        self.0 & !(PAGE_BYTES - 1)
    }

    /// The offset in the page, in bytes.
    #[inline]
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.0 & (PAGE_BYTES - 1)
    }

    /// The index of the directory entry.
    #[inline]
    #[must_use]
    pub const fn directory_index(self) -> u32 {
        self.0 >> 22
    }

    /// The index of the table entry.
    #[inline]
    #[must_use]
    pub const fn table_index(self) -> u32 {
        (self.0 >> 12) & 1023
    }
}

impl PhysicalAddress {
    /// The address of a frame.
    #[inline]
    #[must_use]
    pub const fn of_frame(frame: u32) -> Self {
        PhysicalAddress(frame << 12)
    }

    /// The number of the frame that it lies in.
    #[inline]
    #[must_use]
    pub const fn frame(self) -> u32 {
        self.0 >> 12
    }

    /// Whether it is the first address of a frame.
    #[inline]
    #[must_use]
    pub const fn is_aligned(self) -> bool {
        self.0.is_multiple_of(PAGE_BYTES)
    }
}

/// Numbers of 32 bits as `"0x…"`.
pub(super) mod hex_word {
    use super::{Deserializer, Serializer};
    use serde::de::Error as _;

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
    pub(in super::super) fn serialize<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        crate::hex::serialize(&u64::from(*value), serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let wide = crate::hex::deserialize(deserializer)?;
        u32::try_from(wide).map_err(|_| D::Error::custom("a number of more than 32 bits"))
    }
}
