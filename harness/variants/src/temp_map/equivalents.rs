//! Kernels that are right in another way than the hardened code: another order, another place, more flushes, bits that
//! the manual leaves free.
//!
//! Does not claim freedoms: what these do the strict contract leaves open.

use memtwin_models::temp_map::mmu::{COPY_ON_WRITE, FLAGS, PRESENT, SOFTWARE, WRITABLE};
use memtwin_models::temp_map::{CPUS, Cpu, KERNEL_HALF, SLOTS, TempMap};
use memtwin_models::{Health, Row};
use memtwin_subjects::temp_map::deviation::Deviation;
use memtwin_subjects::temp_map::kernel::Kernel;
use memtwin_subjects::temp_map::slots::Slots;
use memtwin_subjects::temp_map::subject::Program;

/// The entries of a table.
const ENTRIES: u32 = 1024;

fn flush_all<D: Deviation>(kernel: &mut Kernel<D>) {
    for cpu in (0..CPUS).map(Cpu::new_folded) {
        let directory = kernel.machine.cr3(cpu);
        kernel.machine.load_cr3(cpu, directory);
    }
}

/// All of them.
pub(crate) static ROWS: &[Row<TempMap>] = &[
    Row::of::<Program<SlotsFromTheTop>>(),
    Row::of::<Program<ForkFlushesAll>>(),
    Row::of::<Program<WindowFlushesAll>>(),
    Row::of::<Program<ProtectFlushesAll>>(),
    Row::of::<Program<UnmapFlushesAll>>(),
    Row::of::<Program<TablesAreMarked>>(),
    Row::of::<Program<SharedPagesAreMarked>>(),
    Row::of::<Program<CopiesAreMarked>>(),
    Row::of::<Program<ProtectLeavesTheMark>>(),
    Row::of::<Program<RangeBySubtraction>>(),
    Row::of::<Program<ForkSkipsEmptyTables>>(),
    Row::of::<Program<EmptyTablesGo>>(),
];

/// Slots are handed out from the last one down.
#[derive(Debug)]
pub(crate) struct SlotsFromTheTop;

impl Deviation for SlotsFromTheTop {
    const NAME: &'static str = "slots_from_the_top";
    const HEALTH: Health = Health::Sound;

    fn choose_slot(slots: &Slots) -> Option<u32> {
        (0..SLOTS).rev().find(|slot| !slots.is_allocated(*slot))
    }
}

/// A fork makes every processor forget everything.
#[derive(Debug)]
pub(crate) struct ForkFlushesAll;

impl Deviation for ForkFlushesAll {
    const NAME: &'static str = "fork_flushes_all";
    const HEALTH: Health = Health::Sound;

    fn after_fork(kernel: &mut Kernel<Self>, _parent: u32) {
        flush_all(kernel);
    }
}

/// A page of the window that is unmapped makes every processor forget everything.
#[derive(Debug)]
pub(crate) struct WindowFlushesAll;

impl Deviation for WindowFlushesAll {
    const NAME: &'static str = "window_flushes_all";
    const HEALTH: Health = Health::Sound;

    fn forget_temp(kernel: &mut Kernel<Self>, _address: u32) {
        flush_all(kernel);
    }
}

/// A page that is protected makes every processor forget everything.
#[derive(Debug)]
pub(crate) struct ProtectFlushesAll;

impl Deviation for ProtectFlushesAll {
    const NAME: &'static str = "protect_flushes_all";
    const HEALTH: Health = Health::Sound;

    fn after_protect(kernel: &mut Kernel<Self>, _cpu: Cpu, _address: u32) {
        flush_all(kernel);
    }
}

/// A page that is unmapped makes every processor forget everything, before the frame is given back.
#[derive(Debug)]
pub(crate) struct UnmapFlushesAll;

impl Deviation for UnmapFlushesAll {
    const NAME: &'static str = "unmap_flushes_all";
    const HEALTH: Health = Health::Sound;

    fn forget_and_release(kernel: &mut Kernel<Self>, _cpu: Cpu, _address: u32, frame: u32) {
        flush_all(kernel);
        kernel.release(frame);
    }
}

/// Entries for tables carry bits that are free for software.
#[derive(Debug)]
pub(crate) struct TablesAreMarked;

impl Deviation for TablesAreMarked {
    const NAME: &'static str = "tables_are_marked";
    const HEALTH: Health = Health::Sound;

    fn user_table_entry(table: u32, flags: u32) -> u32 {
        table << 12 | flags | SOFTWARE
    }
}

/// Pages that a fork shares carry a bit that is free for software.
#[derive(Debug)]
pub(crate) struct SharedPagesAreMarked;

impl Deviation for SharedPagesAreMarked {
    const NAME: &'static str = "shared_pages_are_marked";
    const HEALTH: Health = Health::Sound;

    fn shared_entry(entry: u32) -> u32 {
        let shared = if entry & WRITABLE == 0 { entry } else { entry & !WRITABLE | COPY_ON_WRITE };
        shared | 1 << 10
    }
}

/// Pages that were copied carry a bit that is free for software, and are accessed and dirty.
#[derive(Debug)]
pub(crate) struct CopiesAreMarked;

impl Deviation for CopiesAreMarked {
    const NAME: &'static str = "copies_are_marked";
    const HEALTH: Health = Health::Sound;

    fn unshared_entry(entry: u32, frame: u32) -> u32 {
        frame << 12 | entry & FLAGS & !COPY_ON_WRITE | WRITABLE | 1 << 11
    }
}

/// A page that gets its write right back is copied, or made its last sharer's, at the next store.
#[derive(Debug)]
pub(crate) struct ProtectLeavesTheMark;

impl Deviation for ProtectLeavesTheMark {
    const NAME: &'static str = "protect_leaves_the_mark";
    const HEALTH: Health = Health::Sound;

    fn protected_flags(entry: u32, flags: u32, _references: u32) -> u32 {
        let asks_more = entry & WRITABLE == 0 && flags & WRITABLE != 0;
        if asks_more { flags & !WRITABLE | COPY_ON_WRITE } else { flags }
    }
}

/// The end of a buffer is looked at by what is left of the user half.
#[derive(Debug)]
pub(crate) struct RangeBySubtraction;

impl Deviation for RangeBySubtraction {
    const NAME: &'static str = "range_by_subtraction";
    const HEALTH: Health = Health::Sound;

    fn is_user_range(address: u32, count: u32) -> bool {
        KERNEL_HALF.checked_sub(address).is_some_and(|left| count <= left)
    }
}

/// A fork makes no table where the parent's has no page.
#[derive(Debug)]
pub(crate) struct ForkSkipsEmptyTables;

impl Deviation for ForkSkipsEmptyTables {
    const NAME: &'static str = "fork_skips_empty_tables";
    const HEALTH: Health = Health::Sound;

    fn copies_table(kernel: &Kernel<Self>, table: u32) -> bool {
        (0..ENTRIES).any(|index| kernel.machine.entry(table, index) & PRESENT != 0)
    }
}

/// The table of the last page that is unmapped goes with it.
#[derive(Debug)]
pub(crate) struct EmptyTablesGo;

impl Deviation for EmptyTablesGo {
    const NAME: &'static str = "empty_tables_go";
    const HEALTH: Health = Health::Sound;

    fn forget_and_release(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32, frame: u32) {
        kernel.machine.ipi_invlpg(address);
        kernel.release(frame);
        let directory = kernel.current(cpu);
        let Some(table) = kernel.table_of(directory, address) else { return };
        if (0..ENTRIES).all(|index| kernel.machine.entry(table, index) & PRESENT == 0) {
            kernel.unmake_table(directory, address);
        }
    }
}
