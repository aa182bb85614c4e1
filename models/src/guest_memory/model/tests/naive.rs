//! Guest memory so plain that it is obviously right: a vector of bytes, arithmetic in 128 bits, one byte at a time.

use super::super::super::device::{Direction, RegisterFile};
use super::super::super::{
    DUMP_LIMIT_BYTES, Error, GuestMemoryContract, Op, Outcome, Owner, PageWrite, Seen, Setup, View,
};
use crate::Payload;
use std::collections::BTreeSet;

pub(super) struct Naive {
    setup: Setup,
    contract: GuestMemoryContract,
    memory: Vec<u8>,
    devices: Vec<RegisterFile>,
    /// Where each device is mapped.
    places: Vec<Option<u64>>,
    /// (owner, address, size)
    reservations: Vec<(Owner, u64, u8)>,
    /// The addresses of the pages that were written since the log was cleared.
    dirty: BTreeSet<u64>,
    page_writes: usize,
}

#[derive(Clone, Copy)]
enum Target {
    Memory,
    Device(usize),
}

impl Naive {
    pub(super) fn new(setup: &Setup, contract: &GuestMemoryContract) -> Self {
        let devices = setup.devices.iter().enumerate().map(|(index, device)| RegisterFile::new(index as u8, device));
        Naive {
            setup: setup.clone(),
            contract: *contract,
            memory: vec![0; setup.memory_size as usize],
            devices: devices.collect(),
            places: setup.devices.iter().map(|device| Some(device.base)).collect(),
            reservations: Vec::new(),
            dirty: BTreeSet::new(),
            page_writes: 0,
        }
    }

    pub(super) fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        seen.result = match *op {
            Op::Read { address, size, .. } => self.read(address.0, size, seen),
            Op::FetchInstruction { address, .. } => self.read(address.0, 4, seen),
            Op::Write { address, value, size, .. } => self.write(address.0, value, size, seen),
            Op::LoadReserved { .. } | Op::StoreConditional { .. } | Op::InvalidateReservation { .. }
                if self.contract.no_reservations =>
            {
                Seen::Skipped
            }
            Op::LoadReserved { owner, address, size } => self.load_reserved(owner, address.0, size, seen),
            Op::StoreConditional { owner, address, value, size } => {
                self.store_conditional(owner, address.0, value, size, seen)
            }
            Op::InvalidateReservation { address, size, .. } => {
                self.kill(address.0, u32::from(size));
                Seen::Done
            }
            Op::AtomicLoad { .. } | Op::AtomicStore { .. } | Op::CompareExchange { .. } if self.contract.no_atomics => {
                Seen::Skipped
            }
            Op::AtomicLoad { address, size, .. } => match self.refuses_atomic(address.0, size) {
                Some(error) => Seen::Error(error),
                None => self.read(address.0, size, seen),
            },
            Op::AtomicStore { address, value, size, .. } => match self.refuses_atomic(address.0, size) {
                Some(error) => Seen::Error(error),
                None => self.write(address.0, value, size, seen),
            },
            Op::CompareExchange { address, expected, value, size, .. } => match self.refuses_atomic(address.0, size) {
                Some(error) => Seen::Error(error),
                None => {
                    let Seen::Value(before) = self.read(address.0, size, seen) else { panic!("it is memory") };
                    let stored = (0..size).all(|byte| (before ^ expected) >> (8 * byte) & 0xff == 0);
                    if stored {
                        self.write(address.0, value, size, seen);
                    }
                    Seen::Exchanged { before, stored }
                }
            },
            Op::ReadBulk { address, length, .. } => {
                let mut bytes = vec![0; length.bytes() as usize];
                let result = self.read_bulk(address.0, &mut bytes, seen);
                if result == Seen::Done {
                    seen.buffer(length).copy_from_slice(&bytes);
                }
                result
            }
            Op::MapDevice { device, base, .. } => self.place_device(device.index(), Some(base.0)),
            Op::UnmapDevice { device, .. } => self.place_device(device.index(), None),
            Op::WriteBulk { address, seed, length, .. } => {
                let bytes = Payload { seed, length: length.bytes() }.bytes().unwrap();
                self.write_bulk(address.0, bytes, seen)
            }
            Op::MemorySize { .. } => Seen::Value(self.setup.memory_size),
            Op::Dump { .. } | Op::Restore { .. } | Op::RestoreDump { .. }
                if self.contract.no_dump || self.setup.memory_size > DUMP_LIMIT_BYTES =>
            {
                Seen::Skipped
            }
            Op::Dump { .. } => {
                seen.dump.clone_from(&self.memory);
                Seen::Done
            }
            Op::Restore { payload, .. } if u64::from(payload.length) != self.setup.memory_size => {
                Seen::Error(Error::Other)
            }
            Op::Restore { payload, .. } => {
                self.memory = (0..u64::from(payload.length)).map(|index| payload.byte(index)).collect();
                self.restored();
                Seen::Done
            }
            Op::DirtyLog { .. } | Op::TakeDirtyLog { .. } | Op::DumpDirty { .. } if self.setup.dirty_log.is_none() => {
                Seen::Skipped
            }
            Op::DirtyLog { .. } => {
                seen.pages.extend(&self.dirty);
                Seen::Done
            }
            Op::TakeDirtyLog { .. } => {
                seen.pages.extend(std::mem::take(&mut self.dirty));
                Seen::Done
            }
            Op::DumpDirty { .. } => self.dump_dirty(seen),
            Op::RestoreDump { .. } => {
                self.restored();
                Seen::Done
            }
        };
    }

    fn restored(&mut self) {
        self.reservations.clear();
        let ranges: Vec<_> = self.ranges().filter(|(base, end)| base < end).collect();
        let pages = ranges.into_iter().flat_map(|(base, end)| base / 4096..=(end - 1) / 4096);
        self.dirty.extend(pages.map(|page| page as u64 * 4096));
    }

    fn dump_dirty(&mut self, seen: &mut Outcome) -> Seen {
        for &page in &self.dirty {
            let ranges: Vec<_> = self.ranges().collect();
            for (base, end) in ranges {
                let (low, high) = (base.max(page.into()), end.min(u128::from(page) + 4096));
                if high <= low {
                    continue;
                }
                let refused = &self.setup.dirty_log.as_ref().unwrap().refused;
                let refused = refused.contains(&(self.page_writes as u16));
                self.page_writes += 1;
                seen.page_writes.push(PageWrite { address: low as u64, length: (high - low) as u32, refused });
                seen.dump.extend((low..high).map(|byte| self.memory[self.index(byte as u64)]));
                if refused {
                    return Seen::Error(Error::Other);
                }
            }
        }
        self.dirty.clear();
        Seen::Done
    }

    pub(super) fn view(&self, view: &mut View) {
        view.memory_size = Some(self.setup.memory_size);
        if view.dump_wanted {
            view.dump = Some(self.memory.clone());
        }
        for &(address, length) in &view.ranges_wanted {
            view.bytes.extend((0..u64::from(length)).map(|distance| self.memory[self.index(address + distance)]));
        }
    }

    /// Why an atomic access fails.
    fn refuses_atomic(&self, address: u64, size: u8) -> Option<Error> {
        let is_size = [1, 2, 4, 8].contains(&size);
        let wraps = u128::from(u64::MAX) < u128::from(address) + u128::from(size);
        if is_size && !wraps && !address.is_multiple_of(u64::from(size)) {
            return Some(Error::Alignment);
        }
        match self.target(address, size.into(), true) {
            Ok(Target::Memory) => None,
            Ok(Target::Device(_)) => Some(Error::Other),
            Err(error) => Some(error),
        }
    }

    fn place_device(&mut self, index: usize, base: Option<u64>) -> Seen {
        if self.contract.fixed_devices || self.contract.no_devices {
            return Seen::Skipped;
        }
        let bytes = |base: u64, size: u32| u128::from(base)..u128::from(base) + u128::from(size);
        let Some(place) = self.places.get(index).copied() else { return Seen::Error(Error::Other) };
        let Some(base) = base else {
            self.places[index] = None;
            return if place.is_none() { Seen::Error(Error::Other) } else { Seen::Done };
        };
        let own = bytes(base, self.setup.devices[index].size);
        let mut others = (0..self.places.len()).filter(|other| *other != index);
        let meets = others.any(|other| {
            let taken = self.places[other].map_or(0..0, |base| bytes(base, self.setup.devices[other].size));
            own.start < taken.end && taken.start < own.end
        });
        if meets || u128::from(u64::MAX) < own.end {
            return Seen::Error(Error::Other);
        }
        self.places[index] = Some(base);
        Seen::Done
    }

    fn target(&self, address: u64, length: u32, scalar: bool) -> Result<Target, Error> {
        let range_error =
            if self.contract.range_error_is_page_fault { Error::PageFault } else { Error::InvalidAddress };
        if scalar && ![1, 2, 4, 8].contains(&length) {
            return Err(Error::Alignment);
        }
        let (start, end) = (u128::from(address), u128::from(address) + u128::from(length));
        if end > u128::from(u64::MAX) {
            return Err(range_error);
        }
        if scalar && self.setup.strict_alignment && !address.is_multiple_of(u64::from(length)) {
            return Err(Error::Alignment);
        }
        for (index, device) in self.setup.devices.iter().enumerate() {
            let Some(base) = self.places[index] else { continue };
            let covers = |byte: u128| u128::from(base) <= byte && byte < u128::from(base) + u128::from(device.size);
            match (start..end).filter(|&byte| covers(byte)).count() {
                0 => {}
                inside if inside == length as usize => return Ok(Target::Device(index)),
                _ => return Err(Error::Other),
            }
        }
        let open = length == 0 && self.contract.zero_length_anywhere;
        let at_an_end = length == 0 && self.ranges().any(|(base, end)| start == base || start == end);
        let is_ram = |byte: u128| self.ranges().any(|(base, end)| base <= byte && byte < end);
        let in_ram = if length == 0 { at_an_end || is_ram(start) } else { (start..end).all(is_ram) };
        if in_ram || open { Ok(Target::Memory) } else { Err(range_error) }
    }

    /// Where RAM begins and ends.
    fn ranges(&self) -> impl Iterator<Item = (u128, u128)> {
        let flat = self.setup.ram.is_empty().then_some((0, u128::from(self.setup.memory_size)));
        let ranges =
            self.setup.ram.iter().map(|range| (range.base.into(), u128::from(range.base) + u128::from(range.bytes)));
        flat.into_iter().chain(ranges)
    }

    /// The place in memory of a byte of RAM.
    fn index(&self, address: u64) -> usize {
        let mut before = 0;
        for (base, end) in self.ranges() {
            if base <= u128::from(address) && u128::from(address) < end {
                return (before + u128::from(address) - base) as usize;
            }
            before += end - base;
        }
        panic!("{address:#x} is not in RAM")
    }

    fn call(
        &mut self,
        device: usize,
        direction: Direction,
        address: u64,
        size: u8,
        value: u64,
        seen: &mut Outcome,
    ) -> Option<u64> {
        let offset = address - self.places[device].expect("a device that was routed to is mapped");
        let call = self.devices[device].call(direction, offset, size, value);
        seen.device_calls.push(call);
        (!call.failed).then_some(call.value)
    }

    fn read(&mut self, address: u64, size: u8, seen: &mut Outcome) -> Seen {
        match self.target(address, u32::from(size), true) {
            Err(error) => Seen::Error(error),
            Ok(Target::Device(device)) => self
                .call(device, Direction::Read, address, size, 0, seen)
                .map_or(Seen::Error(Error::Other), Seen::Value),
            Ok(Target::Memory) => {
                let bytes: Vec<u8> =
                    (0..u64::from(size)).map(|distance| self.memory[self.index(address + distance)]).collect();
                Seen::Value(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
            }
        }
    }

    fn write(&mut self, address: u64, value: u64, size: u8, seen: &mut Outcome) -> Seen {
        match self.target(address, u32::from(size), true) {
            Err(error) => Seen::Error(error),
            Ok(Target::Device(device)) => {
                let value = (0..size).map(|index| value & (0xff << (8 * index))).sum();
                let answer = self.call(device, Direction::Write, address, size, value, seen);
                answer.map_or(Seen::Error(Error::Other), |_| Seen::Done)
            }
            Ok(Target::Memory) => {
                self.store(address, &value.to_le_bytes()[..usize::from(size)]);
                Seen::Done
            }
        }
    }

    fn load_reserved(&mut self, owner: Owner, address: u64, size: u8, seen: &mut Outcome) -> Seen {
        if let Ok(Target::Device(_)) = self.target(address, u32::from(size), true) {
            return Seen::Error(Error::Other);
        }
        let result = self.read(address, size, seen);
        if let Seen::Value(_) = result {
            self.reservations.retain(|held| held.0 != owner);
            self.reservations.push((owner, address, size));
        }
        result
    }

    fn store_conditional(&mut self, owner: Owner, address: u64, value: u64, size: u8, seen: &mut Outcome) -> Seen {
        match self.target(address, u32::from(size), true) {
            Err(error) => Seen::Error(error),
            Ok(Target::Device(_)) => Seen::Error(Error::Other),
            Ok(Target::Memory) => {
                let stores = self.reservations.contains(&(owner, address, size));
                self.reservations.retain(|held| held.0 != owner);
                if stores {
                    self.write(address, value, size, seen);
                }
                Seen::Stored(stores)
            }
        }
    }

    fn read_bulk(&mut self, address: u64, bytes: &mut [u8], seen: &mut Outcome) -> Seen {
        let target = match self.target(address, bytes.len() as u32, false) {
            Err(error) => return Seen::Error(error),
            Ok(target) => target,
        };
        for (index, byte) in (0..).zip(bytes) {
            let address = address + index;
            *byte = match target {
                Target::Memory => self.memory[self.index(address)],
                Target::Device(device) => match self.call(device, Direction::Read, address, 1, 0, seen) {
                    Some(value) => value as u8,
                    None => return Seen::Error(Error::Other),
                },
            };
        }
        Seen::Done
    }

    fn write_bulk(&mut self, address: u64, bytes: &[u8], seen: &mut Outcome) -> Seen {
        match self.target(address, bytes.len() as u32, false) {
            Err(error) => return Seen::Error(error),
            Ok(Target::Memory) => self.store(address, bytes),
            Ok(Target::Device(device)) => {
                for (index, &byte) in (0..).zip(bytes) {
                    if self.call(device, Direction::Write, address + index, 1, u64::from(byte), seen).is_none() {
                        return Seen::Error(Error::Other);
                    }
                }
            }
        }
        Seen::Done
    }

    fn store(&mut self, address: u64, bytes: &[u8]) {
        for (distance, &byte) in (0..).zip(bytes) {
            let index = self.index(address + distance);
            self.memory[index] = byte;
            self.dirty.insert((address + distance) / 4096 * 4096);
        }
        self.kill(address, bytes.len() as u32);
    }

    fn kill(&mut self, address: u64, length: u32) {
        let stored = lines(address, length);
        self.reservations
            .retain(|&(_, address, size)| lines(address, u32::from(size)).iter().all(|line| !stored.contains(line)));
    }
}

/// The line of every byte below 2^64.
fn lines(address: u64, length: u32) -> Vec<u128> {
    let bytes = u128::from(address)..u128::from(address) + u128::from(length);
    let mut lines: Vec<_> = bytes.filter(|&byte| byte <= u128::from(u64::MAX)).map(|byte| byte / 64).collect();
    lines.dedup();
    lines
}
