//! Draws raw entries: where they lie, and what a hostile guest writes there. It draws no mapping.

use super::generate::{LEAF_FLAGS, PageWalkGenerator};
use crate::random::Random;
use memtwin_models::page_walk::translate::{LARGE, PRESENT, USER, WRITABLE, shift};
use memtwin_models::page_walk::{MappingKind, Op, PAGE_BYTES};
use memtwin_models::vocabulary::told;

impl PageWalkGenerator {
    /// Maps a page and makes it the user's: by entries of its tables with the user bit, but for one in some paths.
    pub(super) fn map_for_users(&mut self, random: &mut Random) -> Op {
        let virt = self.virtual_page(random);
        let phys = self.backed_page(random);
        let place = |table: usize, level| {
            self.setup.table_base + PAGE_BYTES * table as u64 + 8 * (virt >> shift(level) & 0x1ff)
        };
        // Where the tables will be: those that are there, then new ones.
        let mut next = self.expected.tables();
        let tables: [usize; 4] = std::array::from_fn(|index| {
            let level = 3 - u32::try_from(index).unwrap_or(0);
            if level == 3 {
                return 0;
            }
            self.expected.table_of(virt, level).unwrap_or_else(|| {
                next += 1;
                next - 1
            })
        });
        let without = random.below(8);
        let user = |level: u32| if level == without { 0 } else { USER };
        let leaf = phys & !0xfff | PRESENT | random.choose(&[0, WRITABLE]) | user(0);
        self.planned.push(Op::WriteEntry { address: place(tables[3], 0), value: leaf });
        for level in 1..4 {
            let upper = tables[3 - level as usize];
            let below = self.setup.table_base + PAGE_BYTES * tables[4 - level as usize] as u64;
            let value = below | PRESENT | WRITABLE | user(level);
            self.planned.push(Op::WriteEntry { address: place(upper, level), value });
        }
        Op::Map { phys, virt, length: PAGE_BYTES, kind: MappingKind::Basic { r: true, w: true, x: true } }
    }

    /// Five in eight are the first table with low bits set, one with bit 52 as well, one another table, one an edge.
    #[told(pub(super) ROOT)]
    pub(super) fn root(&self, random: &mut Random) -> u64 {
        let base = self.setup.table_base;
        match random.below(8) {
            0 => random.choose(&self.edges),
            1 => base + PAGE_BYTES * u64::from(random.below(8)),
            2 => base | 1 << 52 | random.magnitude(12),
            _ => base | random.magnitude(12),
        }
    }

    /// `address` is that of an entry on the way to a page of the clusters, half of the time to the one mapped last, of
    /// the lowest level three times in seven; one in 16 lies round the first table, the end of the tables or of the
    /// table buffer.
    #[told(pub(super) ENTRY_ADDRESS)]
    pub(super) fn entry_address(&self, random: &mut Random) -> (u64, u32) {
        let base = self.setup.table_base;
        let virt = if random.one_in(2) { self.last_virt } else { self.virtual_page(random) };
        let level = random.choose(&[0, 0, 0, 1, 1, 2, 3]);
        if random.one_in(16) {
            let edge = random.choose(&[base, base + PAGE_BYTES * self.expected.tables() as u64, self.edges[15]]);
            let address = edge.wrapping_add(random.magnitude(6)).wrapping_sub(8 * u64::from(random.below(3)));
            return (address, level);
        }
        let table = self.expected.table_of(virt, level).unwrap_or(random.below(4) as usize);
        let index = virt >> shift(level) & 0x1ff;
        (base + PAGE_BYTES * table as u64 + 8 * index, level)
    }

    /// `value` is 0 once in 16, any bits once, a page round an edge once; above the lowest level seven lead to a table,
    /// mostly one of the level below, and five are large leaves, half with a reserved bit; the others are leaves of
    /// backings. Six entries of a trace lead to tables at most: each doubles what a walk of everything costs, or worse.
    #[told(pub(super) ENTRY)]
    pub(super) fn entry(&mut self, level: u32, count: u32, random: &mut Random) -> u64 {
        let flags = random.choose(&LEAF_FLAGS) | PRESENT | if self.draws_later && random.one_in(2) { USER } else { 0 };
        let tables = self.expected.tables() as u64;
        match random.below(16) {
            0 => 0,
            1 => random.bits(),
            // A table, mostly of the level below, now and then any, itself too.
            2..=8 if level != 0 && count <= self.links_left => {
                self.links_left -= count;
                let below = self.expected.table_of(self.last_virt, level - 1).map(|index| index as u64);
                let index = match below {
                    Some(index) if !random.one_in(8) => index,
                    _ => u64::from(random.below(u32::try_from(tables).unwrap_or(1) + 1)),
                };
                (self.setup.table_base + index * PAGE_BYTES) | (flags & !LARGE)
            }
            // A large leaf, as it should be or with a reserved bit.
            9..=13 if level != 0 => {
                let page_bytes = 1_u64 << shift(level);
                let reserved = match random.below(4) {
                    0 => 1_u64 << (12 + random.below(9 * level)),
                    1 => 1 << 12,
                    _ => 0,
                };
                self.backed_page(random) & !(page_bytes - 1) | reserved | flags | LARGE
            }
            14 => random.choose(&self.edges) & 0x000f_ffff_ffff_f000 | flags,
            _ => self.backed_page(random) & !0xfff | flags,
        }
    }
}
