//! Sets of four-level page tables as a hostile guest might write them, in a small guest memory: tables of any level
//! point at each other, leaves at code, at tables, and beyond memory.

use memtwin_core::random::Random;
use memtwin_models::page_walk::translate::{ADDRESS, Translation, is_canonical, shift, walk};

/// Pages that hold tables, from address 0.
const TABLE_PAGES: u32 = 16;
/// Pages behind them that begin with code.
const CODE_PAGES: u32 = 16;
/// Entries drawn for a table.
const ENTRIES: u32 = 10;
/// The indexes that entries are drawn at, so that paths cross.
const INDEXES: [u16; 8] = [0, 1, 2, 3, 255, 256, 510, 511];
/// Leaves beyond memory lie below this, which every processor of today can address.
const HIGHEST_BIT: u32 = 36;

/// A guest memory with tables.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// The memory from guest-physical address 0.
    pub(super) memory: Vec<u8>,
    /// The root's address.
    pub(super) root: u64,
}

impl Tables {
    /// Draws tables; code pages begin with `code`.
    pub(super) fn draw(random: &mut Random, code: &[u8]) -> Self {
        let mut tables = Tables { memory: vec![0; ((TABLE_PAGES + CODE_PAGES) << 12) as usize], root: 0 };
        tables.root = u64::from(random.below(TABLE_PAGES)) << 12;
        for page in TABLE_PAGES..TABLE_PAGES + CODE_PAGES {
            let start = (page << 12) as usize;
            tables.memory[start..start + code.len()].copy_from_slice(code);
        }
        for table in 0..TABLE_PAGES {
            for _ in 0..ENTRIES {
                let index = random.choose(&INDEXES);
                tables.set_entry(u64::from(table) << 12, index, draw_entry(random));
            }
        }
        tables
    }

    pub(super) fn set_entry(&mut self, table: u64, index: u16, entry: u64) {
        let at = usize::try_from(table).unwrap_or(usize::MAX).saturating_add(8 * usize::from(index));
        if let Some(place) = self.memory.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<8>()) {
            *place = entry.to_le_bytes();
        }
    }

    /// Whether a page begins with code.
    pub(super) fn is_code(address: u64) -> bool {
        let page = address >> 12;
        u64::from(TABLE_PAGES) <= page && page < u64::from(TABLE_PAGES + CODE_PAGES)
    }
}

/// Mostly present and permissive; now and then with bits that are reserved somewhere.
fn draw_entry(random: &mut Random) -> u64 {
    let address = match random.below(16) {
        0..=8 => u64::from(random.below(TABLE_PAGES)) << 12,
        9..=14 => u64::from(TABLE_PAGES + random.below(CODE_PAGES)) << 12,
        _ => random.bits() & ADDRESS & ((1 << HIGHEST_BIT) - 1),
    };
    let mut entry = address & !(0x3 << 34) | 0x1;
    let flags = [(0x2, 5), (0x4, 6), (0x20, 2), (0x40, 2), (0x200, 2), (0x400, 2), (0x800, 2), (1 << 52, 2)];
    for (bit, of) in flags {
        entry |= if random.below(8) < of { bit } else { 0 };
    }
    if random.one_in(8) {
        entry |= 1 << 63;
    }
    if random.one_in(8) {
        // A large page, mostly one that may be: no address bits below its size, but PAT.
        entry |= 0x80;
        if !random.one_in(4) {
            entry &= !(ADDRESS & 0x1f_e000);
        }
    }
    if random.one_in(12) {
        entry &= !1;
    }
    entry
}

/// What the model says of an address, and what the walk went through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modelled {
    pub(super) translation: Option<Translation>,
    /// An entry lay outside of memory.
    pub(super) leaves_memory: bool,
    /// A present entry of the third level had the page-size bit.
    pub(super) meets_gigabyte: bool,
    /// A present entry of the root had it.
    pub(super) meets_root_leaf: bool,
    /// A large leaf had reserved bits.
    pub(super) meets_reserved: bool,
    /// The entry of a 4 KiB page was not present, and not zero.
    pub(super) meets_absent_leaf: bool,
}

/// A way to ask a model about an address: memory, root, address.
pub(super) type Ask = fn(&[u8], u64, u64) -> Modelled;

/// Asks the model, noting what witnesses cannot judge.
pub(super) fn model(memory: &[u8], root: u64, address: u64) -> Modelled {
    let mut modelled = Modelled {
        translation: None,
        leaves_memory: false,
        meets_gigabyte: false,
        meets_root_leaf: false,
        meets_reserved: false,
        meets_absent_leaf: false,
    };
    let mut level = 4;
    let read = |at: u64| {
        level -= 1;
        let bytes = usize::try_from(at).ok().and_then(|at| memory.get(at..)?.first_chunk::<8>());
        let Some(bytes) = bytes else {
            modelled.leaves_memory = true;
            return 0;
        };
        let entry = u64::from_le_bytes(*bytes);
        let is_large = entry & 0x81 == 0x81;
        modelled.meets_absent_leaf |= level == 0 && entry & 1 == 0 && entry != 0;
        modelled.meets_root_leaf |= is_large && level == 3;
        modelled.meets_gigabyte |= is_large && level == 2;
        let below = ADDRESS & ((1 << shift(level)) - 1) & !0x1000;
        modelled.meets_reserved |= is_large && (level == 1 || level == 2) && entry & below != 0;
        entry
    };
    let translation = walk(read, root, address);
    Modelled { translation, ..modelled }
}

/// An address whose path mostly exists: indexes at which entries are drawn.
pub(super) fn draw_address(random: &mut Random) -> u64 {
    let mut address = 0;
    for level in 0..4 {
        address |= u64::from(random.choose(&INDEXES)) << shift(level);
    }
    // Code begins at the start of a page.
    address |= if random.one_in(4) { random.bits() & 0xffe } else { 0 };
    let extended = (address << 16).cast_signed() >> 16;
    if random.one_in(64) { address ^ 1 << (48 + random.below(16)) } else { extended.cast_unsigned() }
}

/// A model that is wrong on purpose: it forgets the rights of upper levels and keeps the PAT bit of large pages as
/// address.
#[cfg(test)]
pub(super) fn wrong_model(memory: &[u8], root: u64, address: u64) -> Modelled {
    let modelled = model(memory, root, address);
    let translation = modelled.translation.map(|page| Translation {
        gpa: if 4096 < page.page_bytes { page.gpa ^ 0x1000 } else { page.gpa },
        writable: true,
        ..page
    });
    Modelled { translation, ..modelled }
}

/// Whether the processor takes the address at all.
pub(super) fn is_address(address: u64) -> bool {
    is_canonical(address)
}
