//! The walk of one address, as the processor does it (Intel SDM volume 3, 4.5 "4-level paging"). Pure: it knows a way
//! to read entries and nothing else, so that other judges can be compared with it.

/// Present.
pub const PRESENT: u64 = 1;
/// Writable.
pub const WRITABLE: u64 = 1 << 1;
/// User.
pub const USER: u64 = 1 << 2;
/// Accessed.
pub const ACCESSED: u64 = 1 << 5;
/// Dirty.
pub const DIRTY: u64 = 1 << 6;
/// Page size: a large leaf, at the levels that can have one.
pub const LARGE: u64 = 1 << 7;
/// The bit that software uses for copy-on-write.
pub const COPY_ON_WRITE: u64 = 1 << 9;
/// Not executable.
pub const NO_EXECUTE: u64 = 1 << 63;
/// The address in an entry.
pub const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Translation {
    /// The guest-physical address.
    pub gpa: u64,
    /// RW at every level.
    pub writable: bool,
    /// NX at no level.
    pub executable: bool,
    /// US at every level.
    pub user: bool,
    /// Bit 9 of the leaf, and not its RW.
    pub copy_on_write: bool,
    /// The size of the page.
    pub page_bytes: u64,
}

/// Whether bits 63 to 47 are all alike.
#[must_use]
pub const fn is_canonical(address: u64) -> bool {
    let top = address >> 47;
    top == 0 || top == 0x1_ffff
}

/// How many address bits lie below an index of this level; 3 is the root's.
#[must_use]
pub const fn shift(level: u32) -> u32 {
    12 + 9 * level
}

/// What an entry is at a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Not present, or with reserved bits set: no page is here.
    Nothing,
    /// Leads to a table of the level below.
    Table(u64),
    /// Leads to a page.
    Leaf(u64),
}

/// What an entry is at a level: 3 is the root's, 0 has pages of 4 KiB.
#[inline]
#[must_use]
pub const fn role(entry: u64, level: u32) -> Role {
    if entry & PRESENT == 0 {
        return Role::Nothing;
    }
    if level == 0 {
        return Role::Leaf(entry & ADDRESS);
    }
    if entry & LARGE == 0 {
        return Role::Table(entry & ADDRESS);
    }
    // The PS bit is reserved in the root. In a large leaf bit 12 is PAT, and the address bits above it are reserved.
    let below = (1 << shift(level)) - 1;
    let reserved = ADDRESS & below & !(1 << 12);
    if level == 3 || entry & reserved != 0 { Role::Nothing } else { Role::Leaf(entry & ADDRESS & !below) }
}

/// Walks from `root`, whose low 12 bits mean nothing here, to the page of `gva`; `None` where none is mapped.
pub fn walk(mut read_entry: impl FnMut(u64) -> u64, root: u64, gva: u64) -> Option<Translation> {
    if !is_canonical(gva) {
        return None;
    }
    let mut table = root & ADDRESS;
    let (mut writable, mut executable, mut user) = (true, true, true);
    for level in (0..4).rev() {
        let entry = read_entry(table + 8 * (gva >> shift(level) & 0x1ff));
        writable &= entry & WRITABLE != 0;
        executable &= entry & NO_EXECUTE == 0;
        user &= entry & USER != 0;
        match role(entry, level) {
            Role::Nothing => return None,
            Role::Table(below) => table = below,
            Role::Leaf(page) => {
                let page_bytes = 1 << shift(level);
                let copy_on_write = entry & COPY_ON_WRITE != 0 && entry & WRITABLE == 0;
                let gpa = page | gva & (page_bytes - 1);
                return Some(Translation { gpa, writable, executable, user, copy_on_write, page_bytes });
            }
        }
    }
    None
}
