//! The model's table buffer: an array of entries, maps page by page, and the enumeration of the pages of a range.
//! Judges nothing.

use super::super::translate::{
    ACCESSED, ADDRESS, COPY_ON_WRITE, DIRTY, LARGE, NO_EXECUTE, PRESENT, Role, USER, WRITABLE, role, shift,
};
use super::super::{
    Access, MAX_MAPPED_PAGES, MAX_TABLES, MappingKind, PAGE_BYTES, PHYSICAL_END, PageWalkContract, Refusal, Setup,
    Span, WorkBounds,
};

const ENTRIES: usize = 512;
/// What the entry of a table holds besides its address.
const TABLE_FLAGS: u64 = PRESENT | WRITABLE | ACCESSED;
/// The bits that the processor leaves to software in every entry: 10 and 11, 52 to 58.
const SOFTWARE: u64 = 3 << 10 | 0x7f << 52;
/// The bits of a page's entry that no text fixes where a mapping wrote it.
const OPEN_IN_LEAF: u64 = ACCESSED | DIRTY | SOFTWARE;
/// The same of a table's entry. What its user bit allows a leaf without one takes back, and its bit 9 says nothing.
const OPEN_IN_TABLE: u64 = OPEN_IN_LEAF | USER | COPY_ON_WRITE;
/// The same of the entry of a page that was taken away.
const OPEN_IN_ABSENT: u64 = !PRESENT;
/// The number of virtual addresses that a walk distinguishes.
const VIRTUAL_END: u64 = 1 << 48;

/// The first and the last address of a range that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Range {
    /// All canonical addresses. It is never empty, and the hole in its middle has no pages.
    pub(super) const ALL: Range = Range { first: 0, last: u64::MAX };

    /// The range, if it is canonical; its length is not 0.
    pub(super) fn new(address: u64, length: u64) -> Result<Range, Refusal> {
        let last = address.checked_add(length - 1).ok_or(Refusal::BadRange)?;
        let is_half = |half: u64| address >> 47 == half && last >> 47 == half;
        if is_half(0) || is_half(0x1_ffff) { Ok(Range { first: address, last }) } else { Err(Refusal::BadRange) }
    }
}

/// The table buffer.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    base: u64,
    pub(super) root: u64,
    entries: Vec<u64>,
    /// The bits of each entry that the subject may have otherwise.
    open: Vec<u64>,
    work_bounds: WorkBounds,
    contract: PageWalkContract,
    /// Whether the tables that mappings make carry the user bit, once that was seen.
    users: Option<bool>,
}

/// A table that was made on the way to a page: which entry leads to it, and what that was before.
#[derive(Debug, Clone, Copy)]
struct Made {
    address: u64,
    before: u64,
    open: u64,
}

#[allow(clippy::cast_possible_truncation)] // an index of a table, below 512
fn at(index: u64) -> usize {
    index as usize
}

/// The budget of a walk.
struct Work {
    visits: u64,
    leaves: u64,
}

/// What is being looked for.
struct Search {
    /// The first and the last page, of those below [`VIRTUAL_END`].
    first: u64,
    last: u64,
    work: Work,
}

impl Tables {
    pub(super) fn new(setup: &Setup, contract: &PageWalkContract) -> Self {
        let mut entries = Vec::with_capacity(MAX_TABLES * ENTRIES);
        entries.resize(ENTRIES, 0);
        let mut open = Vec::with_capacity(MAX_TABLES * ENTRIES);
        open.resize(ENTRIES, 0);
        let (base, root, work_bounds) = (setup.table_base, setup.table_base, setup.work_bounds);
        Tables { base, root, entries, open, work_bounds, contract: *contract, users: None }
    }

    pub(super) fn reset(&mut self, setup: &Setup) {
        for words in [&mut self.entries, &mut self.open] {
            words.clear();
            words.resize(ENTRIES, 0);
        }
        self.users = None;
        (self.base, self.root, self.work_bounds) = (setup.table_base, setup.table_base, setup.work_bounds);
    }

    pub(super) fn entries(&self) -> &[u64] {
        &self.entries
    }

    /// The bits of each entry that the subject may have otherwise.
    pub(super) fn open(&self) -> &[u64] {
        &self.open
    }

    pub(super) fn base(&self) -> u64 {
        self.base
    }

    fn index(&self, address: u64) -> Option<usize> {
        let offset = address.checked_sub(self.base).filter(|offset| offset.is_multiple_of(8))?;
        usize::try_from(offset / 8).ok().filter(|index| *index < self.entries.len())
    }

    pub(super) fn read(&self, address: u64) -> u64 {
        self.index(address).map_or(0, |index| self.entries[index])
    }

    pub(super) fn write(&mut self, address: u64, value: u64) {
        self.write_open(address, value, 0);
    }

    fn write_open(&mut self, address: u64, value: u64, open: u64) {
        if let Some(index) = self.index(address) {
            (self.entries[index], self.open[index]) = (value, open);
        }
    }

    /// Takes over the bits that nothing fixes from what an entry was seen to be.
    pub(super) fn follow(&mut self, address: u64, seen: u64) {
        if let Some(index) = self.index(address).filter(|index| self.is_right(*index, seen)) {
            if self.open[index] & (USER | PRESENT) == USER && seen & PRESENT != 0 {
                self.users = Some(seen & USER != 0);
            }
            (self.entries[index], self.open[index]) = (seen, 0);
        }
    }

    /// An entry with the user bit, if those like it have it.
    pub(super) fn expected(&self, address: u64) -> u64 {
        let Some(index) = self.index(address) else { return 0 };
        let (entry, open) = (self.entries[index], self.open[index]);
        let has_users = open & USER != 0 && entry & PRESENT != 0 && self.users == Some(true);
        if has_users { entry | USER } else { entry }
    }

    /// Whether an entry may be what was seen.
    pub(super) fn is_right(&self, index: usize, seen: u64) -> bool {
        let (Some(want), Some(open)) = (self.entries.get(index), self.open.get(index)) else { return false };
        let is_of_table = open & (USER | PRESENT) == USER && want & PRESENT != 0;
        let is_other_kind = is_of_table && self.users.is_some_and(|users| users != (seen & USER != 0));
        (want ^ seen) & !open == 0 && !is_other_kind
    }

    /// Takes it that the tables that mappings make carry the user bit, if nothing said whether they do.
    pub(super) fn decide_users(&mut self) -> bool {
        let is_open = self.users.is_none();
        self.users.get_or_insert(true);
        is_open
    }

    /// Takes that back.
    pub(super) fn forget_users(&mut self) {
        self.users = None;
    }

    /// The number of tables.
    pub(super) fn count(&self) -> u64 {
        (self.entries.len() / ENTRIES) as u64
    }

    /// Appends a table.
    pub(super) fn alloc(&mut self) -> Option<u64> {
        if self.entries.len() == MAX_TABLES * ENTRIES && !self.contract.own_entries {
            return None;
        }
        let address = self.base + 8 * self.entries.len() as u64;
        self.entries.resize(self.entries.len() + ENTRIES, 0);
        self.open.resize(self.entries.len(), 0);
        Some(address)
    }

    /// Maps page by page; what was mapped before an error stays. Of the tables on the way to a page that finds no room
    /// so many are kept that there are `shown`, or all.
    pub(super) fn map(
        &mut self,
        (phys, virt, length): (u64, u64, u64),
        kind: MappingKind,
        shown: Option<u64>,
    ) -> Result<(), Refusal> {
        if length == 0 {
            return Ok(());
        }
        let is_aligned = [phys, virt, length].iter().all(|number| number.is_multiple_of(PAGE_BYTES));
        let is_physical = phys.checked_add(length).is_some_and(|end| end <= PHYSICAL_END);
        if !is_aligned || !is_physical {
            return Err(Refusal::BadRange);
        }
        Range::new(virt, length)?;
        if MAX_MAPPED_PAGES < length / PAGE_BYTES {
            return Err(Refusal::TooMuchWork);
        }
        for offset in (0..length).step_by(4096) {
            let leaf = leaf(phys + offset, kind);
            let mut made = [None; 3];
            let mapped = self.map_page(virt + offset, leaf, &mut made);
            if mapped.is_err() {
                self.unmake(&made, shown);
            }
            mapped?;
        }
        Ok(())
    }

    /// Takes tables back that a mapping made, the last one first.
    fn unmake(&mut self, made: &[Option<Made>], shown: Option<u64>) {
        for made in made.iter().rev().flatten() {
            if shown.is_some_and(|shown| shown < self.count()) {
                self.write_open(made.address, made.before, made.open);
                self.entries.truncate(self.entries.len() - ENTRIES);
                self.open.truncate(self.entries.len());
            }
        }
    }

    fn map_page(&mut self, virt: u64, leaf: u64, made: &mut [Option<Made>; 3]) -> Result<(), Refusal> {
        let mut table = self.root & ADDRESS;
        for level in (1..4).rev() {
            let address = table + 8 * (virt >> shift(level) & 0x1ff);
            let Some(index) = self.index(address) else { return Err(Refusal::Corrupt) };
            let entry = self.entries[index];
            if entry & PRESENT == 0 {
                if leaf == 0 && !self.contract.unmap_makes_tables {
                    return Ok(());
                }
                table = self.alloc().ok_or(Refusal::NoRoom)?;
                made[3 - at(level.into())] = Some(Made { address, before: entry, open: self.open[index] });
                self.write_open(address, table | TABLE_FLAGS, OPEN_IN_TABLE);
            } else if entry & LARGE != 0 {
                return Err(Refusal::Corrupt);
            } else {
                table = entry & ADDRESS;
            }
        }
        let address = table + 8 * (virt >> shift(0) & 0x1ff);
        if self.index(address).is_none() {
            return Err(Refusal::Corrupt);
        }
        self.write_open(address, leaf, if leaf == 0 { OPEN_IN_ABSENT } else { OPEN_IN_LEAF });
        Ok(())
    }

    /// Shows the leaves that meet a range, in ascending order, cut to the pages of the range. Cuts nothing shorter.
    pub(super) fn leaves(&self, range: Range, show: &mut impl FnMut(Span)) -> Result<(), Refusal> {
        let page = |address: u64| (address & (VIRTUAL_END - 1)) >> 12;
        let work = Work { visits: 0, leaves: 0 };
        let mut search = Search { first: page(range.first), last: page(range.last), work };
        let access = Access { writable: true, executable: true, copy_on_write: false, user: true };
        self.descend(self.root & ADDRESS, 3, 0, access, &mut search, show)
    }

    /// One table, whose first page is `base`.
    fn descend(
        &self,
        table: u64,
        level: u32,
        base: u64,
        upper: Access,
        search: &mut Search,
        show: &mut impl FnMut(Span),
    ) -> Result<(), Refusal> {
        search.work.visits += 1;
        if self.work_bounds.table_visits() < search.work.visits {
            return Err(Refusal::TooMuchWork);
        }
        // A table lies in the buffer as a whole or not at all, and outside every entry is 0.
        let Some(start) = self.index(table) else { return Ok(()) };
        let pages = 1_u64 << (9 * level);
        let from = search.first.saturating_sub(base) / pages;
        let to = ((search.last - base) / pages).min(ENTRIES as u64 - 1);
        // What mappings made and nobody has seen is as its like are.
        let of_users = if self.users == Some(true) { USER } else { 0 };
        let entries = self.entries[start..start + ENTRIES].iter().zip(&self.open[start..]);
        for (index, (&entry, &open)) in (0..).zip(entries).take(at(to) + 1).skip(at(from)) {
            if entry & PRESENT == 0 {
                continue;
            }
            let first = base + index * pages;
            let last = first + pages - 1;
            let access = Access {
                writable: (upper.writable || self.contract.leaf_access_only) && entry & WRITABLE != 0,
                executable: (upper.executable || self.contract.leaf_access_only) && entry & NO_EXECUTE == 0,
                copy_on_write: entry & COPY_ON_WRITE != 0 && entry & WRITABLE == 0,
                user: (upper.user || self.contract.leaf_access_only) && (entry | open & of_users) & USER != 0,
            };
            match role(entry, level) {
                Role::Nothing => {}
                Role::Table(below) => self.descend(below, level - 1, first, access, search, show)?,
                Role::Leaf(phys) => {
                    search.work.leaves += 1;
                    if self.work_bounds.leaves() < search.work.leaves {
                        return Err(Refusal::TooMuchWork);
                    }
                    let from = first.max(search.first);
                    let to = last.min(search.last);
                    // Sign-extended from bit 47.
                    let start = ((from << 28).cast_signed() >> 16).cast_unsigned();
                    let phys = phys + (from - first) * PAGE_BYTES;
                    show(Span { start, phys, bytes: (to - from + 1) * PAGE_BYTES, access });
                }
            }
        }
        Ok(())
    }

    /// Whether a table can be reached from itself.
    pub(super) fn has_cycle(&self) -> bool {
        let table_of = |address: u64| self.index(address).map(|index| index / ENTRIES);
        let below = |table: usize| {
            let entries = &self.entries[table * ENTRIES..(table + 1) * ENTRIES];
            entries.iter().filter(|entry| *entry & PRESENT != 0).filter_map(move |entry| table_of(entry & ADDRESS))
        };
        (0..self.entries.len() / ENTRIES).any(|start| {
            let mut reached = vec![false; self.entries.len() / ENTRIES];
            let mut open: Vec<usize> = below(start).collect();
            while let Some(table) = open.pop() {
                if !reached[table] {
                    reached[table] = true;
                    open.extend(below(table));
                }
            }
            reached[start]
        })
    }
}

/// The entry of a page.
fn leaf(phys: u64, kind: MappingKind) -> u64 {
    let plain = phys | PRESENT | ACCESSED | DIRTY;
    let executable = |x: bool| if x { 0 } else { NO_EXECUTE };
    match kind {
        MappingKind::Unmapped => 0,
        MappingKind::Basic { r: _, w, x } => plain | if w { WRITABLE } else { 0 } | executable(x),
        MappingKind::Cow { r: _, x } => plain | COPY_ON_WRITE | executable(x),
    }
}
