//! Draws heap setups that a contract serves: small regions most of the time, at odd addresses too, with or without more
//! memory to come. It knows no op.

use crate::random::Random;
use memtwin_models::heap::{
    BOUNDARY_BYTES, Fault, Fill, HeapContract, MAX_REGION_BYTES, MAX_SECOND_BYTES, MAX_THREADS, Request, SecondRegion,
    Setup,
};
use memtwin_models::vocabulary::told;

/// Six arenas in sixteen have 4 KiB to 64 KiB, six 257 bytes to 9 KiB, two a power of two up to 8 KiB, one up to 8 MiB,
/// and one at most 256 bytes; a quarter begin at a multiple of 2 MiB, a quarter at one of 16, the others at odd
/// addresses. A third may be extended, by up to twice the first region; a third have a second region. Fresh memory
/// holds each of four bytes alike. Programs have two to four threads in one setup of four, and the system refuses
/// something in one of six: memory in half of these. All as far as the contract serves it.
#[told(pub(super) SETUP)]
pub(super) fn draw_setup(contract: &HeapContract, random: &mut Random) -> Setup {
    if contract.own_memory { draw_program(contract, random) } else { draw_arena(contract, random) }
}

/// What a heap with memory of its own can feel: threads, and a system that refuses.
fn draw_program(contract: &HeapContract, random: &mut Random) -> Setup {
    let most = u32::try_from(contract.most_threads).unwrap_or(u32::MAX).min(MAX_THREADS.into());
    let threads = if 1 < most && random.one_in(4) { 2 + random.below(most - 1) } else { 1 };
    let fault = random.one_in(6).then(|| {
        let request = random.choose(&[Request::Map, Request::Map, Request::Unmap, Request::Advise]);
        // Memory is given back less often than it is asked for.
        let after = random.magnitude(if request == Request::Map { 7 } else { 3 }).to_le_bytes()[0].into();
        Fault { request, after, lasts: random.one_in(2) }
    });
    Setup { threads: threads.to_le_bytes()[0], fault, ..Setup::flat(4096) }
}

fn draw_arena(contract: &HeapContract, random: &mut Random) -> Setup {
    let step = u32::try_from(contract.region_align).unwrap_or(u32::MAX).max(1);
    let down = |bytes: u32| bytes - bytes % step;
    let first = match random.below(16) {
        // Smaller than what an allocator notes about it, too.
        0 => 1 + u32::try_from(random.magnitude(8)).unwrap_or(0),
        1..=6 => 257 + random.below(8960),
        7 | 8 => 1 << (9 + random.below(5)),
        9..=14 => random.choose(&[1 << 13, 1 << 14, 1 << 15, 1 << 16]) - random.below(1 << 12),
        _ => random.choose(&[1 << 17, 1 << 18, 1 << 20, MAX_REGION_BYTES]) - random.below(1 << 16),
    };
    let skew = match random.below(8) {
        0 | 1 => 0,
        2 | 3 => 16 * random.below(16),
        4 | 5 => 1 + 2 * random.below(256),
        6 => random.below(1 << 16),
        _ => u32::try_from(BOUNDARY_BYTES).unwrap_or(u32::MAX) - 1 - random.below(256),
    };
    let mut setup = Setup {
        skew_bytes: down(skew),
        memory_holds: random.choose(&Fill::ALL),
        ..Setup::flat(served(contract, first, MAX_REGION_BYTES))
    };
    if random.one_in(3) {
        let extend = 1 + random.below(setup.first_bytes.saturating_mul(2));
        setup.extend_bytes = down(extend.min(MAX_REGION_BYTES)).max(step.min(MAX_REGION_BYTES));
    }
    if random.one_in(3) {
        let bytes = served(contract, 1 + random.below(setup.first_bytes.saturating_mul(2)), MAX_SECOND_BYTES);
        let gap = random.choose(&[1, 16, 64, 4096]) + random.below(256);
        // The second region begins where the contract wants it.
        let skewed = setup.skew_bytes + setup.first_bytes + setup.extend_bytes;
        let start = (skewed + gap).next_multiple_of(step.min(MAX_SECOND_BYTES));
        let second = SecondRegion { gap_bytes: start - skewed, bytes };
        let with = Setup { second: Some(second), ..setup.clone() };
        if with.check().is_ok() && contract.serves(&with).is_ok() {
            return with;
        }
    }
    setup
}

/// A region's size that the contract serves, near the drawn one.
fn served(contract: &HeapContract, bytes: u32, most: u32) -> u32 {
    let align = contract.region_align.max(1);
    let least = contract.smallest_bytes.max(align).next_multiple_of(align);
    let most = contract.largest_bytes.min(most.into());
    let bytes = u64::from(bytes).max(least).min(most);
    let rounded = bytes - bytes % align;
    u32::try_from(rounded).unwrap_or(u32::MAX).clamp(1, MAX_REGION_BYTES)
}
