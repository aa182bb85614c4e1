//! Mutation and the guided engine: mutants are traces of their component, most differ from their parent, and traces
//! kept by one engine steer another to where it had not been.

use memtwin::Target;
use memtwin::engines::TraceSource as _;
use memtwin::engines::guided::Guided;
use memtwin::feedback::Reach;
use memtwin::lockstep::{Audits, COUNTS, Ended, Journal};
use memtwin::models::StateMap;
use memtwin::mutate::{MAX_MUTANT_BYTES, MAX_OPS, Mutator};
use memtwin::random::Random;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;

const STREAM: u64 = 3;

/// One sound subject of each component.
fn targets() -> Vec<&'static dyn Target> {
    let registry = memtwin::built_in();
    let of = |name: &str| registry.targets().find(|target| target.dialect().name() == name && target.is_sound());
    registry.dialects().map(|dialect| of(dialect.name()).expect("a component has a sound subject")).collect()
}

fn trace(target: &dyn Target, index: u64) -> Vec<u8> {
    let mut wire = Vec::new();
    target.traces().write(STREAM, index, &mut wire);
    wire
}

#[test]
fn mutants_are_canonical_traces_and_differ() {
    for target in targets() {
        let dialect = target.dialect();
        let mut mutator = Mutator::new(target.cutter());
        let mut random = Random::new(1);
        let mut lengths = BTreeSet::new();
        let mut mutants = BTreeSet::new();
        let mut wire = Vec::new();
        // Two traces of one group share their setup.
        let (parent, donor) = (trace(target, 0), trace(target, 1));
        for number in 0..500 {
            mutator.set_donor(&donor);
            assert!(mutator.set_parent(&parent));
            if number % 4 == 0 {
                mutator.cross(&mut random, MAX_MUTANT_BYTES, &mut wire);
            } else {
                mutator.mutate(&mut random, MAX_MUTANT_BYTES, &mut wire);
            }
            assert_eq!(dialect.canonical(&wire), wire, "{}", dialect.name());
            let ops = dialect.op_count(&wire);
            assert!(ops <= MAX_OPS);
            lengths.insert(ops);
            mutants.insert(wire.clone());
        }
        assert!(
            30 < lengths.len() && 450 < mutants.len(),
            "{}: {} lengths, {} mutants",
            dialect.name(),
            lengths.len(),
            mutants.len()
        );
        assert!(mutants.iter().filter(|mutant| **mutant == parent).count() <= 1);
    }
}

#[test]
fn ops_under_another_setup_still_decode() {
    for target in targets() {
        let dialect = target.dialect();
        let mut mutator = Mutator::new(target.cutter());
        let mut random = Random::new(2);
        let mut wire = Vec::new();
        for index in (0..64 * 40).step_by(64) {
            mutator.set_donor(&trace(target, index + 64));
            assert!(mutator.set_parent(&trace(target, index)));
            mutator.set_setup_of(&trace(target, index + 128));
            mutator.mutate(&mut random, MAX_MUTANT_BYTES, &mut wire);
            let canonical = dialect.canonical(&wire);
            assert_eq!(dialect.canonical(&canonical), canonical, "{}", dialect.name());
            assert_eq!(
                dialect.words(&wire, 0..0).0,
                dialect.words(&trace(target, index + 128), 0..0).0,
                "the setup is not the other's"
            );
        }
    }
}

/// Runs traces of the guided engine; returns what they reached.
fn reached(target: &'static dyn Target, guided: &mut Guided, traces: u64) -> usize {
    let mut runner = target.runner();
    let step = AtomicU32::new(0);
    let mut counts = [0; COUNTS];
    let mut map = [0; StateMap::SIZE];
    let mut wire = Vec::new();
    let mut reach = Reach::default();
    for index in 0..traces {
        guided.write(STREAM, index, &mut wire);
        let mut journal = Journal { step: &step, counts: &mut counts, features: Some(&mut map), ops: 0 };
        let ended = runner.run(&wire, Audits::Sample, &mut journal);
        assert!(matches!(ended, Ended::Agreed | Ended::Moot { .. }), "{ended:?}");
        if let Some(kept) = guided.learn(&wire, &mut map) {
            reach.adopt(&kept.reached);
        }
    }
    reach.features()
}

#[test]
fn what_one_engine_kept_raises_another_from_the_start() {
    const TRACES: u64 = 2000;
    const FEW: u64 = 64;
    for target in targets() {
        let engine = || Guided::new(target.traces(), Mutator::new(target.cutter()));
        let mut first = engine();
        let long = reached(target, &mut first, TRACES);
        let alone = reached(target, &mut engine(), FEW);
        let mut second = engine();
        let handed_on: Vec<_> = first.kept().to_vec();
        assert!(8 < handed_on.len());
        handed_on.into_iter().for_each(|kept| second.adopt(kept));
        assert!(alone < long, "{}: {alone} features in {FEW} traces, {long} in {TRACES}", target.name());
        assert_eq!(second.features(), long, "{}: what was handed on is what was reached", target.name());
    }
}
