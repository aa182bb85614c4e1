//! The committed evidence: every Broken subject has one trace under crashes/, which fails on it as its header says, for
//! the reason that its story tells, and on which every sound subject agrees. Replayed for ever.

use memtwin::Registry;
use memtwin::finding::{Cause, Ending};
use memtwin::isolate::Isolation;
use memtwin::lockstep::Audits;
use memtwin::trace_files::{Loaded, find_traces, load};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn isolation() -> Isolation {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_memtwin"));
    Isolation::start_from(program, Arc::new(AtomicBool::new(false))).expect("the memtwin program serves as a zygote")
}

/// The committed traces; raw artifacts of fuzzers may lie beside them.
fn evidence(registry: &Registry) -> Vec<Loaded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crashes");
    let files = find_traces(&folder).expect("crashes/ is there");
    let traces = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    traces.map(|file| load(registry, file).expect("committed traces can be read")).collect()
}

#[test]
fn every_broken_subject_fails_on_its_trace_as_the_story_says() {
    let registry = memtwin::built_in();
    let evidence = evidence(&registry);
    let mut isolation = isolation();
    for (index, target) in registry.targets().enumerate().filter(|(_, target)| !target.is_sound()) {
        let component = target.dialect().name();
        let own = |trace: &&Loaded| {
            trace.dialect.name() == component && trace.header.subject.as_deref() == Some(target.subject())
        };
        let traces: Vec<_> = evidence.iter().filter(own).collect();
        let [trace] = traces[..] else { panic!("{} has {} traces instead of one", target.name(), traces.len()) };
        let ending = isolation.replay(index, &trace.wire, Audits::Full).expect("workers can be forked");
        let Some(Ending::Failed(failure)) = ending else { panic!("{} gave {ending:?}", target.name()) };
        let signature = target.dialect().signature(&trace.wire, &failure);
        assert_eq!(Some(signature.as_str()), trace.header.expect.as_deref(), "{}", target.name());
        let story = trace.header.story.as_deref().unwrap_or_default();
        assert!(story.contains(failure.cause.name()), "the story of {} names not {signature}: {story}", target.name());
    }
}

#[test]
fn sound_subjects_agree_on_all_evidence() {
    let registry = memtwin::built_in();
    let mut isolation = isolation();
    let mut judged = 0;
    for trace in evidence(&registry) {
        let sound = registry.targets().enumerate().filter(|(_, target)| target.is_sound());
        for (index, target) in sound.filter(|(_, target)| target.dialect().name() == trace.dialect.name()) {
            match isolation.replay(index, &trace.wire, Audits::EveryStep).expect("workers can be forked") {
                Some(Ending::Agreed) => judged += 1,
                Some(Ending::Unsupported(_)) => {}
                other => panic!("{} on {}: {other:?}", target.name(), trace.path.display()),
            }
        }
    }
    let broken = registry.targets().filter(|target| !target.is_sound()).count();
    assert!(broken <= judged, "only {judged} runs were judged");
}

#[test]
fn every_trace_names_a_subject_that_exists_and_is_in_canonical_form() {
    let registry = memtwin::built_in();
    for trace in evidence(&registry) {
        let subject = trace.header.subject.clone().unwrap_or_default();
        assert!(registry.index_of(trace.dialect.name(), &subject).is_some(), "{}", trace.path.display());
        let text = std::fs::read_to_string(&trace.path).expect("it was read before");
        assert_eq!(trace.dialect.print(&trace.wire, &trace.header), text, "{}", trace.path.display());
    }
}

/// Bulk reads of 256 to 65,536 bytes at guest address 0x1000, as the bug report's benchmark made them.
#[test]
fn the_scenario_of_the_bug_report_kills_the_original_and_no_later_generation() {
    let registry = memtwin::built_in();
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/guest_memory/seed-report-benchmark");
    let trace = load(&registry, &seed).expect("the seed is committed");
    let mut isolation = isolation();
    let mut replay = |subject: &str| {
        let index = registry.index_of("guest_memory", subject).expect("the subject is in the registry");
        isolation.replay(index, &trace.wire, Audits::EveryStep).expect("workers can be forked")
    };
    let Some(Ending::Failed(failure)) = replay("original") else {
        panic!("the original survived the report's scenario")
    };
    assert_eq!(trace.dialect.signature(&trace.wire, &failure).as_str(), "guest_memory/segfault/read_bulk");
    let Cause::Fault(fault) = &failure.cause else { panic!("{failure:?} is no fault") };
    assert_eq!(fault.address, Some(0x1000), "the fault address is the guest address");
    for later in ["published_fix", "physical_memory", "soft_mmu"] {
        assert_eq!(replay(later), Some(Ending::Agreed), "{later}");
    }
}
