//! The subjects of page walks: the hardened one claims nothing, and is as good after a reset as it was when new. That
//! every short trace agrees is for `tests/exhaustive.rs`.

use memtwin::models::page_walk::{Outcome, PageWalk, View};
use memtwin::models::{Health, Subject};
use memtwin::rig::SmallWorld as _;
use memtwin::subjects::page_walk::Hardened;

#[test]
fn hardened_claims_nothing() {
    let registry = memtwin::built_in();
    let target = registry.index_of("page_walk", "hardened").and_then(|index| registry.get(index)).unwrap();
    assert_eq!(target.health(), Health::Sound);
    assert_eq!(target.claimed(), Vec::<&str>::new());
}

#[test]
fn a_reset_gives_back_what_was_written() {
    let small = PageWalk::small();
    let setup = &small.starts[0].setup;
    let view = |subject: &mut Hardened| {
        let mut view = View { wants_bytes: true, ..View::default() };
        subject.view(&mut view);
        view
    };
    let mut used = Hardened::new(setup).unwrap();
    let fresh = view(&mut used);
    let mut seen = Outcome::default();
    for op in &small.ops {
        used.apply(op, &mut seen);
    }
    assert!(used.reset(setup));
    let after = view(&mut used);
    assert_eq!((after.bookkeeping, after.backings, after.entries), (fresh.bookkeeping, fresh.backings, fresh.entries));
}
