//! Kernels that are broken in a way that the catalogue does not have, as public reports tell it.
//!
//! Does not combine defects: each has one.

use memtwin_models::temp_map::mmu::{COPY_ON_WRITE, PRESENT, PageFault, WRITABLE};
use memtwin_models::temp_map::{Cpu, PAGE_BYTES, Segment, TempMap};
use memtwin_models::{Health, Row};
use memtwin_subjects::temp_map::deviation::Deviation;
use memtwin_subjects::temp_map::kernel::Kernel;
use memtwin_subjects::temp_map::subject::Program;

/// All of them.
pub(crate) static ROWS: &[Row<TempMap>] = &[
    Row::of::<Program<SecondForkForgetsTheMark>>(),
    Row::of::<Program<WindowForgottenOnOneCpu>>(),
    Row::of::<Program<UnmapFreesTheTable>>(),
    Row::of::<Program<BssFromTheFile>>(),
    Row::of::<Program<KernelStoresAreNotResolved>>(),
    Row::of::<Program<NewPagesAreNotCleared>>(),
    Row::of::<Program<NewPagesAreClearedInHalf>>(),
    Row::of::<Program<TablesStay>>(),
    Row::of::<Program<FullTablesAreNotForked>>(),
];

/// A page that is shared already loses its mark when its process forks again.
#[derive(Debug)]
pub(crate) struct SecondForkForgetsTheMark;

impl Deviation for SecondForkForgetsTheMark {
    const NAME: &'static str = "second_fork_forgets_the_mark";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a page that is shared already loses its mark when its process forks again",
    };

    fn shared_entry(entry: u32) -> u32 {
        if entry & WRITABLE == 0 { entry & !COPY_ON_WRITE } else { entry & !WRITABLE | COPY_ON_WRITE }
    }
}

/// A page of the window is forgotten by the first processor alone.
#[derive(Debug)]
pub(crate) struct WindowForgottenOnOneCpu;

impl Deviation for WindowForgottenOnOneCpu {
    const NAME: &'static str = "window_forgotten_on_one_cpu";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a page of the window is forgotten by the first processor alone" };

    fn forget_temp(kernel: &mut Kernel<Self>, address: u32) {
        kernel.machine.invlpg(Cpu::new_folded(0), address);
    }
}

/// Unmapping a page gives back the frame of its table.
#[derive(Debug)]
pub(crate) struct UnmapFreesTheTable;

impl Deviation for UnmapFreesTheTable {
    const NAME: &'static str = "unmap_frees_the_table";
    const HEALTH: Health = Health::Broken { defect: None, story: "unmapping a page gives back the frame of its table" };

    fn forget_and_release(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32, frame: u32) {
        kernel.machine.ipi_invlpg(address);
        let table = kernel.table_of(kernel.current(cpu), address);
        kernel.release(table.unwrap_or(frame));
    }
}

/// What a segment has in memory beyond the file comes from the file as well.
#[derive(Debug)]
pub(crate) struct BssFromTheFile;

impl Deviation for BssFromTheFile {
    const NAME: &'static str = "bss_from_the_file";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "what a segment has in memory beyond the file comes from the file as well",
    };

    fn bytes_from_file(segment: &Segment, file_bytes: u32) -> u32 {
        segment.memory_bytes.min(file_bytes.saturating_sub(segment.offset))
    }

    fn bss_offset(segment: &Segment) -> u32 {
        segment.address.0.wrapping_add(segment.memory_bytes) % PAGE_BYTES
    }
}

/// A store of the kernel's own to a shared page is not resolved.
#[derive(Debug)]
pub(crate) struct KernelStoresAreNotResolved;

impl Deviation for KernelStoresAreNotResolved {
    const NAME: &'static str = "kernel_stores_are_not_resolved";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a store of the kernel's own to a shared page is not resolved" };

    fn looks_at_fault(fault: PageFault) -> bool {
        fault.code & PageFault::USER != 0
    }
}

/// A new page shows what its frame held before.
#[derive(Debug)]
pub(crate) struct NewPagesAreNotCleared;

impl Deviation for NewPagesAreNotCleared {
    const NAME: &'static str = "new_pages_are_not_cleared";
    const HEALTH: Health = Health::Broken { defect: None, story: "a new page shows what its frame held before" };

    fn cleared_bytes() -> u32 {
        0
    }
}

/// The second half of a new page shows what its frame held before.
#[derive(Debug)]
pub(crate) struct NewPagesAreClearedInHalf;

impl Deviation for NewPagesAreClearedInHalf {
    const NAME: &'static str = "new_pages_are_cleared_in_half";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "the second half of a new page shows what its frame held before" };

    fn cleared_bytes() -> u32 {
        PAGE_BYTES / 2
    }
}

/// The tables of a process that is destroyed are not given back.
#[derive(Debug)]
pub(crate) struct TablesStay;

impl Deviation for TablesStay {
    const NAME: &'static str = "tables_stay";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "the tables of a process that is destroyed are not given back" };

    fn release_table(_kernel: &mut Kernel<Self>, _table: u32) {}
}

/// A fork makes no table where the parent's first entry is empty.
#[derive(Debug)]
pub(crate) struct FullTablesAreNotForked;

impl Deviation for FullTablesAreNotForked {
    const NAME: &'static str = "full_tables_are_not_forked";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a fork makes no table where the parent's first entry is empty" };

    fn copies_table(kernel: &Kernel<Self>, table: u32) -> bool {
        kernel.machine.entry(table, 0) & PRESENT != 0
    }
}
