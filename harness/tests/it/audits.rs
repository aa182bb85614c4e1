//! Audits: what a cheap one says a full one says as well, for every subject of every component. Where it would not, a
//! true failure would not be confirmed.

use memtwin::finding::{Ending, Failure, Step};
use memtwin::isolate::Isolation;
use memtwin::lockstep::Audits;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Traces of each broken subject, each of a setup of its own.
const TRACES: u64 = 40;

#[test]
fn every_verdict_of_a_sample_is_repeated_by_a_full_audit() {
    let registry = memtwin::built_in();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_memtwin"));
    let mut isolation = Isolation::start_from(program, Arc::new(AtomicBool::new(false))).unwrap();
    let mut components = Vec::new();
    for (index, target) in registry.targets().enumerate().filter(|(_, target)| !target.is_sound()) {
        let mut source = target.traces();
        let mut wire = Vec::new();
        for number in 0..TRACES {
            source.write(5, number * 64, &mut wire);
            let mut replay = |audits| isolation.replay(index, &wire, audits).unwrap();
            let Some(Ending::Failed(sampled)) = replay(Audits::Sample) else { continue };
            if sampled.step != Step::Audit {
                continue;
            }
            components.push(target.dialect().name());
            let signature = |failure: &Failure| target.dialect().signature(&wire, failure);
            match replay(Audits::Full) {
                Some(Ending::Failed(full)) => assert_eq!(signature(&full), signature(&sampled), "{}", target.name()),
                other => panic!("{}: {} became {other:?} in trace {number}", target.name(), signature(&sampled)),
            }
        }
    }
    components.dedup();
    assert!(3 <= components.len(), "only in {components:?} an audit found anything");
}
