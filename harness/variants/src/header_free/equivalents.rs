//! Allocators that are right in another way than the hardened code: another order of free blocks, another place,
//! another growth, other answers that the contract leaves open.
//!
//! Does not claim freedoms: what these do the strict contract leaves open.

use memtwin_models::header_free::{Alignment, HEADER_BYTES, HeaderFree, Mode};
use memtwin_models::{Health, Row};
use memtwin_subjects::header_free::deviation::{Deviation, Entry, Fallback};
use memtwin_subjects::header_free::memory::Memory;
use memtwin_subjects::header_free::subject::Program;
use memtwin_subjects::header_free::table::Block;
use memtwin_subjects::header_free::tiny::Lists;

/// All of them.
pub(crate) static ROWS: &[Row<HeaderFree>] = &[
    Row::of::<Program<FreeListIsAQueue>>(),
    Row::of::<Program<OthersFreesFirst>>(),
    Row::of::<Program<FreedBeforeFresh>>(),
    Row::of::<Program<WindowsFromTheTop>>(),
    Row::of::<Program<BigBlocksInTurn>>(),
    Row::of::<Program<EveryBlockMoves>>(),
    Row::of::<Program<WhatShrinksMuchMoves>>(),
    Row::of::<Program<UsableIsWhatWasAsked>>(),
    Row::of::<Program<UsableInSixteens>>(),
    Row::of::<Program<ListsStayApart>>(),
    Row::of::<Program<KeptMappingsRest>>(),
    Row::of::<Program<MoreRoomThanNeeded>>(),
    Row::of::<Program<LinkedNeverAsksLibc>>(),
    Row::of::<Program<LibcAnswersForItsOwn>>(),
    Row::of::<Program<LooksBeforeItAsks>>(),
];

/// A freed block waits until all that were freed before it are in use again.
#[derive(Debug)]
pub(crate) struct FreeListIsAQueue;

impl Deviation for FreeListIsAQueue {
    const NAME: &'static str = "free_list_is_a_queue";
    const HEALTH: Health = Health::Sound;

    fn next_free(lists: &mut Lists) -> Option<u64> {
        if lists.free.is_empty() {
            std::mem::swap(&mut lists.free, &mut lists.remote);
        }
        if lists.free.is_empty() { None } else { Some(lists.free.remove(0)) }
    }
}

/// What other threads freed is handed out before what the owner did.
#[derive(Debug)]
pub(crate) struct OthersFreesFirst;

impl Deviation for OthersFreesFirst {
    const NAME: &'static str = "others_frees_first";
    const HEALTH: Health = Health::Sound;

    fn next_free(lists: &mut Lists) -> Option<u64> {
        lists.remote.pop().or_else(|| lists.free.pop())
    }
}

/// What other threads freed is handed out before blocks that never were.
#[derive(Debug)]
pub(crate) struct FreedBeforeFresh;

impl Deviation for FreedBeforeFresh {
    const NAME: &'static str = "freed_before_fresh";
    const HEALTH: Health = Health::Sound;

    fn prefers_fresh() -> bool {
        false
    }
}

/// Of the free places for a block the last one is used.
#[derive(Debug)]
pub(crate) struct WindowsFromTheTop;

impl Deviation for WindowsFromTheTop {
    const NAME: &'static str = "windows_from_the_top";
    const HEALTH: Health = Health::Sound;

    fn window(free: u64) -> u32 {
        63 - free.leading_zeros()
    }
}

/// The big block that was freed first serves first.
#[derive(Debug)]
pub(crate) struct BigBlocksInTurn;

impl Deviation for BigBlocksInTurn {
    const NAME: &'static str = "big_blocks_in_turn";
    const HEALTH: Health = Health::Sound;

    fn next_cached(cached: &mut Vec<u64>) -> Option<u64> {
        if cached.is_empty() { None } else { Some(cached.remove(0)) }
    }
}

/// A reallocation always moves the block.
#[derive(Debug)]
pub(crate) struct EveryBlockMoves;

impl Deviation for EveryBlockMoves {
    const NAME: &'static str = "every_block_moves";
    const HEALTH: Health = Health::Sound;

    fn stays(_size: u64, _usable: u64) -> bool {
        false
    }
}

/// A reallocation to less than half moves the block.
#[derive(Debug)]
pub(crate) struct WhatShrinksMuchMoves;

impl Deviation for WhatShrinksMuchMoves {
    const NAME: &'static str = "what_shrinks_much_moves";
    const HEALTH: Health = Health::Sound;

    fn stays(size: u64, usable: u64) -> bool {
        usable / 2 <= size
    }
}

/// No more may be used of a block with a header than was asked for.
#[derive(Debug)]
pub(crate) struct UsableIsWhatWasAsked;

impl Deviation for UsableIsWhatWasAsked {
    const NAME: &'static str = "usable_is_what_was_asked";
    const HEALTH: Health = Health::Sound;

    fn usable_bytes(block: &Block) -> u64 {
        block.size
    }
}

/// What may be used of a block with a header is a multiple of sixteen, or what was asked for.
#[derive(Debug)]
pub(crate) struct UsableInSixteens;

impl Deviation for UsableInSixteens {
    const NAME: &'static str = "usable_in_sixteens";
    const HEALTH: Health = Health::Sound;

    fn usable_bytes(block: &Block) -> u64 {
        ((block.high - block.user) / 16 * 16).max(block.size)
    }
}

/// What others freed stays apart from what the owner freed after the end of that one.
#[derive(Debug)]
pub(crate) struct ListsStayApart;

impl Deviation for ListsStayApart {
    const NAME: &'static str = "lists_stay_apart";
    const HEALTH: Health = Health::Sound;

    fn leave(_lists: &mut Lists) {}
}

/// A mapping that the kernel did not take back is left alone.
#[derive(Debug)]
pub(crate) struct KeptMappingsRest;

impl Deviation for KeptMappingsRest {
    const NAME: &'static str = "kept_mappings_rest";
    const HEALTH: Health = Health::Sound;

    fn reuses_kept() -> bool {
        false
    }
}

/// libc is asked for a line and an alignment more than a header needs.
#[derive(Debug)]
pub(crate) struct MoreRoomThanNeeded;

impl Deviation for MoreRoomThanNeeded {
    const NAME: &'static str = "more_room_than_needed";
    const HEALTH: Health = Health::Sound;

    fn malloc_room(align: Alignment) -> u64 {
        64 + align.bytes()
    }
}

/// Linked, the allocator gives nothing to libc in either mode.
#[derive(Debug)]
pub(crate) struct LinkedNeverAsksLibc;

impl Deviation for LinkedNeverAsksLibc {
    const NAME: &'static str = "linked_never_asks_libc";
    const HEALTH: Health = Health::Sound;

    fn fallback(mode: Mode) -> Fallback {
        match mode {
            Mode::LdPreload => Fallback::Libc,
            Mode::Direct0 | Mode::Direct1 => Fallback::Refuse,
        }
    }
}

/// Linked, too, libc answers for the size of its blocks and reallocates them.
#[derive(Debug)]
pub(crate) struct LibcAnswersForItsOwn;

impl Deviation for LibcAnswersForItsOwn {
    const NAME: &'static str = "libc_answers_for_its_own";
    const HEALTH: Health = Health::Sound;

    fn fallback_when_asked(_entry: Entry, _mode: Mode) -> Fallback {
        Fallback::Libc
    }
}

/// What can be read before a pointer is read, and not believed.
#[derive(Debug)]
pub(crate) struct LooksBeforeItAsks;

impl Deviation for LooksBeforeItAsks {
    const NAME: &'static str = "looks_before_it_asks";
    const HEALTH: Health = Health::Sound;

    fn look_when_asked(memory: &mut Memory, _entry: Entry, pointer: u64) {
        if let Some(header) = pointer.checked_sub(HEADER_BYTES).filter(|header| memory.is_readable(*header, 4)) {
            std::hint::black_box(memory.load_u32(header));
        }
    }
}
