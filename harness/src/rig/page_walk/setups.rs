//! Draws page-walk setups: backings that end within a page, scratches without room, file mappings side by side with others
//! for guest and host. Refuses to know what becomes of them.

use crate::random::Random;
use memtwin_models::page_walk::{GPA_END, MappedSetup, PAGE_BYTES, PHYSICAL_END, SNAPSHOT_GPA, Setup, WorkBounds};

/// Draws a setup.
pub(super) fn draw(random: &mut Random) -> Setup {
    let pages = |random: &mut Random| 4096 * (1 + random.below(4));
    let odd = |random: &mut Random| 1 + random.below(0x4000);
    let snapshot_bytes = if random.one_in(3) { odd(random) } else { pages(random) };
    let scratch_bytes = match random.below(8) {
        0 => 1 + random.below(0x40),
        1 => 1 + random.below(0x400),
        2 | 3 => odd(random),
        _ => 4096 * (1 + random.below(6)),
    };
    let buffer_bytes = match random.below(8) {
        0 => random.below(24),
        1 => random.below(scratch_bytes + 1),
        _ => random.choose(&[0x40, 0x80, 0x100, 0x200]),
    };
    // Where tables lie over backings, leaves of one level are tables of another: walks of that cost much.
    let table_base = match random.below(32) {
        0 => random.choose(&[0, 0x1000]),
        1..=4 => PHYSICAL_END,
        5..=8 => random.bits() >> 12,
        _ => 0x10_0000,
    };
    let tail_pages = random.choose(&[0, 0, 0, 1, 2]);
    let visible_end = SNAPSHOT_GPA + u64::from(snapshot_bytes).next_multiple_of(PAGE_BYTES);
    let mut mapped: Vec<MappedSetup> = Vec::new();
    for _ in 0..random.choose(&[0, 1, 1, 2, 3]) {
        let bytes = if random.one_in(2) { odd(random) } else { pages(random) };
        let after = mapped.last().map_or(visible_end, |last| last.gpa + u64::from(last.bytes) + PAGE_BYTES - 1);
        let gpa = match random.below(8) {
            0 => 0x2000,
            1 | 2 => visible_end,
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
