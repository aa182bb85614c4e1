//! Pages that are told wrong by one of several ways to ask for them.

use memtwin_models::Health;
use memtwin_models::page_walk::translate::{ADDRESS, LARGE, PRESENT, WRITABLE};
use memtwin_models::page_walk::{Access, MappingKind, Refusal};
use memtwin_subjects::page_walk::deviation::Deviation;
use memtwin_subjects::page_walk::hardened::Sound;
use memtwin_subjects::page_walk::sandbox::Placed;
use memtwin_subjects::page_walk::tables::{TableBuffer, entry_address};
use memtwin_subjects::page_walk::walker::TableReader as _;

/// The user bit is asked for once a read.
#[derive(Debug)]
pub(crate) struct FirstPageAlone;

impl Deviation for FirstPageAlone {
    const NAME: &'static str = "first_page_alone";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a read for user mode asks for the user bit of its first page, and goes on into the pages of the kernel",
    };

    fn may_user_read(access: Access, is_first: bool) -> bool {
        !is_first || access.user
    }
}

/// The user bit alone is not taken over all levels.
#[derive(Debug)]
pub(crate) struct UserBitOfLeaf;

impl Deviation for UserBitOfLeaf {
    const NAME: &'static str = "user_bit_of_leaf";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a page is the user's by the bit of its leaf alone, although a table above it is the kernel's",
    };

    fn allowed_below(upper: Access, own: Access) -> Access {
        Access { user: own.user, ..Sound::allowed_below(upper, own) }
    }
}

/// Regions are joined by their guest addresses.
#[derive(Debug)]
pub(crate) struct HostOrderIgnored;

impl Deviation for HostOrderIgnored {
    const NAME: &'static str = "host_order_ignored";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "regions that follow each other for the guest become one, wherever they lie for the host",
    };

    fn goes_on(_end: u64, _next: u64) -> bool {
        true
    }
}

/// The list of regions has the file mappings alone.
#[derive(Debug)]
pub(crate) struct OnlyFilesListed;

impl Deviation for OnlyFilesListed {
    const NAME: &'static str = "only_files_listed";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "the list of regions knows file mappings, and neither the snapshot nor scratch, which reads know",
    };

    fn listed(backings: &[Placed]) -> &[Placed] {
        backings.get(2..).unwrap_or_default()
    }
}

/// Taking away a page that is not there does not go on.
#[derive(Debug)]
pub(crate) struct UnmapWaits;

impl Deviation for UnmapWaits {
    const NAME: &'static str = "unmap_waits";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "taking away pages where no table is goes round and round at the first of them",
    };

    fn map_page(tables: &mut TableBuffer<Self>, virt: u64, leaf: Option<u64>) -> Result<(), Refusal> {
        let mut table = tables.root & ADDRESS;
        for level in (1..4).rev() {
            let mut entry = tables.read_entry(entry_address(table, virt, level));
            while leaf.is_none() && std::hint::black_box(entry) & PRESENT == 0 {
                entry = tables.read_entry(entry_address(table, virt, level));
            }
            if entry & (PRESENT | LARGE) != PRESENT {
                break;
            }
            table = entry & ADDRESS;
        }
        tables.map_page(virt, leaf)
    }
}

/// Executable copy-on-write pages are writable; others are not.
#[derive(Debug)]
pub(crate) struct CowIsWritable;

impl Deviation for CowIsWritable {
    const NAME: &'static str = "cow_is_writable";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a copy-on-write page that may be executed is mapped with RW, so that no write is copied",
    };

    fn leaf_entry(phys: u64, kind: MappingKind) -> Option<u64> {
        let writable = if let MappingKind::Cow { x: true, .. } = kind { WRITABLE } else { 0 };
        Some(Sound::leaf_entry(phys, kind)? | writable)
    }
}

/// Tables have no RW.
#[derive(Debug)]
pub(crate) struct TablesReadOnly;

impl Deviation for TablesReadOnly {
    const NAME: &'static str = "tables_read_only";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "tables are made without RW, so that no page below them can be written" };

    fn table_entry(table: u64) -> u64 {
        Sound::table_entry(table) & !WRITABLE
    }
}
