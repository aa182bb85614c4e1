//! Draws page-walk setups: backings that end within a page, scratches without room, file mappings side by side with
//! others for guest and host. Does not know what becomes of them.

use crate::random::Random;
use memtwin_models::page_walk::{
    BOOKKEEPING_BYTES, FILE_MAPPING_LIST_BYTES, GPA_END, MAX_BACKING_BYTES, MAX_MAPPED, MAX_TAIL_PAGES, MappedSetup,
    PAGE_BYTES, PHYSICAL_END, PageWalkContract, SNAPSHOT_GPA, Setup, WorkBounds,
};
use memtwin_models::vocabulary::told;

#[allow(clippy::cast_possible_truncation)] // below 256
const LIST_BYTES: u32 = FILE_MAPPING_LIST_BYTES as u32;
#[allow(clippy::cast_possible_truncation)] // below 256
const WORDS_BYTES: u32 = BOOKKEEPING_BYTES as u32;

/// Snapshots and file mappings are one to four pages, or any size up to four, one in 64 up to the largest; one or two
/// pages of tables lie behind the snapshot in two setups of five, more in one of 32. Buffers have 64 to 512 bytes in
/// six of eight, else up to 23 bytes or up to 16 KiB. Half of the scratches have one to five pages besides the tail,
/// the others end round what they must hold, or anywhere. The table buffer lies at 1 MiB in 23 setups of 32, else
/// anywhere, at the end of physical memory, or over a backing. Up to three file mappings lie behind the snapshot,
/// behind or in each other, before or at scratch, or elsewhere. One setup in eight has no paging, one in 256 the full
/// bounds of work, which take milliseconds.
#[told(pub(super) SETUP)]
pub(super) fn draw(contract: &PageWalkContract, random: &mut Random) -> Setup {
    let pages = |random: &mut Random| 4096 * (1 + random.below(4));
    let odd = |random: &mut Random| {
        let most = if random.one_in(64) { MAX_BACKING_BYTES } else { 0x4000 };
        1 + random.below(most)
    };
    let snapshot_bytes = if random.one_in(3) { odd(random) } else { pages(random) };
    let tail_pages = match random.below(32) {
        0 => 1 + u8::try_from(random.below(MAX_TAIL_PAGES.into())).unwrap_or(0),
        _ => random.choose(&[0, 0, 0, 1, 2]),
    };
    let tail_pages = if contract.own_entries { 0 } else { tail_pages };
    let buffer_bytes = match random.below(8) {
        0 => random.choose(&[0, 1, 7, 8, 8, 9, 15, 16, 23]),
        1 => random.below(0x4000),
        _ => random.choose(&[0x40, 0x80, 0x100, 0x200]),
    };
    // Where the list of file mappings ends, and where the bookkeeping words begin at the earliest.
    let list_end = buffer_bytes.next_multiple_of(8) + LIST_BYTES;
    let tail_bytes = u32::from(tail_pages) * 4096;
    let least_words = if tail_pages == 0 { list_end } else { list_end.next_multiple_of(4096) + tail_bytes };
    let scratch_bytes = match random.below(16) {
        0..=2 => 1 + random.below(WORDS_BYTES),
        3 => 1 + random.below(0x400),
        4 => list_end + random.choose(&[0, 1, WORDS_BYTES - 1]),
        5 => least_words + random.choose(&[WORDS_BYTES - 1, WORDS_BYTES, WORDS_BYTES, WORDS_BYTES + 1]),
        6 | 7 => odd(random),
        _ => tail_bytes + 4096 * (1 + random.below(5)),
    };
    // Where tables lie over backings, leaves of one level are tables of another: walks of that cost much.
    let table_base = match random.below(32) {
        0 => random.choose(&[0, 0x1000]),
        1..=4 => PHYSICAL_END,
        5..=8 => random.bits() >> 12,
        _ => 0x10_0000,
    };
    let visible_end = SNAPSHOT_GPA + u64::from(snapshot_bytes).next_multiple_of(PAGE_BYTES);
    let mut mapped: Vec<MappedSetup> = Vec::new();
    for _ in 0..random.choose(&[0, 1, 1, 2, MAX_MAPPED]) {
        let bytes = if random.one_in(2) { odd(random) } else { pages(random) };
        let after = mapped.last().map_or(visible_end, |last| last.gpa + u64::from(last.bytes) + PAGE_BYTES - 1);
        let gpa = match random.below(8) {
            // Round the snapshot's beginning, or in its middle.
            0 => random.choose(&[0, 0x2000]),
            1 | 2 => visible_end,
            3 if random.one_in(3) => after.saturating_sub(2 * PAGE_BYTES),
            3 => after,
            4 => GPA_END - u64::from(scratch_bytes).next_multiple_of(PAGE_BYTES) - u64::from(bytes),
            5 => GPA_END - u64::from(scratch_bytes),
            6 => random.bits() >> 28,
            _ => 0x40_0000,
        };
        mapped.push(MappedSetup { gpa, bytes, writable: random.one_in(2), executable: random.one_in(2) });
    }
    let paging = !random.one_in(8);
    let adjacent = random.one_in(2);
    // Walks up to the full bounds take milliseconds.
    let work_bounds = if random.one_in(256) { WorkBounds::Full } else { WorkBounds::Small };
    Setup { paging, snapshot_bytes, tail_pages, scratch_bytes, buffer_bytes, table_base, mapped, adjacent, work_bounds }
        .normalised()
}
