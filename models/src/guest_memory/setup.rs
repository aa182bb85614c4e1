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
    /// The most ranges of RAM of a setup.
    pub const MAX_RAM_RANGES: usize = 4;
    /// The bytes of a page of the dirty log. Pages begin at its multiples, wherever RAM does.
    pub const DIRTY_PAGE_BYTES: u64 = 4096;
    /// The most pages whose writing to an image fails.
    pub const MAX_REFUSED_PAGES: usize = 4;
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
    /// The memory's size in bytes, at most [`MAX_MEMORY_BYTES`]: the sum of all ranges of RAM.
    #[serde(with = "crate::hex")]
    pub memory_size: u64,
    /// Where RAM lies: ranges sorted by base, disjoint, at most [`MAX_RAM_RANGES`]. Two may meet, and then lie apart in
    /// the host. Without any, RAM is one range from address 0 on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ram: Vec<RamRange>,
    /// Whether scalar accesses must be aligned to their size.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_alignment: bool,
    /// Device regions: sorted by base, disjoint, at most [`MAX_DEVICES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceSetup>,
    /// A log of the pages that were written. Memories above [`DUMP_LIMIT_BYTES`] have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty_log: Option<DirtyLogSetup>,
}

/// The log of written pages, and what becomes of the images that its pages are dumped to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct DirtyLogSetup {
    /// Which writes to an image fail, by their number, counted from 0 over all dumps of the trace: ascending, at most
    /// [`MAX_REFUSED_PAGES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<u16>,
}

/// A range of RAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct RamRange {
    /// The first guest physical address.
    #[serde(with = "crate::hex")]
    pub base: u64,
    /// The size in bytes: at least 1.
    #[serde(with = "crate::hex")]
    pub bytes: u64,
}

impl RamRange {
    /// The first guest physical address after the range: at most 2^64 - 1.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.base.saturating_add(self.bytes)
    }

    fn is_valid(&self) -> bool {
        self.bytes != 0 && self.base.checked_add(self.bytes).is_some()
    }
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
    /// Memory only, from address 0 on.
    #[must_use]
    pub const fn flat(memory_size: u64) -> Self {
        Setup { memory_size, ram: Vec::new(), strict_alignment: false, devices: Vec::new(), dirty_log: None }
    }

    /// Memory only, in these ranges, which are sorted by base.
    #[must_use]
    pub fn ranges(ram: Vec<RamRange>) -> Self {
        let memory_size = ram.iter().map(|range| range.bytes).sum();
        Setup { ram, ..Setup::flat(memory_size) }
    }

    /// Whether RAM is one range from address 0 on.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.ram.is_empty()
    }

    /// Says what is wrong with a setup that a person wrote.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.memory_size > MAX_MEMORY_BYTES {
            return Err("memory_size is above 64 GiB");
        }
        if self.ram.len() > MAX_RAM_RANGES {
            return Err("more than 4 ranges of ram");
        }
        if !self.ram.iter().all(RamRange::is_valid) {
            return Err("a range of ram has no bytes, or ends beyond 2^64 - 1");
        }
        if self.ram.windows(2).any(|pair| pair[1].base < pair[0].end()) {
            return Err("ranges of ram overlap or are not sorted by base");
        }
        let sum = self.ram.iter().fold(0_u64, |sum, range| sum.saturating_add(range.bytes));
        if !self.ram.is_empty() && sum != self.memory_size {
            return Err("memory_size is not the sum of the ranges of ram");
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
        let Some(log) = &self.dirty_log else { return Ok(()) };
        if DUMP_LIMIT_BYTES < self.memory_size {
            return Err("a memory above 1 MiB has no dirty log");
        }
        if MAX_REFUSED_PAGES < log.refused.len() || log.refused.windows(2).any(|pair| pair[1] <= pair[0]) {
            return Err("more than 4 writes of pages are refused, or they are not in ascending order");
        }
        Ok(())
    }

    /// The nearest valid setup: what decoding arbitrary bytes ends with.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        self.ram.iter_mut().for_each(|range| range.bytes = range.bytes.min(MAX_MEMORY_BYTES / MAX_RAM_RANGES as u64));
        self.ram.retain(RamRange::is_valid);
        self.ram.sort_by_key(|range| range.base);
        let mut end = 0;
        self.ram.retain(|range| {
            let fits = end <= range.base;
            if fits {
                end = range.end();
            }
            fits
        });
        self.ram.truncate(MAX_RAM_RANGES);
        if !self.ram.is_empty() {
            self.memory_size = self.ram.iter().map(|range| range.bytes).sum();
        }
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
        if let Some(log) = &mut self.dirty_log {
            log.refused.sort_unstable();
            log.refused.dedup();
            log.refused.truncate(MAX_REFUSED_PAGES);
        }
        self.dirty_log = self.dirty_log.filter(|_| self.memory_size <= DUMP_LIMIT_BYTES);
        self
    }

    /// Bytes per shard: `ceil(memory_size / SHARDS)`.
    #[must_use]
    pub fn shard_size(&self) -> u64 {
        self.memory_size.div_ceil(SHARDS)
    }

    /// The addresses near which things happen. Version 1 of the wire format writes addresses relative to these, so the
    /// table is frozen: 0, the end, the last address, the device regions, the shard borders, and powers of two. Where
    /// RAM lies in ranges, their ends come first and their borders stand in the places of the shards'.
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
        edges[31] = 0x40;
        for (index, device) in self.devices.iter().take(MAX_DEVICES).enumerate() {
            edges[8 + 2 * index] = device.base;
            edges[9 + 2 * index] = device.end();
        }
        for (edge, border) in edges[14..29].iter_mut().zip(1..SHARDS) {
            *edge = (border * self.shard_size()).min(self.memory_size);
        }
        edges[29] = self.memory_size / 2;
        if let Some(last) = self.ram.last() {
            edges[1] = last.end();
            for (index, edge) in edges[13..29].iter_mut().enumerate() {
                let range = self.ram[index / 4 % self.ram.len()];
                *edge = match index % 4 {
                    0 => range.base,
                    1 => range.end(),
                    2 => range.base.wrapping_add(range.bytes / 2),
                    _ => range.end() & !0x3f,
                };
            }
            edges[29] = self.ram[0].end();
            edges[30] = last.base;
            return edges;
        }
        edges[30] = self.memory_size.saturating_sub(self.memory_size % SHARDS);
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
            strict_alignment: true,
            devices: vec![
                device(u64::MAX, 2),
                device(0x2000, 64),
                device(0x2010, 64),
                device(0, 0),
                device(0x1000, 16),
            ],
            ..Setup::flat(u64::MAX)
        };
        assert!(setup.check().is_err());
        let setup = setup.normalised();
        assert_eq!(setup.check(), Ok(()));
        assert_eq!(setup.devices, [device(0x1000, 16), device(0x2000, 64)]);
    }

    #[test]
    fn a_normalised_log_is_of_a_small_memory_and_in_order() {
        let log = |refused: &[u16]| Some(DirtyLogSetup { refused: refused.to_vec() });
        let setup = Setup { dirty_log: log(&[9, 2, 9, 4, 1, 3]), ..Setup::flat(DUMP_LIMIT_BYTES) };
        assert!(setup.check().is_err());
        let setup = setup.normalised();
        assert_eq!((setup.check(), &setup.dirty_log), (Ok(()), &log(&[1, 2, 3, 4])));
        let large = Setup { memory_size: DUMP_LIMIT_BYTES + 1, ..setup };
        assert!(large.check().is_err());
        assert_eq!(large.normalised().dirty_log, None);
    }

    #[test]
    fn normalised_ranges_are_sorted_and_disjoint() {
        let range = |base, bytes| RamRange { base, bytes };
        let ram = vec![range(0x2000, 0x1000), range(u64::MAX, 2), range(0x1000, 0x1000), range(0x1800, 1), range(9, 0)];
        let setup = Setup { ram, ..Setup::flat(7) };
        assert!(setup.check().is_err());
        let setup = setup.normalised();
        assert_eq!(setup, Setup::ranges(vec![range(0x1000, 0x1000), range(0x2000, 0x1000)]));
        assert_eq!(setup.check(), Ok(()));
        assert!(Setup { memory_size: 0x2001, ..setup }.check().is_err());
    }
}
