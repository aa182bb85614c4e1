//! Allocators that are broken in a way that the catalogue does not have, as public reports tell it and in one of
//! several siblings only.
//!
//! Does not combine defects: each has one.

use memtwin_models::header_free::{Alignment, HEADER_BYTES, HeaderFree, Mode, Setup};
use memtwin_models::{Health, Row};
use memtwin_subjects::header_free::deviation::{Deviation, Entry, Fallback};
use memtwin_subjects::header_free::memory::Memory;
use memtwin_subjects::header_free::registry::{self, Registry};
use memtwin_subjects::header_free::subject::Program;
use memtwin_subjects::header_free::table::Block;
use memtwin_subjects::header_free::tiny::Lists;

/// All of them.
pub(crate) static ROWS: &[Row<HeaderFree>] = &[
    Row::of::<Program<UsableFromTheStart>>(),
    Row::of::<Program<MasksByTheSmallSize>>(),
    Row::of::<Program<FreeForgetsThePool>>(),
    Row::of::<Program<ReallocForgetsThePool>>(),
    Row::of::<Program<SizeReadsTheHeader>>(),
    Row::of::<Program<EmptyBehindTheGone>>(),
    Row::of::<Program<ClassBySizeAlone>>(),
    Row::of::<Program<ExitFreesTheFirst>>(),
    Row::of::<Program<FreeLosesErrno>>(),
    Row::of::<Program<RetiresWhatIsMapped>>(),
    Row::of::<Program<RoomForTheHeaderAlone>>(),
    Row::of::<Program<RoomForHalfAHeader>>(),
    Row::of::<Program<SizeOfTheMiddle>>(),
    Row::of::<Program<ReallocOfTheMiddle>>(),
    Row::of::<Program<ReallocKeepsLibcOut>>(),
    Row::of::<Program<ReallocKeepsAPage>>(),
    Row::of::<Program<ReallocLosesTheLastByte>>(),
    Row::of::<Program<FreeBlockStaysListed>>(),
];

/// The usable size is counted from where the memory begins, header and alignment included.
#[derive(Debug)]
pub(crate) struct UsableFromTheStart;

impl Deviation for UsableFromTheStart {
    const NAME: &'static str = "usable_from_the_start";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "the usable size is counted from where the memory begins, header and alignment included",
    };

    fn usable_bytes(block: &Block) -> u64 {
        block.high - block.low
    }
}

/// SuperSlabs are looked for at multiples of 1 MiB whatever their size.
#[derive(Debug)]
pub(crate) struct MasksByTheSmallSize;

impl Deviation for MasksByTheSmallSize {
    const NAME: &'static str = "masks_by_the_small_size";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "SuperSlabs are looked for at multiples of 1 MiB whatever their size" };

    fn superslab_base(_setup: &Setup, address: u64) -> u64 {
        address >> 20 << 20
    }
}

/// free does not know the pool from before the allocator was up.
#[derive(Debug)]
pub(crate) struct FreeForgetsThePool;

impl Deviation for FreeForgetsThePool {
    const NAME: &'static str = "free_forgets_the_pool";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "free does not know the pool from before the allocator was up" };

    fn knows_boot(entry: Entry) -> bool {
        entry != Entry::Free
    }
}

/// realloc does not know the pool from before the allocator was up.
#[derive(Debug)]
pub(crate) struct ReallocForgetsThePool;

impl Deviation for ReallocForgetsThePool {
    const NAME: &'static str = "realloc_forgets_the_pool";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "realloc does not know the pool from before the allocator was up" };

    fn knows_boot(entry: Entry) -> bool {
        entry != Entry::Realloc
    }
}

/// malloc_usable_size reads the header before every pointer.
#[derive(Debug)]
pub(crate) struct SizeReadsTheHeader;

impl Deviation for SizeReadsTheHeader {
    const NAME: &'static str = "size_reads_the_header";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "malloc_usable_size reads the header before every pointer" };

    fn look_when_asked(memory: &mut Memory, entry: Entry, pointer: u64) {
        if entry == Entry::UsableSize {
            std::hint::black_box(memory.load_u32(pointer.wrapping_sub(HEADER_BYTES)));
        }
    }
}

/// A SuperSlab that is given back leaves an empty place, which ends the search for others.
#[derive(Debug)]
pub(crate) struct EmptyBehindTheGone;

impl Deviation for EmptyBehindTheGone {
    const NAME: &'static str = "empty_behind_the_gone";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a SuperSlab that is given back leaves an empty place, which ends the search for others",
    };

    fn unregister(registry: &mut Registry, base: u64) {
        if let Some(slot) = registry.slot_of(base) {
            registry.put(slot, registry::Entry::Empty);
        }
    }
}

/// The class of a tiny block is chosen by its size, whatever alignment is asked for.
#[derive(Debug)]
pub(crate) struct ClassBySizeAlone;

impl Deviation for ClassBySizeAlone {
    const NAME: &'static str = "class_by_size_alone";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "the class of a tiny block is chosen by its size, whatever alignment is asked for",
    };

    fn tiny_class(setup: &Setup, size: u64, _align: Alignment) -> Option<usize> {
        setup.tiny_class(size, Alignment::from_exponent_folded(0))
    }
}

/// The first block of a SuperSlab is free once its owner ended, whoever has it.
#[derive(Debug)]
pub(crate) struct ExitFreesTheFirst;

impl Deviation for ExitFreesTheFirst {
    const NAME: &'static str = "exit_frees_the_first";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "the first block of a SuperSlab is free once its owner ended, whoever has it",
    };

    fn leave(lists: &mut Lists) {
        lists.free.append(&mut lists.remote);
        lists.free.push(0);
    }
}

/// free leaves the error number of munmap or madvise in errno.
#[derive(Debug)]
pub(crate) struct FreeLosesErrno;

impl Deviation for FreeLosesErrno {
    const NAME: &'static str = "free_loses_errno";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "free leaves the error number of munmap or madvise in errno" };

    fn keeps_errno(entry: Entry) -> bool {
        entry != Entry::Free
    }
}

/// A SuperSlab counts as given back though the kernel did not take it.
#[derive(Debug)]
pub(crate) struct RetiresWhatIsMapped;

impl Deviation for RetiresWhatIsMapped {
    const NAME: &'static str = "retires_what_is_mapped";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a SuperSlab counts as given back though the kernel did not take it" };

    fn is_retired(_is_unmapped: bool) -> bool {
        true
    }
}

/// libc is asked for the header and the size, not for the alignment.
#[derive(Debug)]
pub(crate) struct RoomForTheHeaderAlone;

impl Deviation for RoomForTheHeaderAlone {
    const NAME: &'static str = "room_for_the_header_alone";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "libc is asked for the header and the size, not for the alignment" };

    fn malloc_room(_align: Alignment) -> u64 {
        HEADER_BYTES
    }
}

/// libc is asked for half a header too little.
#[derive(Debug)]
pub(crate) struct RoomForHalfAHeader;

impl Deviation for RoomForHalfAHeader {
    const NAME: &'static str = "room_for_half_a_header";
    const HEALTH: Health = Health::Broken { defect: None, story: "libc is asked for half a header too little" };

    fn malloc_room(align: Alignment) -> u64 {
        HEADER_BYTES / 2 + if align.bytes() <= 16 { 0 } else { align.bytes() }
    }
}

/// malloc_usable_size takes the middle of a tiny block for its beginning.
#[derive(Debug)]
pub(crate) struct SizeOfTheMiddle;

impl Deviation for SizeOfTheMiddle {
    const NAME: &'static str = "size_of_the_middle";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "malloc_usable_size takes the middle of a tiny block for its beginning" };

    fn asks_for_starts(entry: Entry) -> bool {
        entry != Entry::UsableSize
    }
}

/// realloc takes the middle of a tiny block for its beginning.
#[derive(Debug)]
pub(crate) struct ReallocOfTheMiddle;

impl Deviation for ReallocOfTheMiddle {
    const NAME: &'static str = "realloc_of_the_middle";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "realloc takes the middle of a tiny block for its beginning" };

    fn asks_for_starts(entry: Entry) -> bool {
        entry != Entry::Realloc
    }
}

/// Preloaded, realloc refuses blocks of libc.
#[derive(Debug)]
pub(crate) struct ReallocKeepsLibcOut;

impl Deviation for ReallocKeepsLibcOut {
    const NAME: &'static str = "realloc_keeps_libc_out";
    const HEALTH: Health = Health::Broken { defect: None, story: "preloaded, realloc refuses blocks of libc" };

    fn fallback_when_asked(entry: Entry, mode: Mode) -> Fallback {
        if entry == Entry::Realloc { Fallback::Refuse } else { Self::fallback(mode) }
    }
}

/// realloc copies a page at most.
#[derive(Debug)]
pub(crate) struct ReallocKeepsAPage;

impl Deviation for ReallocKeepsAPage {
    const NAME: &'static str = "realloc_keeps_a_page";
    const HEALTH: Health = Health::Broken { defect: None, story: "realloc copies a page at most" };

    fn kept_bytes(_size: u64, usable: u64) -> u64 {
        usable.min(4096)
    }
}

/// realloc copies all but the last byte.
#[derive(Debug)]
pub(crate) struct ReallocLosesTheLastByte;

impl Deviation for ReallocLosesTheLastByte {
    const NAME: &'static str = "realloc_loses_the_last_byte";
    const HEALTH: Health = Health::Broken { defect: None, story: "realloc copies all but the last byte" };

    fn kept_bytes(_size: u64, usable: u64) -> u64 {
        usable.saturating_sub(1)
    }
}

/// The last free block of a SuperSlab is handed out and stays in the list.
#[derive(Debug)]
pub(crate) struct FreeBlockStaysListed;

impl Deviation for FreeBlockStaysListed {
    const NAME: &'static str = "free_block_stays_listed";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "the last free block of a SuperSlab is handed out and stays in the list",
    };

    fn next_free(lists: &mut Lists) -> Option<u64> {
        lists.free.append(&mut lists.remote);
        if lists.free.len() == 1 { lists.free.first().copied() } else { lists.free.pop() }
    }
}
