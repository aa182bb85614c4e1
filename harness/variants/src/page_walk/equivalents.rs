//! Page walks that are right in another way than the hardened code.
//!
//! Does not claim freedoms: what these do the strict contract leaves open.

use memtwin_models::page_walk::translate::{
    ACCESSED, ADDRESS, COPY_ON_WRITE, DIRTY, LARGE, PRESENT, USER, is_canonical,
};
use memtwin_models::page_walk::{MAX_TABLES, MappingKind, PageWalk, Refusal};
use memtwin_models::{Health, Row};
use memtwin_subjects::page_walk::deviation::Deviation;
use memtwin_subjects::page_walk::hardened::Sound;
use memtwin_subjects::page_walk::sandbox::Sandbox;
use memtwin_subjects::page_walk::subject::Host;
use memtwin_subjects::page_walk::tables::{TableBuffer, entry_address};
use memtwin_subjects::page_walk::walker::{PageRange, TableReader as _};

/// All of them.
pub(crate) static ROWS: &[Row<PageWalk>] = &[
    Row::of::<Host<BoundsBySubtraction>>(),
    Row::of::<Host<RangeByItsLastAddress>>(),
    Row::of::<Host<RoomBeforeTables>>(),
    Row::of::<Host<NeverAccessed>>(),
    Row::of::<Host<NotYetDirty>>(),
    Row::of::<Host<BitsForSoftware>>(),
    Row::of::<Host<TablesForUsers>>(),
    Row::of::<Host<AbsentKeepsTheRest>>(),
    Row::of::<Host<AbsentIsMarked>>(),
    Row::of::<Host<PopWipesNothing>>(),
    Row::of::<Host<PopKeepsBackPointer>>(),
    Row::of::<Host<PointerBeforeWipe>>(),
];

/// Bounds of host accesses are looked up by what is left behind the offset.
#[derive(Debug)]
pub(crate) struct BoundsBySubtraction;

impl Deviation for BoundsBySubtraction {
    const NAME: &'static str = "bounds_by_subtraction";
    const HEALTH: Health = Health::Sound;

    fn fits(offset: u64, length: u64, size: u64) -> bool {
        size.checked_sub(offset).is_some_and(|left| length <= left)
    }
}

/// A range is canonical if its first and last address are, and no hole has room between them.
#[derive(Debug)]
pub(crate) struct RangeByItsLastAddress;

impl Deviation for RangeByItsLastAddress {
    const NAME: &'static str = "range_by_its_last_address";
    const HEALTH: Health = Health::Sound;

    fn range(address: u64, length: u64) -> Result<PageRange, Refusal> {
        let last = u128::from(address) + u128::from(length) - 1;
        match u64::try_from(last) {
            Ok(last) if is_canonical(address) && is_canonical(last) && length <= 1 << 47 => {
                Ok(PageRange::new(address, last))
            }
            Ok(_) | Err(_) => Err(Refusal::BadRange),
        }
    }
}

/// Before a page's first table is made there is room for all that it needs.
#[derive(Debug)]
pub(crate) struct RoomBeforeTables;

impl Deviation for RoomBeforeTables {
    const NAME: &'static str = "room_before_tables";
    const HEALTH: Health = Health::Sound;

    fn map_page(tables: &mut TableBuffer<Self>, virt: u64, leaf: Option<u64>) -> Result<(), Refusal> {
        let mut table = tables.root & ADDRESS;
        for level in (1..4).rev() {
            let entry = tables.read_entry(entry_address(table, virt, level));
            if entry & PRESENT == 0 {
                let needed = if leaf.is_some() { level as usize } else { 0 };
                if MAX_TABLES - tables.count() < needed {
                    return Err(Refusal::NoRoom);
                }
                break;
            }
            if entry & LARGE != 0 {
                break;
            }
            table = entry & ADDRESS;
        }
        tables.map_page(virt, leaf)
    }
}

/// Entries are neither accessed nor dirty until the processor says so.
#[derive(Debug)]
pub(crate) struct NeverAccessed;

impl Deviation for NeverAccessed {
    const NAME: &'static str = "never_accessed";
    const HEALTH: Health = Health::Sound;

    fn leaf_entry(phys: u64, kind: MappingKind) -> Option<u64> {
        Some(Sound::leaf_entry(phys, kind)? & !(ACCESSED | DIRTY))
    }

    fn table_entry(table: u64) -> u64 {
        Sound::table_entry(table) & !ACCESSED
    }
}

/// Pages are accessed, and not dirty; tables are both.
#[derive(Debug)]
pub(crate) struct NotYetDirty;

impl Deviation for NotYetDirty {
    const NAME: &'static str = "not_yet_dirty";
    const HEALTH: Health = Health::Sound;

    fn leaf_entry(phys: u64, kind: MappingKind) -> Option<u64> {
        Some(Sound::leaf_entry(phys, kind)? & !DIRTY)
    }

    fn table_entry(table: u64) -> u64 {
        Sound::table_entry(table) | DIRTY
    }
}

/// The bits that the processor leaves to software say who made an entry.
#[derive(Debug)]
pub(crate) struct BitsForSoftware;

impl Deviation for BitsForSoftware {
    const NAME: &'static str = "bits_for_software";
    const HEALTH: Health = Health::Sound;

    fn leaf_entry(phys: u64, kind: MappingKind) -> Option<u64> {
        Some(Sound::leaf_entry(phys, kind)? | 1 << 10 | 1 << 52)
    }

    fn table_entry(table: u64) -> u64 {
        Sound::table_entry(table) | COPY_ON_WRITE | 1 << 11 | 1 << 58
    }
}

/// Tables carry the user bit, so that pages alone decide.
#[derive(Debug)]
pub(crate) struct TablesForUsers;

impl Deviation for TablesForUsers {
    const NAME: &'static str = "tables_for_users";
    const HEALTH: Health = Health::Sound;

    fn table_entry(table: u64) -> u64 {
        Sound::table_entry(table) | USER
    }
}

/// A page that is taken away loses its present bit and nothing else.
#[derive(Debug)]
pub(crate) struct AbsentKeepsTheRest;

impl Deviation for AbsentKeepsTheRest {
    const NAME: &'static str = "absent_keeps_the_rest";
    const HEALTH: Health = Health::Sound;

    fn absent_entry(before: u64) -> u64 {
        before & !PRESENT
    }
}

/// The entry of a page that was taken away says so, as a kernel's swap entries do.
#[derive(Debug)]
pub(crate) struct AbsentIsMarked;

impl Deviation for AbsentIsMarked {
    const NAME: &'static str = "absent_is_marked";
    const HEALTH: Health = Health::Sound;

    fn absent_entry(before: u64) -> u64 {
        before >> 12 << 1 | 1 << 62
    }
}

/// What is popped stays where it is, above the stack pointer.
#[derive(Debug)]
pub(crate) struct PopWipesNothing;

impl Deviation for PopWipesNothing {
    const NAME: &'static str = "pop_wipes_nothing";
    const HEALTH: Health = Health::Sound;

    fn take(sandbox: &mut Sandbox<Self>, start: u64, _pointer: u64) {
        sandbox.set_pointer(start);
    }
}

/// Of what is popped the back-pointer stays.
#[derive(Debug)]
pub(crate) struct PopKeepsBackPointer;

impl Deviation for PopKeepsBackPointer {
    const NAME: &'static str = "pop_keeps_back_pointer";
    const HEALTH: Health = Health::Sound;

    fn take(sandbox: &mut Sandbox<Self>, start: u64, pointer: u64) {
        sandbox.wipe_popped(start, pointer.saturating_sub(8));
        sandbox.set_pointer(start);
    }
}

/// The pointer moves before what is popped is wiped.
#[derive(Debug)]
pub(crate) struct PointerBeforeWipe;

impl Deviation for PointerBeforeWipe {
    const NAME: &'static str = "pointer_before_wipe";
    const HEALTH: Health = Health::Sound;

    fn take(sandbox: &mut Sandbox<Self>, start: u64, pointer: u64) {
        sandbox.set_pointer(start);
        sandbox.wipe_popped(start, pointer);
    }
}
