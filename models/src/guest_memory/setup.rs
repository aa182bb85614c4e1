//! What is fixed before the first op: the memory's size, strict alignment, and the device regions.

use crate::vocabulary::DescribedHere;
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// Guest memory is divided in this many shards of `ceil(size / SHARDS)` bytes; the last takes what is left.
    pub const SHARDS: u64 = 16;
    /// The largest memory of a setup, in bytes (64 GiB).
    pub const MAX_MEMORY_BYTES: u64 = 1 << 36;
    /// Dump and restore exist for memories up to this size, in bytes; in larger ones they are skipped.
    pub const DUMP_LIMIT_BYTES: u64 = 1 << 20;
    /// The most device regions of a setup.
    pub const MAX_DEVICES: usize = 3;
    /// The largest device region, in bytes.
    pub const MAX_DEVICE_BYTES: u64 = 4096;
    /// The number of edges that addresses are written relative to.
    pub const EDGES: usize = 32;
}

/// The setup of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The memory's size in bytes, at most [`MAX_MEMORY_BYTES`].
    #[serde(with = "crate::hex")]
    pub memory_size: u64,
    /// Whether scalar accesses must be aligned to their size.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_alignment: bool,
    /// Device regions: sorted by base, disjoint, at most [`MAX_DEVICES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceSetup>,
}

/// A device region, inside or outside of memory. Where it covers memory, the device answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct DeviceSetup {
    /// The first guest physical address.
    #[serde(with = "crate::hex")]
    pub base: u64,
    /// The size in bytes, 1 to [`MAX_DEVICE_BYTES`].
    pub size: u32,
    /// The offset of a register that answers every access with an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faulty_register: Option<u32>,
}

impl DeviceSetup {
    /// The first guest physical address after the region.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base.saturating_add(u64::from(self.size))
    }

    fn is_valid(&self) -> bool {
        self.size != 0
            && u64::from(self.size) <= MAX_DEVICE_BYTES
            && self.base.checked_add(u64::from(self.size)).is_some()
            && self.faulty_register.is_none_or(|offset| offset < self.size)
    }
}

impl Setup {
    /// Memory only.
    #[must_use]
    pub fn flat(memory_size: u64) -> Self {
        Setup { memory_size, strict_alignment: false, devices: Vec::new() }
    }

    /// Says what is wrong with a setup that a person wrote.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.memory_size > MAX_MEMORY_BYTES {
            return Err("memory_size is above 64 GiB");
        }
        if self.devices.len() > MAX_DEVICES {
            return Err("more than 3 devices");
        }
        if !self.devices.iter().all(DeviceSetup::is_valid) {
            return Err(
                "a device has a size of 0 or above 4096, a faulty register outside, or wraps the address space",
            );
        }
        if self.devices.windows(2).any(|pair| pair[1].base < pair[0].end()) {
            return Err("devices overlap or are not sorted by base");
        }
        Ok(())
    }

    /// The nearest valid setup: what decoding arbitrary bytes ends with.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        self.memory_size = self.memory_size.min(MAX_MEMORY_BYTES);
        self.devices.retain(DeviceSetup::is_valid);
        self.devices.sort_by_key(|device| device.base);
        let mut end = 0;
        self.devices.retain(|device| {
            let fits = end <= device.base;
            if fits {
                end = device.end();
            }
            fits
        });
        self.devices.truncate(MAX_DEVICES);
        self
    }

    /// Bytes per shard: `ceil(memory_size / SHARDS)`.
    #[must_use]
    pub fn shard_size(&self) -> u64 {
        self.memory_size.div_ceil(SHARDS)
    }

    /// The addresses near which things happen. Version 1 of the wire format writes addresses relative to these, so the
    /// table is frozen: 0, the end, the last address, the device regions, the shard borders, and powers of two.
    #[must_use]
    pub fn edges(&self) -> [u64; EDGES] {
        let mut edges = [0; EDGES];
        edges[1] = self.memory_size;
        edges[2] = u64::MAX;
        edges[3] = 0x1000;
        edges[4] = 1 << 31;
        edges[5] = 1 << 32;
        edges[6] = 1 << 47;
        edges[7] = 1 << 63;
        for (index, device) in self.devices.iter().take(MAX_DEVICES).enumerate() {
            edges[8 + 2 * index] = device.base;
            edges[9 + 2 * index] = device.end();
        }
        for (edge, border) in edges[14..29].iter_mut().zip(1..SHARDS) {
            *edge = (border * self.shard_size()).min(self.memory_size);
        }
        edges[29] = self.memory_size / 2;
        edges[30] = self.memory_size.saturating_sub(self.memory_size % SHARDS);
        edges[31] = 0x40;
        edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_setups_pass_the_check() {
        let device = |base, size| DeviceSetup { base, size, faulty_register: None };
        let setup = Setup {
            memory_size: u64::MAX,
            strict_alignment: true,
            devices: vec![
                device(u64::MAX, 2),
                device(0x2000, 64),
                device(0x2010, 64),
                device(0, 0),
                device(0x1000, 16),
            ],
        };
        assert!(setup.check().is_err());
        let setup = setup.normalised();
        assert_eq!(setup.check(), Ok(()));
        assert_eq!(setup.devices, [device(0x1000, 16), device(0x2000, 64)]);
    }
}
