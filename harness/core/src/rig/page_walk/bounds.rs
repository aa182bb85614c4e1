//! Plans walks round the bounds on table visits and on leaves. Does not know how a trace goes on: after a plan the root
//! is empty.

use crate::random::Random;
use memtwin_models::page_walk::translate::{LARGE, NO_EXECUTE, PRESENT, WRITABLE};
use memtwin_models::page_walk::{MAX_MAPPED_PAGES, MAX_TABLES, MappingKind, Op, PAGE_BYTES, PHYSICAL_END, Setup};

/// The entries of a table.
const ENTRIES: u16 = 512;
/// The last entry that a walk of the lower half of the address space looks at.
const LAST_LOWER: u64 = 255;
/// Where leaves lead that nobody backs: lists of regions hold none of them.
const UNBACKED: u64 = 1 << 40;
/// The lower half of the address space.
const LOWER_HALF: Op = Op::Walk { address: 0, length: 1 << 47 };

fn to(table: u64) -> u64 {
    table | PRESENT | WRITABLE
}

fn fill(table: u64, count: u16, value: u64) -> Op {
    Op::FillEntries { address: table, count, value }
}

/// By how much a walk goes beyond its bound.
#[derive(Debug, Clone, Copy)]
enum Excess {
    Nothing,
    One,
    Much,
}

/// Plans such a walk, the next op last, and an empty root after it.
pub(super) fn plan(setup: &Setup, has_memory: bool, random: &mut Random, planned: &mut Vec<Op>) {
    planned.push(fill(setup.table_base, ENTRIES, 0));
    match random.below(8) {
        0 => planned.push(plan_mapping(random)),
        1 | 2 => plan_leaves(setup, has_memory, random, planned),
        3 | 4 => plan_cycle(setup, has_memory, random, planned),
        _ => plan_visits(setup, has_memory, random, planned),
    }
}

/// As many pages as a mapping can have, or one more. Taking them away makes no tables.
fn plan_mapping(random: &mut Random) -> Op {
    let pages = MAX_MAPPED_PAGES + u64::from(random.below(2));
    Op::Map { phys: 0, virt: 0, length: pages * PAGE_BYTES, kind: MappingKind::Unmapped }
}

/// Entries that lead from the root through two tables to tables that are not there, which are visited
/// all the same and cost next to nothing; a large leaf on the way; and a walk round the bound on visits.
fn plan_visits(setup: &Setup, has_memory: bool, random: &mut Random, planned: &mut Vec<Op>) {
    let root = setup.table_base;
    let (upper, lower) = (root + PAGE_BYTES, root + 2 * PAGE_BYTES);
    let nowhere = (root + MAX_TABLES as u64 * PAGE_BYTES) % PHYSICAL_END;
    let excess = random.choose(&[Excess::Nothing, Excess::One, Excess::Much]);
    // The root, and for each of n entries the two tables and n that are not there: (n + 1)^2 visits.
    let bound = u16::try_from(setup.work_bounds.table_visits().isqrt()).unwrap_or(ENTRIES);
    let (count, passes) = match excess {
        Excess::Nothing | Excess::One => (bound - 1, 1),
        Excess::Much => (ENTRIES, ENTRIES),
    };
    planned.push(if has_memory && random.one_in(2) { Op::Regions } else { LOWER_HALF });
    if let Excess::One = excess {
        planned.push(fill(root + 8 * LAST_LOWER, 1, to(nowhere)));
    }
    // Behind the entries, or instead of the last.
    planned.push(fill(lower + 8 * u64::from(count.min(ENTRIES - 1)), 1, to(0) | LARGE));
    planned.push(fill(lower, count, to(nowhere)));
    planned.push(fill(upper, passes, to(lower)));
    planned.push(fill(root, count, to(upper)));
    planned.extend([Op::AllocTable, Op::AllocTable]);
}

/// Tables full of large leaves, and a walk round the bound on leaves.
fn plan_leaves(setup: &Setup, has_memory: bool, random: &mut Random, planned: &mut Vec<Op>) {
    let root = setup.table_base;
    let [upper, lower, other] = [1, 2, 3].map(|index| root + index * PAGE_BYTES);
    let tables = u16::try_from(setup.work_bounds.leaves() / u64::from(ENTRIES)).unwrap_or(u16::MAX);
    // A walk shows each leaf: of full bounds that is tens of MiB.
    let is_shown = !has_memory || random.one_in(8);
    planned.push(if is_shown { LOWER_HALF } else { Op::Regions });
    if random.one_in(2) {
        planned.push(fill(root + 8 * LAST_LOWER, 1, to(other)));
    }
    planned.push(fill(other, 1, to(UNBACKED) | LARGE));
    planned.push(fill(lower, ENTRIES, to(UNBACKED) | LARGE));
    planned.push(fill(upper, tables.min(ENTRIES), to(lower)));
    planned.push(fill(root, (tables / ENTRIES).max(1), to(upper)));
    planned.extend([Op::AllocTable, Op::AllocTable, Op::AllocTable]);
}

/// A root that leads to itself everywhere, and a walk of it.
fn plan_cycle(setup: &Setup, has_memory: bool, random: &mut Random, planned: &mut Vec<Op>) {
    let root = setup.table_base;
    planned.push(if has_memory && !random.one_in(4) { Op::Regions } else { LOWER_HALF });
    planned.push(fill(root, ENTRIES, to(root) | random.choose(&[0, NO_EXECUTE])));
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin_models::page_walk::model::PageWalkModel;
    use memtwin_models::page_walk::{PageWalkContract, WorkBounds};
    use memtwin_models::{Contract as _, Model as _};

    /// How many of 64 planned walks are too much work.
    fn too_much_work(plan: fn(&Setup, bool, &mut Random, &mut Vec<Op>)) -> usize {
        let setup = Setup { work_bounds: WorkBounds::Small, ..Setup::plain() };
        let is_too_much = |seed| {
            let mut model = PageWalkModel::new(&setup, &PageWalkContract::STRICT);
            let mut planned = Vec::new();
            plan(&setup, true, &mut Random::new(seed), &mut planned);
            let mut walks = planned.into_iter().rev().filter(|op| {
                let is_walk = matches!(op, Op::Walk { .. } | Op::Regions);
                let allowed = model.allowed(op);
                model.follow(op);
                is_walk && allowed == "an error: too much work"
            });
            walks.next().is_some()
        };
        (0..64).filter(|seed| is_too_much(*seed)).count()
    }

    #[test]
    fn walks_lie_on_both_sides_of_each_bound() {
        for plan in [plan_visits, plan_leaves] {
            assert!((8..56).contains(&too_much_work(plan)));
        }
        assert_eq!(too_much_work(plan_cycle), 64);
    }
}
