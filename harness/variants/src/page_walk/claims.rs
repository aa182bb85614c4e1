//! Page walks that claim a freedom and make use of it. The model must follow each of them.
//!
//! Does not hold what the strict contract says already.

use memtwin_models::page_walk::translate::{ADDRESS, LARGE, PRESENT};
use memtwin_models::page_walk::{Access, PageWalk, PageWalkContract, Refusal, WorkBounds};
use memtwin_models::{Contract as _, Health, Row};
use memtwin_subjects::page_walk::deviation::Deviation;
use memtwin_subjects::page_walk::subject::Host;
use memtwin_subjects::page_walk::tables::{TableBuffer, entry_address};
use memtwin_subjects::page_walk::walker::{PageRange, TableReader as _};

const STRICT: PageWalkContract = PageWalkContract::STRICT;

/// All of them.
pub(crate) static ROWS: &[Row<PageWalk>] = &[
    Row::of::<Host<LeafAlone>>(),
    Row::of::<Host<Trusting>>(),
    Row::of::<Host<SmallPages>>(),
    Row::of::<Host<Unbounded>>(),
    Row::of::<Host<AnyRange>>(),
    Row::of::<Host<WithoutLastPage>>(),
    Row::of::<Host<TablesFromBelow>>(),
    Row::of::<Host<UnmapMakesTables>>(),
    Row::of::<Host<ByHandAlone>>(),
    Row::of::<Host<WithoutRanges>>(),
];

/// What may be done with a page is read from its leaf.
#[derive(Debug)]
pub(crate) struct LeafAlone;

impl Deviation for LeafAlone {
    const NAME: &'static str = "leaf_alone";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: PageWalkContract = PageWalkContract { leaf_access_only: true, ..STRICT };

    fn allowed_below(_upper: Access, own: Access) -> Access {
        own
    }
}

/// Reserved bits are not looked at: nobody sets them.
#[derive(Debug)]
pub(crate) struct Trusting;

impl Deviation for Trusting {
    const NAME: &'static str = "trusting";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: PageWalkContract = PageWalkContract { trusts_tables: true, ..STRICT };

    fn is_valid_large(_entry: u64, _level: u32) -> bool {
        true
    }
}

/// Only the smallest pages are known.
#[derive(Debug)]
pub(crate) struct SmallPages;

impl Deviation for SmallPages {
    const NAME: &'static str = "small_pages";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: PageWalkContract = PageWalkContract { no_large_pages: true, ..STRICT };

    fn is_large(_entry: u64, _level: u32) -> bool {
        false
    }
}

/// Walks end when there is nothing more.
#[derive(Debug)]
pub(crate) struct Unbounded;

impl Deviation for Unbounded {
    const NAME: &'static str = "unbounded";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: PageWalkContract = PageWalkContract { no_bounds: true, ..STRICT };

    fn is_within_bounds(_bounds: WorkBounds, _visits: u64, _leaves: u64) -> bool {
        true
    }
}

/// Ranges are taken as they come.
#[derive(Debug)]
pub(crate) struct AnyRange;

impl Deviation for AnyRange {
    const NAME: &'static str = "any_range";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: PageWalkContract = PageWalkContract { range_unchecked: true, ..STRICT };

    fn range(address: u64, length: u64) -> Result<PageRange, Refusal> {
        Ok(PageRange::new(address, address.wrapping_add(length).wrapping_sub(1)))
    }
}

/// The end of a range must be an address.
#[derive(Debug)]
pub(crate) struct WithoutLastPage;

impl Deviation for WithoutLastPage {
    const NAME: &'static str = "without_last_page";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: PageWalkContract = PageWalkContract { top_page_excluded: true, ..STRICT };

    fn advance(position: u64, bytes: u64) -> u64 {
        position + bytes
    }
}

/// Tables are made from the lowest level upwards, and there is always room for one more.
#[derive(Debug)]
pub(crate) struct TablesFromBelow;

impl Deviation for TablesFromBelow {
    const NAME: &'static str = "tables_from_below";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: PageWalkContract = PageWalkContract { own_entries: true, ..STRICT };

    fn map_page(tables: &mut TableBuffer<Self>, virt: u64, leaf: Option<u64>) -> Result<(), Refusal> {
        let mut table = tables.root & ADDRESS;
        for level in (1..4).rev() {
            let address = entry_address(table, virt, level);
            let entry = tables.read_entry(address);
            if entry & PRESENT == 0 && leaf.is_some() {
                let mut below = tables.alloc_table()?;
                for upper in 1..level {
                    let table = tables.alloc_table()?;
                    tables.write_entry(entry_address(table, virt, upper), Self::table_entry(below));
                    below = table;
                }
                tables.write_entry(address, Self::table_entry(below));
                break;
            }
            if entry & (PRESENT | LARGE) != PRESENT {
                break;
            }
            table = entry & ADDRESS;
        }
        tables.map_page(virt, leaf)
    }
}

/// Taking a page away goes the way of mapping it.
#[derive(Debug)]
pub(crate) struct UnmapMakesTables;

impl Deviation for UnmapMakesTables {
    const NAME: &'static str = "unmap_makes_tables";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: PageWalkContract = PageWalkContract { unmap_makes_tables: true, ..STRICT };

    fn unmaps_through_tables() -> bool {
        true
    }
}

/// Tables are written by hand: there is no other way.
#[derive(Debug)]
pub(crate) struct ByHandAlone;

impl Deviation for ByHandAlone {
    const NAME: &'static str = "by_hand_alone";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: PageWalkContract = PageWalkContract { no_map: true, ..STRICT };
}

/// Addresses are translated for reads, and no list is made of them.
#[derive(Debug)]
pub(crate) struct WithoutRanges;

impl Deviation for WithoutRanges {
    const NAME: &'static str = "without_ranges";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: PageWalkContract = PageWalkContract { no_range_walk: true, ..STRICT };
}
