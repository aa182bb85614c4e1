//! Draws guest-memory setups: sizes, ranges, devices and logs. What happens under them stands in [`super::generate`].

use crate::random::Random;
use memtwin_models::guest_memory::{
    DeviceSetup, DirtyLogSetup, GuestMemoryContract, MAX_MEMORY_BYTES, MAX_RAM_RANGES, MAX_REFUSED_PAGES, RamRange,
    Setup,
};
use memtwin_models::vocabulary::told;

fn draw_device(memory_size: u64, random: &mut Random) -> DeviceSetup {
    let size = match random.below(4) {
        0 => 1 + random.below(16),
        1 => 1 + random.below(4096),
        _ => 8 << random.below(7),
    };
    let base = match random.below(8) {
        0 => memory_size.saturating_sub(u64::from(random.below(size + 1))),
        1 => memory_size.saturating_add(random.magnitude(20)),
        2 => u64::MAX - u64::from(size) - random.magnitude(6),
        3 => 0x1000,
        _ => (random.bits() >> 16) % memory_size.max(1),
    };
    let base = if random.one_in(4) { base } else { base & !0x3f };
    let faulty_register = random.one_in(3).then(|| random.below(size));
    DeviceSetup { base, size, faulty_register }
}

/// A device in flat memory, or in or about any of the ranges as if it began at 0.
fn draw_device_near(ram: &[RamRange], memory_size: u64, random: &mut Random) -> DeviceSetup {
    if ram.is_empty() {
        return draw_device(memory_size, random);
    }
    let range = random.choose(ram);
    let device = draw_device(range.bytes, random);
    DeviceSetup { base: device.base.saturating_add(range.base), ..device }
}

/// Five memories in sixteen have 64 KiB, two some twenty bytes more or less, two one to four pages or up to two bytes
/// less, two 1 MiB or a little less, one as many bits as chance says up to 30, one a power of two from 1 MiB to 64 GiB,
/// and three are smaller than a page, down to nothing. None is larger or smaller than the contract serves. One setup in
/// three is strict about alignment. In one of three, if the contract serves it, RAM lies in one to four ranges of up to
/// 64 KiB, from 0 on or not, at 2 and 4 GiB or the end of the address space, which meet or have holes between them.
/// Half have devices, one to three; a device lies in memory, at its end, behind it, at the end of the address space, or
/// at 0x1000, and one in three has a register that answers with an error. One in six up to 1 MiB has a dirty log, if
/// the contract serves it; half of these refuse up to four of the first 64 writes to images.
#[told(pub(super) SETUP)]
pub(super) fn draw_setup(contract: &GuestMemoryContract, random: &mut Random) -> Setup {
    let memory_size = match random.below(16) {
        0 => random.choose(&[0, 1, 2, 15, 16, 17, 64, 240]),
        1 => u64::from(random.below(256)),
        2 => u64::from(random.below(4096)),
        3 | 4 => 4096 * u64::from(1 + random.below(4)) - u64::from(random.below(3)),
        5..=9 => 65_536,
        10 | 11 => 65_536 + u64::from(random.below(40)) - 20,
        12 => 1 << 20,
        13 => (1 << 20) - u64::from(random.below(40)),
        14 => random.magnitude(30),
        _ => 1 << (20 + random.below(17)),
    };
    let memory_size = memory_size.max(contract.smallest_memory_bytes);
    let memory_size = memory_size.min(MAX_MEMORY_BYTES).min(contract.largest_memory_bytes);
    let strict_alignment = !contract.no_strict_alignment && random.one_in(3);
    let ram = if contract.flat_ram || !random.one_in(3) { Vec::new() } else { draw_ram(contract, random) };
    let is_large_enough = contract.smallest_memory_bytes <= ram.iter().map(|range| range.bytes).sum();
    let ram = if is_large_enough { ram } else { Vec::new() };
    let device_count = if contract.no_devices || random.one_in(2) { 0 } else { 1 + random.below(3) };
    let mut devices: Vec<_> = (0..device_count).map(|_| draw_device_near(&ram, memory_size, random)).collect();
    if let [first, second, ..] = devices.as_mut_slice()
        && random.one_in(3)
    {
        second.base = first.end();
    }
    let dirty_log = (!contract.no_dirty_log && random.one_in(6)).then(|| draw_log(random));
    Setup { ram, strict_alignment, devices, dirty_log, ..Setup::flat(memory_size) }.normalised()
}

/// Half of all images refuse nothing, the others up to four writes, mostly early ones.
#[allow(clippy::cast_possible_truncation)] // four, and six bits
fn draw_log(random: &mut Random) -> DirtyLogSetup {
    let count = if random.one_in(2) { 0 } else { 1 + random.below(MAX_REFUSED_PAGES as u32) };
    DirtyLogSetup { refused: (0..count).map(|_| random.magnitude(6) as u16).collect() }
}

/// One to four ranges, each of up to 64 bytes, some pages more or less, or 64 KiB. The first begins at 0, at any of the
/// first 16 pages, around 2 or 4 GiB or right below; half of the others meet the one before, the rest leave a hole of a
/// few bytes, of pages, or of GiB. The last lies at the end of the address space one time in eight.
fn draw_ram(contract: &GuestMemoryContract, random: &mut Random) -> Vec<RamRange> {
    let most = contract.largest_memory_bytes.min(MAX_MEMORY_BYTES) / MAX_RAM_RANGES as u64;
    #[allow(clippy::cast_possible_truncation)] // four
    let count = 1 + random.below(MAX_RAM_RANGES as u32);
    let mut ram: Vec<RamRange> = Vec::new();
    for index in 0..count {
        let bytes = match random.below(4) {
            0 => 1 + u64::from(random.below(64)),
            1 => 65_536,
            _ => 4096 * u64::from(1 + random.below(4)) - random.choose(&[0, 0, 0, 1, 8]),
        };
        let bytes = bytes.min(most).max(1);
        let before = match ram.last() {
            None => random.choose(&[0, 0, 1 << 31, 1 << 32, (1 << 31) - bytes, (1 << 32) - bytes]),
            Some(last) => last.end(),
        };
        let hole = match random.below(8) {
            0..=3 => 0,
            4 => 1 + u64::from(random.below(64)),
            5 => 4096 * u64::from(1 + random.below(16)),
            6 => u64::from(1 + random.below(4)) << 30,
            _ if index + 1 == count => u64::MAX - bytes - before,
            _ => 1 << 40,
        };
        ram.push(RamRange { base: before.saturating_add(hole), bytes });
    }
    ram
}
