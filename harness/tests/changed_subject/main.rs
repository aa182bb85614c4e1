//! A hardened subject with one line changed, or one that serves too little: every verb says so.
//!
//! This program is its own memtwin: started with [`PROGRAM`] it is the command line, with the built-in subjects, with a
//! changed `soft_mmu` in the place of the hardened one, or with a subject that serves too little. Otherwise it is the
//! tests.

mod campaign;
#[path = "../it/forms/mod.rs"]
mod forms;
mod regress;
mod room;
mod subject;
mod vacuous;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: memtwin::isolate::heap::CountingAllocator = memtwin::isolate::heap::CountingAllocator;

/// Which program this is to be.
const PROGRAM: &str = "MEMTWIN_TEST_PROGRAM";

fn main() -> ExitCode {
    if let Ok(program) = std::env::var(PROGRAM) {
        let registry = vacuous::registry(&program).unwrap_or_else(|| subject::registry(&program));
        return memtwin::cli::main(&registry);
    }
    let trials = [
        Trial::test("a_broken_line_is_reported_exactly_and_mending_it_is_seen", regress::a_broken_line),
        Trial::test("a_known_finding_is_no_failure_until_it_expires", regress::known_findings),
        Trial::test("evidence_that_shows_nothing_any_more_is_a_failure", regress::vanished_evidence),
        Trial::test("what_is_gone_is_named_with_its_reason", regress::gone),
        Trial::test("all_committed_traces_are_as_the_committed_baseline_says", regress::committed_baseline),
        Trial::test("campaigns_that_judge_too_little_are_no_pass", vacuous::campaigns),
        Trial::test("a_subject_without_a_reset_is_said_to_be_rebuilt", vacuous::rebuilt),
        Trial::test("small_worlds_that_judge_too_little_are_no_pass", vacuous::small_worlds),
        Trial::test("corpora_that_nobody_judges_are_no_pass_and_stay", vacuous::corpora),
        Trial::test("a_speed_of_nothing_is_no_measurement", vacuous::speed),
        Trial::test("a_shorter_trace_of_an_earlier_run_stays", campaign::a_shorter_trace_stays),
        Trial::test("a_corpus_that_shows_it_is_a_finding_of_the_campaign", campaign::a_corpus_that_shows_it),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}
