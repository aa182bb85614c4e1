//! What the generator draws, held against the component's constants.

use super::generate::PageWalkGenerator;
use crate::random::Random;
use crate::rig::Generator as _;
use memtwin_models::Contract as _;
use memtwin_models::page_walk::{
    Backing, EDGES, MAX_FILE_MAPPINGS, MAX_MAPPED, MAX_TAIL_PAGES, Op, PageWalkContract, SLOTS,
};
use std::collections::BTreeSet;

/// Each value of each small operand, and each count that a component's constant bounds.
#[test]
fn every_value_of_a_small_operand_is_drawn() {
    let mut generator = PageWalkGenerator::new(&PageWalkContract::STRICT);
    let mut random = Random::new(1);
    let (mut seen, mut ends) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..2000 {
        let setup = generator.setup(&mut random);
        seen.insert(format!("{} pages of tables", setup.tail_pages));
        seen.insert(format!("{} file mappings", setup.mapped.len()));
        generator.begin(&setup, &mut random);
        for _ in 0..200 {
            let op = generator.op(&mut random);
            #[allow(clippy::wildcard_enum_match_arm)] // the others have no small operand
            match op {
                Op::Snapshot { slot } => drop(seen.insert(format!("snapshot {}", slot.index()))),
                Op::Restore { slot } => drop(seen.insert(format!("restore {}", slot.index()))),
                Op::SharedRead { backing, .. } => drop(seen.insert(format!("read {}", backing.index()))),
                Op::MapFile { file } => drop(seen.insert(format!("map file {}", file.index()))),
                Op::UnmapFile { file } => drop(seen.insert(format!("unmap file {}", file.index()))),
                Op::Map { kind, .. } => drop(seen.insert(format!("{kind:?}"))),
                Op::GuestWord { value, .. } if value <= MAX_FILE_MAPPINGS + 1 => {
                    seen.insert(format!("word {value}"));
                }
                _ => {}
            }
            if let Op::Walk { address, length } | Op::Read { address, length } = op {
                let end = address.wrapping_add(length);
                ends.extend(setup.edges().iter().position(|edge| *edge == end));
            }
        }
    }
    let mut wanted = Vec::new();
    wanted.extend((0..=MAX_TAIL_PAGES).map(|pages| format!("{pages} pages of tables")));
    wanted.extend((0..=MAX_MAPPED).map(|count| format!("{count} file mappings")));
    wanted.extend((0..SLOTS).flat_map(|slot| [format!("snapshot {slot}"), format!("restore {slot}")]));
    wanted.extend((0..Backing::COUNT).map(|index| format!("read {index}")));
    wanted
        .extend([MAX_FILE_MAPPINGS - 1, MAX_FILE_MAPPINGS, MAX_FILE_MAPPINGS + 1].map(|count| format!("word {count}")));
    wanted.extend((0..MAX_MAPPED).flat_map(|index| [format!("map file {index}"), format!("unmap file {index}")]));
    let missing: Vec<_> = wanted.iter().filter(|value| !seen.contains(*value)).collect();
    assert!(missing.is_empty(), "never drawn: {missing:?}");
    let kinds = seen.iter().filter(|value| value.starts_with("Basic") || value.starts_with("Cow")).count();
    assert_eq!(kinds, 8 + 4, "all rights of both kinds");
    assert_eq!(ends.len(), EDGES, "ranges end at each edge");
}
