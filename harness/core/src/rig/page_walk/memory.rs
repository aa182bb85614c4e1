//! Draws what is done with the memory behind tables: a hostile guest's writes, the host's reads, and the buffer between
//! them. It knows no table.

use super::generate::PageWalkGenerator;
use crate::random::Random;
use memtwin_models::page_walk::{Backing, MAX_FILE_MAPPINGS, Op, Prefix};
use memtwin_models::vocabulary::told;

/// Prefixes at which sums of 32 bits go wrong.
const PREFIXES: [u32; 8] = [0, 1, u32::MAX, u32::MAX - 2, u32::MAX - 3, u32::MAX - 4, 1 << 31, 0x7fff_ffff];

impl PageWalkGenerator {
    /// Half of the addresses lie in or before the first page of scratch, the others in a page of any backing, or one in
    /// eight before an edge. Lengths have up to 8 bits, two in sixteen up to 15; three end at an edge, one is 0, one an
    /// edge, one reaches the end of the address space. What a guest writes has up to 4, 6, 8, 12 or 16 bits of length.
    #[told(pub(super) GPA_RANGE)]
    pub(super) fn gpa_range(&self, random: &mut Random) -> (u64, u64) {
        let page = if random.one_in(2) { self.setup.scratch_gpa() } else { self.backed_page(random) };
        let address = match random.below(8) {
            0 => page.wrapping_sub(random.magnitude(6)),
            1 => random.choose(&self.edges).wrapping_sub(random.magnitude(6)),
            2 => page,
            _ => page + random.magnitude(12),
        };
        let length = match random.below(16) {
            0 => 0,
            1 => random.choose(&self.edges),
            2 => 0_u64.wrapping_sub(address).wrapping_add(random.magnitude(2)),
            3 | 4 => random.magnitude(15),
            5..=7 => random.choose(&self.edges).wrapping_sub(address),
            _ => random.magnitude(8),
        };
        (address, length)
    }

    /// The bytes from an address to the next edge, if they are no more than a guest writes at once.
    pub(super) fn up_to_next_edge(&self, address: u64) -> Option<u16> {
        let next = self.edges.iter().filter(|edge| address < **edge).min()?;
        u16::try_from(next - address).ok()
    }

    pub(super) fn length16(&self, random: &mut Random) -> u16 {
        let bits = random.choose(&[4, 6, 8, 12, 16]);
        u16::try_from(random.magnitude(bits)).unwrap_or(u16::MAX)
    }

    /// Three in eight words are the pointer to the last element, two any word anywhere, one the buffer's own pointer,
    /// one an element's prefix, one the count of file mappings: with numbers next to the right ones, and at the ends of
    /// what a word holds.
    #[told(pub(super) GUEST_WORD)]
    pub(super) fn guest_word(&self, random: &mut Random) -> Op {
        let scratch = self.setup.scratch_gpa();
        let pointer = self.expected.pointer;
        let last = self.expected.last_start();
        match random.below(8) {
            0 => {
                let value = random.choose(&[0, 7, 8, 16, 9999, pointer, pointer - 8, u64::MAX, 1 << 63]);
                let value =
                    if random.one_in(3) { u64::from(self.setup.buffer_bytes) + random.magnitude(4) } else { value };
                Op::GuestWord { address: scratch, value }
            }
            1..=3 => {
                let value = random.choose(&[0, pointer - 1, 9999, 7, 8, pointer - 8, pointer - 7, u64::MAX, last + 1]);
                Op::GuestWord { address: scratch + pointer - 8, value }
            }
            4 => Op::GuestWord { address: scratch + last, value: u64::from(random.choose(&PREFIXES)) },
            5 => {
                let most = MAX_FILE_MAPPINGS;
                let value = random.choose(&[0, 1, most - 1, most, most + 1, u64::MAX, 1 << 61, 0x0aaa_aaaa_aaaa_aaab]);
                Op::GuestWord { address: self.edges[31], value }
            }
            _ => Op::GuestWord { address: self.gpa_range(random).0, value: random.bits() },
        }
    }

    /// Each backing alike, those too that a setup does not have. Half of the offsets lie in the backing, the others at
    /// 0, its end, or the end of the address space; half of the lengths have up to 8 bits, the others are 0, end with
    /// the backing, one behind it, or with the address space.
    #[told(pub(super) SHARED_READ)]
    pub(super) fn shared_read(&self, random: &mut Random) -> Op {
        #[allow(clippy::cast_possible_truncation)] // five
        let backing = Backing::new_folded(random.below(Backing::COUNT as u32).to_le_bytes()[0]);
        let size = self.setup.host_range(backing).map_or(0x1000, |(start, end)| end - start);
        let offset = match random.below(8) {
            0 => 0,
            1 => size,
            2 => size.wrapping_sub(random.magnitude(8)),
            3 => u64::MAX - random.magnitude(9),
            _ => u64::from(random.below(u32::try_from(size).unwrap_or(0) + 1)),
        };
        let length = match random.below(8) {
            0 => 0,
            1 => size.wrapping_sub(offset),
            2 => size.wrapping_sub(offset).wrapping_add(1),
            3 => u64::MAX - random.magnitude(13),
            _ => random.magnitude(8),
        };
        Op::SharedRead { backing, offset, length }
    }

    /// Five lengths in eight are 4 to 35, one is below 8, one what is left of the buffer, one any. Half of the prefixes
    /// are right, a quarter are none, one in eight is off by one or right, one at a number at which sums of 32 bits go
    /// wrong. Half of the elements are popped at once.
    #[told(pub(super) PUSH)]
    pub(super) fn push(&mut self, random: &mut Random) -> Op {
        let length = match random.below(8) {
            0 => u16::try_from(random.below(8)).unwrap_or(0),
            1 => u16::try_from(u64::from(self.setup.buffer_bytes).saturating_sub(self.expected.pointer)).unwrap_or(0),
            2 => self.length16(random),
            _ => 4 + u16::try_from(random.magnitude(5)).unwrap_or(0),
        };
        let prefix = match random.below(8) {
            0 | 1 => Prefix::None,
            2 => Prefix::Number(random.choose(&PREFIXES)),
            3 => Prefix::Number(u32::from(length).wrapping_sub(5).wrapping_add(random.below(3))),
            _ => Prefix::Right,
        };
        if random.one_in(2) {
            let pop = if random.one_in(3) { Op::Pop } else { Op::PopPrefixed };
            self.planned.push(pop);
        }
        let seed = u16::try_from(random.below(1024)).unwrap_or(0);
        Op::Push { seed, length, prefix }
    }
}
