//! Where an access goes: the contract's checks, in their order. Does not look at a byte of memory.
//!
//! The order is size, overflow, alignment, mixed, device, range; the first check that objects gives the refusal.

use super::super::contract::GuestMemoryContract;
use super::super::outcome::Error;
use super::super::setup::{DeviceSetup, Setup};
use super::ram::Ram;

/// Where an access goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// To memory, or nowhere because it has no bytes.
    Memory,
    /// To a device, at an offset in bytes.
    Device { index: u8, offset: u64 },
    /// Nowhere: it must fail.
    Refused(Refusal),
    /// It has no bytes and the contract leaves open whether it fails.
    Open,
}

/// Why an access must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The size is not 1, 2, 4 or 8.
    Size,
    /// The end is beyond the address space.
    Overflow,
    /// The address is not a multiple of the size, and alignment is strict or the access atomic.
    Misaligned,
    /// It touches the device at this index and a byte outside of it.
    Mixed(u8),
    /// Devices know neither reservations nor atomic accesses; this is the index of the one touched.
    ReservedDevice(u8),
    /// The device answered with an error.
    DeviceFault,
    /// The end is beyond the memory.
    Range,
}

/// What the routes depend on: the setup, and the freedoms that a contract claims.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) memory_size: u64,
    pub(super) ram: Ram,
    pub(super) is_flat: bool,
    pub(super) strict_alignment: bool,
    pub(super) devices: Vec<DeviceSetup>,
    pub(super) contract: GuestMemoryContract,
    pub(super) shard_size: u64,
    /// The sizes of the setup's devices, mapped or not.
    device_sizes: Vec<u32>,
    /// All devices lie from the first of these addresses to below the second.
    devices_span: (u64, u64),
    /// The bits of an address that must be zero if they are below its access's size.
    alignment_mask: u64,
    /// `floor(2^64 / shard_size) + 1`: dividing by a multiplication, because features want the shard of every address.
    shard_reciprocal: u64,
}

impl Layout {
    pub(super) fn new(setup: &Setup, contract: &GuestMemoryContract) -> Self {
        let mut layout = Layout {
            memory_size: 0,
            ram: Ram::default(),
            is_flat: true,
            strict_alignment: false,
            devices: Vec::new(),
            device_sizes: Vec::new(),
            contract: *contract,
            shard_size: 0,
            devices_span: (u64::MAX, u64::MAX),
            alignment_mask: 0,
            shard_reciprocal: 0,
        };
        layout.reset(setup);
        layout
    }

    pub(super) fn reset(&mut self, setup: &Setup) {
        self.memory_size = setup.memory_size;
        self.ram.reset(setup);
        self.is_flat = setup.is_flat();
        self.strict_alignment = setup.strict_alignment;
        self.devices.clone_from(&setup.devices);
        self.device_sizes.clear();
        self.device_sizes.extend(setup.devices.iter().map(|device| device.size));
        self.span_devices();
        self.alignment_mask = if setup.strict_alignment { u64::MAX } else { 0 };
        self.shard_size = setup.shard_size();
        // With shards of 0 or 1 bytes the reciprocal does not fit; 0 stands for "not known", and says shard 0.
        self.shard_reciprocal = if self.shard_size < 2 { 0 } else { u64::MAX / self.shard_size + 1 };
    }

    fn span_devices(&mut self) {
        let mapped = || self.devices.iter().filter(|device| device.size != 0);
        let first = mapped().map(|device| device.base).min().unwrap_or(u64::MAX);
        self.devices_span = (first, mapped().map(DeviceSetup::end).max().unwrap_or(u64::MAX));
    }

    /// Whether a device may be mapped here: there is such a device, and no other has one of its bytes.
    pub(super) fn can_map(&self, index: usize, base: u64) -> bool {
        let Some(end) = self.device_sizes.get(index).and_then(|size| base.checked_add(u64::from(*size))) else {
            return false;
        };
        let others = self.devices.iter().enumerate().filter(|(other, _)| *other != index);
        others.map(|(_, device)| device).all(|device| end <= device.base || device.end() <= base)
    }

    /// Whether a device is mapped.
    pub(super) fn is_mapped(&self, index: usize) -> bool {
        self.devices.get(index).is_some_and(|device| device.size != 0)
    }

    /// The device answers here, or, without a base, nowhere: then it has no bytes, and lies behind all others.
    pub(super) fn place_device(&mut self, index: usize, base: Option<u64>) {
        let (size, base) = base.map_or((0, u64::MAX), |base| (self.device_sizes[index], base));
        let device = &mut self.devices[index];
        (device.base, device.size) = (base, size);
        self.span_devices();
    }

    /// Whether a scalar access goes to memory and keeps clear of all devices at once. When `false`, [`Layout::scalar`]
    /// must tell.
    #[inline]
    pub(super) fn is_plain(&self, address: u64, size: u8) -> bool {
        let length = u64::from(size);
        matches!(size, 1 | 2 | 4 | 8)
            && self.ram.offset(address, length).is_some()
            && address & (length - 1) & self.alignment_mask == 0
            && (address + length <= self.devices_span.0 || self.devices_span.1 <= address)
    }

    /// The route of a scalar access.
    #[inline]
    pub(super) fn scalar(&self, address: u64, size: u8) -> Route {
        if !matches!(size, 1 | 2 | 4 | 8) {
            return Route::Refused(Refusal::Size);
        }
        let Some(end) = address.checked_add(u64::from(size)) else { return Route::Refused(Refusal::Overflow) };
        if self.strict_alignment && address & (u64::from(size) - 1) != 0 {
            return Route::Refused(Refusal::Misaligned);
        }
        self.range(address, end)
    }

    /// The route of a load-reserved or a store-conditional.
    #[inline]
    pub(super) fn reserved(&self, address: u64, size: u8) -> Route {
        match self.scalar(address, size) {
            Route::Device { index, offset: _ } => Route::Refused(Refusal::ReservedDevice(index)),
            route @ (Route::Memory | Route::Refused(_) | Route::Open) => route,
        }
    }

    /// The route of an atomic access.
    pub(super) fn atomic(&self, address: u64, size: u8) -> Route {
        let is_sized = matches!(size, 1 | 2 | 4 | 8) && address.checked_add(size.into()).is_some();
        if is_sized && address & (u64::from(size) - 1) != 0 {
            return Route::Refused(Refusal::Misaligned);
        }
        self.reserved(address, size)
    }

    /// The same where the host's addresses are what must be aligned: alignment is another's to judge.
    pub(super) fn atomic_in_host(&self, address: u64, size: u8) -> Route {
        if !matches!(size, 1 | 2 | 4 | 8) {
            return Route::Refused(Refusal::Size);
        }
        match self.bulk(address, size.into()) {
            Route::Device { index, offset: _ } => Route::Refused(Refusal::ReservedDevice(index)),
            route @ (Route::Memory | Route::Refused(_) | Route::Open) => route,
        }
    }

    /// The route of a bulk access.
    #[inline]
    pub(super) fn bulk(&self, address: u64, length: u32) -> Route {
        if length == 0 {
            return self.without_bytes(address);
        }
        let Some(end) = address.checked_add(u64::from(length)) else { return Route::Refused(Refusal::Overflow) };
        self.range(address, end)
    }

    /// How many bytes of a transfer fit, from its first on: up to the first that is no memory, or a device's.
    pub(super) fn fitting(&self, address: u64, length: u32) -> u32 {
        let Some(run) = self.ram.run_from_below(address) else { return 0 };
        let end = run.end().min(address.saturating_add(length.into()));
        let devices = self.devices.iter().filter(|device| address < device.end() && device.base < end);
        let end = devices.map(|device| device.base).fold(end, u64::min);
        u32::try_from(end.saturating_sub(address)).unwrap_or(0)
    }

    /// Whether a bulk read must fail. Unlike writes, it changes no register, so the setup alone decides.
    #[inline]
    pub(super) fn bulk_read_fails(&self, route: Route, length: u32) -> bool {
        match route {
            Route::Memory | Route::Open => false,
            Route::Refused(_) => true,
            Route::Device { index, offset } => self.calls_before_fault(index, offset, length).is_some(),
        }
    }

    /// How many calls of a byte each succeed before one meets the device's faulty register, if one of `length` does.
    pub(super) fn calls_before_fault(&self, index: u8, offset: u64, length: u32) -> Option<u64> {
        let faulty = u64::from(self.devices[usize::from(index)].faulty_register?);
        faulty.checked_sub(offset).filter(|&calls| calls < u64::from(length))
    }

    /// Whether an access that is refused so may fail with this error.
    #[inline]
    pub(super) fn admits(&self, refusal: Refusal, error: Error) -> bool {
        match refusal {
            Refusal::Size | Refusal::Misaligned => error == Error::Alignment,
            Refusal::Overflow | Refusal::Range => {
                error == Error::InvalidAddress || error == Error::PageFault && self.contract.range_error_is_page_fault
            }
            // Published interfaces have no error of their own for these.
            Refusal::Mixed(_) | Refusal::ReservedDevice(_) | Refusal::DeviceFault => true,
        }
    }

    /// Where in memory the byte at an address lies. Only for addresses in RAM or at the end of a run of it.
    #[inline]
    pub(super) fn offset(&self, address: u64) -> u64 {
        self.ram.offset(address, 0).unwrap_or(address)
    }

    /// The distance of an offset of memory from the shard border below it, in bytes. Only for offsets within memory.
    #[inline]
    pub(super) fn offset_in_shard(&self, address: u64) -> u64 {
        let product = u128::from(address) * u128::from(self.shard_reciprocal);
        #[allow(clippy::cast_possible_truncation)] // the high half of a product of two 64-bit numbers
        let quotient = (product >> 64) as u64;
        let border = quotient.wrapping_mul(self.shard_size);
        // In memories of more than 4 GiB the quotient can be one too high right below a border.
        if address < border { address.wrapping_sub(border).wrapping_add(self.shard_size) } else { address - border }
    }

    #[inline]
    fn range(&self, address: u64, end: u64) -> Route {
        if !self.devices.is_empty()
            && let Some(route) = self.device(address, end)
        {
            return route;
        }
        let is_ram = self.ram.offset(address, end - address).is_some();
        if is_ram { Route::Memory } else { Route::Refused(Refusal::Range) }
    }

    fn device(&self, address: u64, end: u64) -> Option<Route> {
        let (index, device) =
            (0..).zip(&self.devices).find(|(_, device)| address < device.end() && device.base < end)?;
        Some(if device.base <= address && end <= device.end() {
            Route::Device { index, offset: address - device.base }
        } else {
            Route::Refused(Refusal::Mixed(index))
        })
    }

    fn without_bytes(&self, address: u64) -> Route {
        if self.ram.offset(address, 0).is_some() {
            Route::Memory
        } else if self.contract.zero_length_anywhere {
            Route::Open
        } else {
            Route::Refused(Refusal::Range)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Contract as _;

    #[test]
    fn the_checks_come_in_their_order() {
        let device = |base| DeviceSetup { base, size: 16, faulty_register: None };
        let setup = Setup {
            strict_alignment: true,
            devices: vec![device(0x40), device(0x50), device(0xf8)],
            ..Setup::flat(0x100)
        };
        let layout = Layout::new(&setup, &GuestMemoryContract::STRICT);
        let scalar = |address, size| layout.scalar(address, size);
        assert_eq!(scalar(u64::MAX, 3), Route::Refused(Refusal::Size));
        assert_eq!(scalar(u64::MAX, 8), Route::Refused(Refusal::Overflow));
        assert_eq!(scalar(0x10_001, 2), Route::Refused(Refusal::Misaligned));
        assert_eq!(scalar(0x4c, 4), Route::Device { index: 0, offset: 12 });
        assert_eq!(scalar(0x100, 8), Route::Device { index: 2, offset: 8 });
        assert_eq!(scalar(0x108, 8), Route::Refused(Refusal::Range));
        assert_eq!(layout.reserved(0x50, 1), Route::Refused(Refusal::ReservedDevice(1)));
        assert_eq!(layout.bulk(0x3f, 1), Route::Memory);
        assert_eq!(layout.bulk(0x3f, 2), Route::Refused(Refusal::Mixed(0)));
        assert_eq!(layout.bulk(0x4f, 2), Route::Refused(Refusal::Mixed(0)));
        assert_eq!(layout.bulk(0x107, 2), Route::Refused(Refusal::Mixed(2)));
        assert_eq!(layout.bulk(0x48, 0), Route::Memory);
        assert_eq!(layout.bulk(0x101, 0), Route::Refused(Refusal::Range));
    }

    #[test]
    fn plain_accesses_are_routed_to_memory() {
        let device = |base| DeviceSetup { base, size: 16, faulty_register: None };
        for strict_alignment in [false, true] {
            for devices in [vec![], vec![device(0x40)], vec![device(0x20), device(0x48)], vec![device(0x80)]] {
                let setup = Setup { strict_alignment, devices, ..Setup::flat(0x7d) };
                let layout = Layout::new(&setup, &GuestMemoryContract::STRICT);
                let accesses =
                    (0..0xa0).chain([u64::MAX - 3]).flat_map(|address| (0..=9).map(move |size| (address, size)));
                for (address, size) in accesses {
                    let plain = layout.is_plain(address, size);
                    let routed = layout.scalar(address, size) == Route::Memory;
                    let between = setup.devices.len() == 2 && (0x30..0x48).contains(&address);
                    assert!(plain == routed || between && routed, "{setup:?}: {size} bytes at {address:#x}");
                }
            }
        }
    }

    #[test]
    fn the_offset_in_a_shard_is_the_remainder() {
        for memory_size in [1, 15, 16, 17, 1000, 0x1_0000, 1 << 20, (1 << 30) + 7, (1 << 36) - 5, 1 << 36] {
            let layout = Layout::new(&Setup::flat(memory_size), &GuestMemoryContract::STRICT);
            for border in (0..=16).map(|index| index * layout.shard_size) {
                for address in border.saturating_sub(3)..border + 3 {
                    let expected = if layout.shard_size < 2 { address } else { address % layout.shard_size };
                    assert_eq!(layout.offset_in_shard(address), expected, "{address:#x} of {memory_size:#x}");
                }
            }
        }
    }
}
