//! The processor's memory management: the walk over two levels of tables (CR0.WP = 1, CR4.PSE = 0, CR4.PGE = 0) and a
//! translation look-aside buffer. Intel SDM volume 3, sections 4.3, 4.6, 4.7 and 4.10.
//!
//! Pure: tables are read through a function of the caller's. It is the hardware of the simulated machine, the measure
//! of audits, and what witnesses are compared with. It refuses to know what kernels mean by their tables.

use super::operands::Mode;
use super::setup::MAX_FRAMES;
use crate::vocabulary::DescribedHere;

crate::numbers! {
    /// The entry is in use.
    pub const PRESENT: u32 = 1 << 0;
    /// Stores are allowed.
    pub const WRITABLE: u32 = 1 << 1;
    /// User mode is allowed.
    pub const USER: u32 = 1 << 2;
    /// The write-through and cache-disable bits.
    pub const CACHE: u32 = 0b11 << 3;
    /// The processor used the entry.
    pub const ACCESSED: u32 = 1 << 5;
    /// The processor stored through the entry.
    pub const DIRTY: u32 = 1 << 6;
    /// The bit of the entry, free for software, that marks copy-on-write.
    pub const COPY_ON_WRITE: u32 = 1 << 9;
    /// The other bits of an entry that the processor leaves to the kernel, which may use them as it likes.
    pub const SOFTWARE: u32 = 0b11 << 10;
    /// The bits of an entry that no law names: what the processor sets, and what is the kernel's own.
    pub const OPEN: u32 = ACCESSED | DIRTY | SOFTWARE;
    /// The bits of an entry below the frame's number.
    pub const FLAGS: u32 = 0xfff;
}

/// What an access does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It reads.
    Load,
    /// It writes.
    Store,
}

/// A page fault as the processor reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct PageFault {
    /// CR2.
    pub address: u32,
    /// The error code. Without [`PageFault::PROTECTION`] the page is absent.
    pub code: u32,
}

/// A translation, as the look-aside buffer keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, DescribedHere)]
pub struct Translation {
    /// The frame's number.
    pub frame: u32,
    /// [`WRITABLE`] and [`USER`] where both levels have them, [`DIRTY`] as the table's entry had it or got it.
    pub rights: u32,
}

impl PageFault {
    /// The bit of the error code for a page that is present, but not for this access.
    pub const PROTECTION: u32 = 1 << 0;
    /// The bit of the error code for a store.
    pub const STORE: u32 = 1 << 1;
    /// The bit of the error code for user mode.
    pub const USER: u32 = 1 << 2;

    /// The fault of this access.
    #[inline]
    #[must_use]
    pub const fn of(address: u32, is_present: bool, mode: Mode, access: Access) -> Self {
        let store = match access {
            Access::Load => 0,
            Access::Store => Self::STORE,
        };
        let user = match mode {
            Mode::Kernel => 0,
            Mode::User => Self::USER,
        };
        let protection = if is_present { Self::PROTECTION } else { 0 };
        PageFault { address, code: protection | store | user }
    }
}

impl Translation {
    /// Whether the access is allowed. With CR0.WP set, kernel mode may not store to a read-only page either.
    #[inline]
    #[must_use]
    pub const fn allows(self, mode: Mode, access: Access) -> bool {
        let needed = match (mode, access) {
            (Mode::User, Access::Load) => USER,
            (Mode::User, Access::Store) => USER | WRITABLE,
            (Mode::Kernel, Access::Load) => 0,
            (Mode::Kernel, Access::Store) => WRITABLE,
        };
        self.rights & needed == needed
    }
}

/// A walk that found a page: the translation, and the entries to be marked accessed and dirty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walked {
    /// The translation.
    pub translation: Translation,
    /// The frame of the table.
    pub table: u32,
    /// The directory's entry.
    pub directory_entry: u32,
    /// The table's entry.
    pub table_entry: u32,
}

/// Walks from the directory in the frame `cr3`. `read(frame, index)` reads an entry.
pub fn walk(
    cr3: u32,
    address: u32,
    mode: Mode,
    access: Access,
    read: &impl Fn(u32, u32) -> u32,
) -> Result<Walked, PageFault> {
    let absent = PageFault::of(address, false, mode, access);
    let directory_entry = read(cr3, address >> 22);
    if directory_entry & PRESENT == 0 {
        return Err(absent);
    }
    let table = directory_entry >> 12;
    let table_entry = read(table, (address >> 12) & 1023);
    if table_entry & PRESENT == 0 {
        return Err(absent);
    }
    let both = directory_entry & table_entry & (WRITABLE | USER);
    let mut translation = Translation { frame: table_entry >> 12, rights: both | table_entry & DIRTY };
    if !translation.allows(mode, access) {
        return Err(PageFault::of(address, true, mode, access));
    }
    if access == Access::Store {
        translation.rights |= DIRTY;
    }
    Ok(Walked { translation, table, directory_entry, table_entry })
}

/// What the look-aside buffer says of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// The tables are not asked.
    Hit(Translation),
    /// The tables are asked. A store through an entry that is not marked dirty asks them as well, in order to mark it.
    Miss,
    /// The entry that is kept forbids it: a page fault, which also removes the entry.
    Denied,
}

/// A translation look-aside buffer without a limit, positive entries only. An entry goes by `invlpg`, by a load of CR3,
/// or by a page fault on it.
#[derive(Debug, Clone)]
pub struct Tlb {
    /// Open addressing; its length is a power of two.
    buckets: Vec<Bucket>,
    /// Buckets with another stamp are empty, so that a flush is one addition.
    stamp: u32,
    taken: usize,
    /// How many entries lead to frames of these numbers, modulo [`FRAME_GROUPS`], with the stamp of the count.
    leading: Box<[(u32, u32)]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    stamp: u32,
    page: u32,
    /// Removed entries keep their bucket until the next flush.
    translation: Option<Translation>,
}

const FIRST_BUCKETS: usize = 512;
/// As many as a machine has frames: of those that are neighbours no two share a count.
const FRAME_GROUPS: usize = MAX_FRAMES as usize;

impl Default for Tlb {
    fn default() -> Self {
        let leading = vec![(0, 0); FRAME_GROUPS].into();
        Tlb { buckets: vec![Bucket::default(); FIRST_BUCKETS], stamp: 1, taken: 0, leading }
    }
}

impl Tlb {
    /// A load of CR3.
    #[inline]
    pub fn flush(&mut self) {
        self.taken = 0;
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.buckets.fill(Bucket::default());
            self.leading.fill((0, 0));
            self.stamp = 1;
        }
    }

    /// The bucket of a page, or the empty bucket where it would be.
    #[inline]
    fn bucket_of(&self, page: u32) -> usize {
        let mask = self.buckets.len() - 1;
        let mut index = (page ^ page >> 10) as usize & mask;
        while self.buckets[index].stamp == self.stamp && self.buckets[index].page != page {
            index = (index + 1) & mask;
        }
        index
    }

    /// Asks for an access to `address`.
    #[inline]
    #[must_use]
    pub fn look(&self, address: u32, mode: Mode, access: Access) -> Looked {
        let bucket = self.buckets[self.bucket_of(address >> 12)];
        let Some(translation) = bucket.translation.filter(|_| bucket.stamp == self.stamp) else { return Looked::Miss };
        if !translation.allows(mode, access) {
            return Looked::Denied;
        }
        if access == Access::Store && translation.rights & DIRTY == 0 {
            return Looked::Miss;
        }
        Looked::Hit(translation)
    }

    /// Keeps a translation.
    pub fn keep(&mut self, address: u32, translation: Translation) {
        if self.buckets.len() / 2 < self.taken {
            self.grow();
        }
        let index = self.bucket_of(address >> 12);
        self.forget(index);
        self.taken += usize::from(self.buckets[index].stamp != self.stamp);
        *self.count_of(translation.frame) += 1;
        self.buckets[index] = Bucket { stamp: self.stamp, page: address >> 12, translation: Some(translation) };
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.buckets);
        self.buckets = vec![Bucket::default(); 2 * old.len()];
        self.taken = 0;
        for bucket in old.into_iter().filter(|bucket| bucket.stamp == self.stamp) {
            let index = self.bucket_of(bucket.page);
            self.buckets[index] = bucket;
            self.taken += 1;
        }
    }

    /// `invlpg`.
    #[inline]
    pub fn invalidate(&mut self, address: u32) {
        let index = self.bucket_of(address >> 12);
        self.forget(index);
    }

    /// Removes the entry in a bucket, if there is one.
    #[inline]
    fn forget(&mut self, index: usize) {
        if self.buckets[index].stamp == self.stamp
            && let Some(translation) = self.buckets[index].translation.take()
        {
            *self.count_of(translation.frame) -= 1;
        }
    }

    /// The number of entries that lead to the frame, or to another one of its group.
    #[inline]
    fn count_of(&mut self, frame: u32) -> &mut u32 {
        let (stamp, count) = &mut self.leading[frame as usize % FRAME_GROUPS];
        if *stamp != self.stamp {
            (*stamp, *count) = (self.stamp, 0);
        }
        count
    }

    /// Whether an entry may lead to the frame. `false` is certain; else [`Tlb::entries`] says.
    #[inline]
    #[must_use]
    pub fn may_lead_to(&self, frame: u32) -> bool {
        let (stamp, count) = self.leading[frame as usize % FRAME_GROUPS];
        stamp == self.stamp && count != 0
    }

    /// The entries, as (page's address, translation).
    pub fn entries(&self) -> impl Iterator<Item = (u32, Translation)> + '_ {
        let live = self.buckets.iter().filter(|bucket| bucket.stamp == self.stamp);
        live.filter_map(|bucket| Some((bucket.page << 12, bucket.translation?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory in frame 0 and a table in frame 1.
    fn tables(directory_flags: u32, table_flags: u32) -> impl Fn(u32, u32) -> u32 {
        move |frame, index| match (frame, index) {
            (0, 1) => 0x1000 | directory_flags,
            (1, 2) => 0x7000 | table_flags,
            _ => 0,
        }
    }

    const ADDRESS: u32 = (1 << 22) | (2 << 12) | 0x123;

    #[test]
    fn rights_are_those_of_both_levels() {
        for directory in 0..8 {
            for table in 0..8 {
                for (mode, access) in [
                    (Mode::User, Access::Load),
                    (Mode::User, Access::Store),
                    (Mode::Kernel, Access::Load),
                    (Mode::Kernel, Access::Store),
                ] {
                    let walked = walk(0, ADDRESS, mode, access, &tables(directory, table));
                    let both = directory & table;
                    let is_present = both & PRESENT != 0;
                    let mode_fits = mode == Mode::Kernel || both & USER != 0;
                    let access_fits = access == Access::Load || both & WRITABLE != 0;
                    match walked {
                        Ok(walked) => {
                            assert!(is_present && mode_fits && access_fits);
                            assert_eq!(walked.translation.frame, 7);
                        }
                        Err(fault) => {
                            assert!(!(is_present && mode_fits && access_fits));
                            let user = if mode == Mode::User { 4 } else { 0 };
                            let store = if access == Access::Store { 2 } else { 0 };
                            let code = u32::from(is_present) + store + user;
                            assert_eq!(fault, PageFault { address: ADDRESS, code });
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn entries_stay_until_they_are_told_to_go() {
        let mut tlb = Tlb::default();
        let translation = Translation { frame: 7, rights: USER | WRITABLE | DIRTY };
        for page in 0..3000_u32 {
            tlb.keep(page << 12, Translation { frame: page, ..translation });
        }
        assert_eq!(tlb.entries().count(), 3000);
        assert_eq!(tlb.look(5 << 12, Mode::User, Access::Store), Looked::Hit(Translation { frame: 5, ..translation }));
        assert!(tlb.may_lead_to(5));
        tlb.invalidate(5 << 12);
        assert_eq!(tlb.look(5 << 12, Mode::User, Access::Store), Looked::Miss);
        assert_eq!(tlb.entries().count(), 2999);
        tlb.flush();
        assert_eq!(tlb.entries().count(), 0);
        assert!(!tlb.may_lead_to(6), "nothing is left of a flush");
        tlb.keep(0x1000, Translation { frame: 1, rights: USER | WRITABLE });
        assert_eq!(tlb.look(0x1000, Mode::User, Access::Store), Looked::Miss, "the dirty bit is to be set");
        tlb.keep(0x1000, Translation { frame: 1, rights: USER });
        assert!(tlb.may_lead_to(1) && !tlb.may_lead_to(2), "one entry was replaced");
        assert_eq!(tlb.look(0x1000, Mode::Kernel, Access::Store), Looked::Denied, "CR0.WP is set");
    }
}
