//! The three forms of a trace: typed, wire bytes, JSON lines. For every component, typed to either and back is the
//! identity, generated traces are canonical, any bytes decode, and most changes of a byte give another trace. What the
//! bytes mean is frozen beside this, in a file for each component.

use arbitrary::{Arbitrary, Unstructured};
use memtwin::engines::{TraceSource as _, random::Generated};
use memtwin::models::Contract as _;
use memtwin::models::brk_heap::BrkHeap;
use memtwin::models::guest_memory::GuestMemory;
use memtwin::models::header_free::HeaderFree;
use memtwin::models::heap::Heap;
use memtwin::models::page_walk::{MAX_FILLED, Op, PageWalk};
use memtwin::models::temp_map::TempMap;
use memtwin::models::wire::Reader;
use memtwin::random::{Random, hash_name};
use memtwin::rig::{Generator, Rig};
use memtwin::trace::{Header, JSON_PREFIX, Trace};
use proptest::prelude::*;
use std::path::Path;

/// JSON lines of a trace with a plain header.
pub(crate) fn json<C: Rig>(trace: &Trace<C>) -> String {
    let registry = memtwin::built_in();
    let dialect = registry.dialects().find(|dialect| dialect.name() == C::NAME).unwrap();
    dialect.print(&trace.to_wire(), &Header::plain())
}

pub(crate) fn from_json<C: Rig>(text: &str) -> Trace<C> {
    let registry = memtwin::built_in();
    let dialect = registry.dialects().find(|dialect| dialect.name() == C::NAME).unwrap();
    let header: Header = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    Trace::from_wire(&dialect.parse(Path::new("a.jsonl"), &header, text).unwrap())
}

/// What the first op of each trace is, as one number.
pub(crate) fn meaning<C: Rig>(traces: impl IntoIterator<Item = Vec<u8>>) -> u64 {
    let mut words = String::new();
    for wire in traces {
        words.push_str(&serde_json::to_string(&Trace::<C>::from_wire(&wire).ops()[0]).unwrap());
        words.push('\n');
    }
    hash_name(&words)
}

/// What all 256 tags mean, each after the same setup and before the same bytes.
pub(crate) fn meaning_of_tags<C: Rig>(setup: &[u8], operands: &[u8]) -> u64 {
    meaning::<C>((0..=255).map(|tag| [setup, &[tag], operands].concat()))
}

/// A setup that the generator drew, or that bytes say, or one that the shrinker makes of these.
fn setup_from<C: Rig>(bytes: &[u8], seed: u64) -> C::Setup {
    let mut random = Random::new(seed);
    let setup = match random.below(2) {
        0 => C::Generator::new(&C::Contract::STRICT).setup(&mut random),
        _ => C::read_setup(&mut Reader::new(bytes)),
    };
    let mut simpler = C::simpler_setups(&setup);
    match u32::try_from(simpler.len()).unwrap() {
        count @ 1.. if random.one_in(2) => simpler.swap_remove(random.below(count) as usize),
        _ => setup,
    }
}

fn ops_from<O: for<'a> Arbitrary<'a>>(bytes: &[u8]) -> Vec<O> {
    let mut source = Unstructured::new(bytes);
    std::iter::from_fn(|| (!source.is_empty()).then(|| O::arbitrary(&mut source).ok()).flatten()).take(200).collect()
}

fn generated<C: Rig>(stream: u64, index: u64) -> Vec<u8> {
    let mut wire = Vec::new();
    Generated::<C>::new(&C::Contract::STRICT).write(stream, index, &mut wire);
    wire
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// `as_meant` makes of an op what the wire can say.
fn typed_to_both_forms_and_back<C: Rig<Op: for<'a> Arbitrary<'a>>>(as_meant: fn(&mut C::Op)) {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..1000);
    proptest!(config(), |(seed: u64, setup in bytes(), ops in bytes())| {
        let mut ops: Vec<C::Op> = ops_from(&ops);
        ops.iter_mut().for_each(as_meant);
        let trace = Trace::<C>::new(setup_from::<C>(&setup, seed), ops);
        prop_assert_eq!(C::check_setup(&trace.setup), Ok(()));
        prop_assert_eq!(&Trace::from_wire(&trace.to_wire()), &trace);
        let text = json(&trace);
        prop_assert!(text.as_bytes().starts_with(JSON_PREFIX));
        prop_assert_eq!(text.lines().count(), 1 + trace.ops().len());
        prop_assert_eq!(&from_json(&text), &trace);
    });
}

fn generated_traces_keep_through_both_forms<C: Rig>() {
    proptest!(config(), |(stream: u64, index in 0..1_u64 << 40)| {
        let wire = generated::<C>(stream, index);
        let trace = Trace::<C>::from_wire(&wire);
        prop_assert_eq!(C::check_setup(&trace.setup), Ok(()));
        // Version 2 is written where ops that came later may be drawn; there may be none in the end.
        let canonical = trace.to_wire();
        if canonical.first() == wire.first() {
            prop_assert_eq!(&canonical, &wire, "the generator does not write the canonical form");
        }
        prop_assert_eq!(&Trace::from_wire(&canonical), &trace);
        prop_assert_eq!(&from_json(&json(&trace)), &trace);
    });
}

fn any_bytes_decode_and_their_canonical_form_stays<C: Rig>() {
    proptest!(config(), |(bytes in proptest::collection::vec(any::<u8>(), 0..4096))| {
        let trace = Trace::<C>::from_wire(&bytes);
        prop_assert!(trace.ops().len() <= bytes.len());
        prop_assert_eq!(C::check_setup(&trace.setup), Ok(()));
        let canonical = trace.to_wire();
        prop_assert_eq!(&Trace::from_wire(&canonical), &trace);
        prop_assert_eq!(Trace::<C>::from_wire(&canonical).to_wire(), canonical);
    });
}

/// A fuzzer that changes a byte should get something else to run, and not the same trace again.
fn most_changes_of_a_byte_give_another_trace<C: Rig>(least_percent: u32) {
    let mut random = Random::new(3);
    let (mut changes, mut different) = (0_u32, 0_u32);
    for index in 0..40 {
        let mut wire = generated::<C>(5, index * 64);
        wire.truncate(300);
        let trace = Trace::<C>::from_wire(&wire);
        for position in 0..wire.len() {
            for _ in 0..4 {
                let mut changed = wire.clone();
                changed[position] ^= u8::try_from(1 + random.below(255)).unwrap();
                changes += 1;
                different += u32::from(Trace::<C>::from_wire(&changed) != trace);
            }
        }
    }
    assert!(changes / 100 * least_percent <= different, "{different} of {changes} changes give a different trace");
}

/// A count beyond the most that one op writes means the most; wire bytes have the number that is meant.
fn cut_count(op: &mut Op) {
    if let Op::FillEntries { count, .. } = op {
        *count = (*count).min(MAX_FILLED);
    }
}

macro_rules! the_laws_of {
    ($($component:ident, $type:ty, $as_meant:expr, $least_percent:literal;)*) => {$(
        mod $component {
            use super::*;

            #[test]
            fn typed_to_both_forms_and_back_is_the_identity() {
                typed_to_both_forms_and_back::<$type>($as_meant);
            }

            #[test]
            fn generated_traces_keep_through_both_forms() {
                super::generated_traces_keep_through_both_forms::<$type>();
            }

            #[test]
            fn any_bytes_decode_and_their_canonical_form_stays() {
                super::any_bytes_decode_and_their_canonical_form_stays::<$type>();
            }

            #[test]
            fn most_changes_of_a_byte_give_another_trace() {
                super::most_changes_of_a_byte_give_another_trace::<$type>($least_percent);
            }
        }
    )*};
}

the_laws_of! {
    guest_memory, GuestMemory, |_| (), 80;
    brk_heap, BrkHeap, |_| (), 80;
    header_free, HeaderFree, |_| (), 90;
    heap, Heap, |_| (), 80;
    page_walk, PageWalk, cut_count, 80;
    temp_map, TempMap, |_| (), 80;
}
