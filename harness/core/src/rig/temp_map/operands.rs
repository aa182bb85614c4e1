//! Operands of temp-map ops: variables that are full or empty, pages and slots that are there, and wrong ones now and
//! then.

use super::generate::TempMapGenerator;
use crate::random::Random;
use memtwin_models::temp_map::{
    Cpu, HOLDS, KERNEL_HALF, KERNEL_PAGE, Mode, PAGE_BYTES, PROCESSES, SYSTEM_CALL_LIMIT_BYTES, Segment,
    VirtualAddress, WINDOW_BASE,
};
use memtwin_models::vocabulary::told;

/// Pages that traces use: neighbours, the ends of the user half, and of directory entries.
pub(super) const PAGES: [u32; 12] = [
    0x40_0000,
    0x40_1000,
    0x40_2000,
    0x7f_f000,
    0x80_0000,
    0,
    0x1000,
    0x804_8000,
    0x4000_0000,
    0x8000_0000,
    0xbfff_e000,
    0xbfff_f000,
];
/// Counts that a system call may trip over.
const COUNTS: [u32; 12] = [14, 100, 4096, 0, 1, 4, 8, 4095, 4097, 0x2000, 0x7fff_ffff, u32::MAX];
/// Offsets in a page.
const OFFSETS: [u32; 8] = [0, 0, 4, 1, 4000, 4092, 4095, 2048];
/// Slot numbers that are none, or that hardly anybody is given.
const ODD_SLOTS: [i32; 8] = [-1, 256, i32::MIN, i32::MAX, -256, 512, 257, 1 << 20];

impl TempMapGenerator {
    pub(super) fn is_wrong(&self, random: &mut Random) -> bool {
        random.one_in(self.wrong_one_in)
    }

    /// A variable that is full, or empty, as the op needs it; a wrong one is any.
    #[told(pub(super) VARIABLE)]
    pub(super) fn process(&self, random: &mut Random, full: bool) -> usize {
        let start = random.below(PROCESSES.into()) as usize;
        if self.is_wrong(random) {
            return start;
        }
        let mut order = (0..PROCESSES.into()).map(|step| (start + step) % usize::from(PROCESSES));
        order.find(|process| self.belief.processes[*process].is_some() == full).unwrap_or(start)
    }

    pub(super) fn hold(&self, random: &mut Random, full: bool) -> usize {
        let start = random.below(HOLDS.into()) as usize;
        if self.is_wrong(random) {
            return start;
        }
        let mut order = (0..HOLDS.into()).map(|step| (start + step) % usize::from(HOLDS));
        order.find(|hold| self.belief.holds[*hold] == full).unwrap_or(start)
    }

    /// A slot that the trace was given, mapped or not as the op needs it. A wrong one is a number that is no slot, or
    /// one that was given to nobody.
    #[told(pub(super) SLOT)]
    pub(super) fn slot(&self, random: &mut Random, mapped: bool) -> i32 {
        if self.is_wrong(random) {
            // Not one of the drivers' that the belief does not know of: what is mapped there would stay for ever.
            return match i32::try_from(self.taken_slots + random.below(4)).unwrap_or(0) {
                free if random.one_in(3) && self.belief.slots().iter().all(|known| known.slot != free) => free,
                _ => random.choose(&ODD_SLOTS),
            };
        }
        let slots = self.belief.slots();
        if slots.is_empty() {
            return 0;
        }
        let start = random.below(u32::try_from(slots.len()).unwrap_or(1)) as usize;
        let mut order = (0..slots.len()).map(|step| slots[(start + step) % slots.len()]);
        order.find(|known| known.pins.is_empty() != mapped).unwrap_or(slots[start]).slot
    }

    /// One of the trace's pages.
    pub(super) fn any_page(&self, random: &mut Random) -> u32 {
        PAGES[(self.first_page + random.below(self.page_count)) as usize % PAGES.len()]
    }

    /// A page of the process in force, if it has one, in one of four that of the op before. A wrong one is any page of
    /// the trace, in one of four with an odd address.
    #[told(pub(super) PAGE)]
    pub(super) fn page(&self, cpu: Cpu, random: &mut Random) -> u32 {
        let pages = self.belief.pages(cpu.index()).map_or(&[][..], |pages| pages.as_slice());
        if pages.is_empty() || self.is_wrong(random) {
            let odd = if random.one_in(4) { random.choose(&[1, 4, 0x800]) } else { 0 };
            return self.any_page(random) | odd;
        }
        if pages.contains(&self.belief.last_page) && random.one_in(4) {
            return self.belief.last_page;
        }
        random.choose(pages)
    }

    /// A physical address that is no frame's start, or that lies beyond memory; once in a while it is a frame's.
    pub(super) fn odd_physical(&self, random: &mut Random) -> u32 {
        let memory_bytes = self.frames * PAGE_BYTES;
        let inside = self.memory_start.wrapping_add(PAGE_BYTES * random.below(self.frames));
        match random.below(16) {
            0..=7 => inside | random.choose(&[1, 2, 4, 0x200, 8, 0x800, 0xfff, 0x80]),
            8..=10 => self.memory_start.wrapping_add(memory_bytes),
            11 | 12 => self.memory_start.wrapping_sub(PAGE_BYTES),
            13 => u32::MAX,
            14 => self.memory_start.wrapping_add(memory_bytes - 1),
            _ => inside,
        }
    }

    /// Half of the addresses are in mapped pages, one in 16 is in any page of the trace, four are in a slot of the
    /// window that is mapped, one in the slot unmapped last, one in the kernel's page, and one at an edge. Offsets in
    /// the page are 0, 1, 4, the middle or its end, and any in one of four.
    #[told(pub(super) ADDRESS)]
    pub(super) fn address(&self, cpu: Cpu, random: &mut Random) -> VirtualAddress {
        let offset = if random.one_in(4) { random.below(PAGE_BYTES) } else { random.choose(&OFFSETS) };
        let window = |slot: i32| WINDOW_BASE.wrapping_add(slot.cast_unsigned().wrapping_mul(PAGE_BYTES));
        let page = match random.below(16) {
            0..=7 => self.page(cpu, random) & !(PAGE_BYTES - 1),
            8 => self.any_page(random),
            9..=12 => window(self.slot(random, true)),
            13 => window(self.belief.unmapped),
            14 => KERNEL_PAGE,
            _ => {
                let edge = random.choose(&self.edges);
                #[allow(clippy::cast_possible_truncation)] // any address is legal
                return VirtualAddress((edge as u32).wrapping_sub(random.below(2)));
            }
        };
        VirtualAddress(page.wrapping_add(offset))
    }

    /// In mapped pages, at 0, 1, 4, the middle or the end of a page. Counts are up to a page in one of four, up to 64
    /// in one, else round a page, 0 to 100, or huge. Half of the buffers end where they do; the others end at the end
    /// of a page or a byte beside it. A wrong `address` lies at the ends of the user half or in the kernel's.
    #[told(pub(super) BUFFER)]
    pub(super) fn buffer(&self, cpu: Cpu, random: &mut Random) -> (VirtualAddress, u32) {
        let count = match random.below(4) {
            0 => random.below(PAGE_BYTES + 8),
            1 => 1 + random.below(64),
            _ => random.choose(&COUNTS),
        };
        if self.is_wrong(random) {
            let odd =
                [0xbfff_f001, 0xbfff_f000, 0xdead_beef, 0x4000_0000, 0xffff_f000, u32::MAX, KERNEL_PAGE, WINDOW_BASE];
            return (VirtualAddress(random.choose(&odd)), count);
        }
        let page = self.page(cpu, random) & !(PAGE_BYTES - 1);
        if random.one_in(2) {
            let end = end_of_page(page, random);
            return (VirtualAddress(end.wrapping_sub(count.min(SYSTEM_CALL_LIMIT_BYTES))), count);
        }
        (VirtualAddress(page.wrapping_add(random.choose(&OFFSETS))), count)
    }

    /// Files of 64 bytes to 8 KiB, one in 16 of any size, with one or two segments, three in one of eight, none in one
    /// of 64. Segments lie in a page of the trace or from 256 MiB on, end anywhere in the file, and have up to 6 KiB
    /// more in memory. Half begin at 0, 1, 4, the middle or the end of a page; in a quarter the bytes of the file end
    /// at the end of a page or a byte beside it, and in a quarter the segment does. One in three of those that are not
    /// the first lies right behind the one before, or right before it, with up to 100 bytes between. In a wrong one a
    /// size, an offset or an address does not fit the file, the user half, or a number.
    #[told(pub(super) SEGMENT)]
    pub(super) fn segment(&self, length: u32, random: &mut Random) -> Segment {
        let offset = random.below(length);
        let file_bytes = match random.below(4) {
            0 => 0,
            1 => length - offset,
            _ => random.below(length - offset + 1),
        };
        let memory_bytes = file_bytes + if random.one_in(4) { 0 } else { random.below(0x1800) };
        let page = if random.one_in(2) { self.any_page(random) } else { 0x1000_0000 + (random.below(64) << 14) };
        let address = VirtualAddress(match random.below(4) {
            0 | 1 => page + random.choose(&OFFSETS) + random.below(64),
            2 => end_of_page(page, random).saturating_sub(file_bytes),
            _ => end_of_page(page, random).saturating_sub(memory_bytes),
        });
        let segment = Segment { address, offset, file_bytes, memory_bytes, writable: random.one_in(2) };
        if !self.is_wrong(random) {
            return segment;
        }
        match random.below(8) {
            0 => Segment { memory_bytes: file_bytes.saturating_sub(1), ..segment },
            1 => Segment { offset: length + 1 - file_bytes.min(length), ..segment },
            2 => Segment { offset: u32::MAX, ..segment },
            3 => Segment { address: VirtualAddress(random.choose(&[KERNEL_HALF, WINDOW_BASE, u32::MAX])), ..segment },
            4 => Segment { address: VirtualAddress(KERNEL_HALF - memory_bytes + 1), ..segment },
            5 => Segment { memory_bytes: random.choose(&[u32::MAX, KERNEL_HALF, 0x4000_0000, 0x8_0000]), ..segment },
            6 => Segment { address: VirtualAddress(KERNEL_HALF - memory_bytes), ..segment },
            _ => Segment { file_bytes: u32::MAX, memory_bytes: u32::MAX, ..segment },
        }
    }
}

/// Where a page ends, or the bytes beside it.
fn end_of_page(page: u32, random: &mut Random) -> u32 {
    page.wrapping_add(PAGE_BYTES).wrapping_add(random.below(3)).wrapping_sub(1)
}

/// Users for the user half, the kernel for its own; one in five the other way.
#[told(pub(super) MODE)]
pub(super) fn mode_for(address: VirtualAddress, random: &mut Random) -> Mode {
    let is_usual = !random.one_in(5);
    if (address.0 < KERNEL_HALF) == is_usual { Mode::User } else { Mode::Kernel }
}
