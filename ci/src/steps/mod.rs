//! The steps, in the order they run: what fails soonest comes first. A step proves one thing; it neither installs nor
//! repairs.

mod afl;
mod attack;
mod campaign;
mod corpora;
mod fuzzers;
mod gates;
mod libraries;
mod new;
mod nightly;
mod oss_fuzz;
mod report_page;
mod source;
mod traces;
mod witness;
mod workflows;

use crate::room::Room;
use memtwin::drivers::command::Trouble;

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// At every change.
    Fast,
    /// With `--full`.
    Full,
}

/// One thing to prove.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) lane: Lane,
    pub(crate) what: &'static str,
    pub(crate) run: fn(&Room) -> Result<(), Trouble>,
}

const fn fast(name: &'static str, what: &'static str, run: fn(&Room) -> Result<(), Trouble>) -> Step {
    Step { name, lane: Lane::Fast, what, run }
}

const fn full(name: &'static str, what: &'static str, run: fn(&Room) -> Result<(), Trouble>) -> Step {
    Step { name, lane: Lane::Full, what, run }
}

/// Call it before the first step, so that the last one knows what was there.
pub(crate) fn note_worktree(room: &Room) {
    let _ = source::note_worktree(room);
}

/// Every step.
pub(crate) const STEPS: &[Step] = &[
    fast("format", "all code is as rustfmt writes it", source::format),
    fast("clippy", "no lint speaks, in all targets", source::clippy),
    fast("components", "each component builds alone, without a warning, from few packages", source::components),
    fast("docs", "the documentation builds without a warning", source::docs),
    fast("msrv", "the code builds with the oldest Rust that it promises", source::msrv),
    fast("dependencies", "licences, sources and bans are as deny.toml says", source::dependencies),
    fast("advisories", "no dependency has a known advisory", source::advisories),
    fast("test", "the tests of the workspace and the tidy checks", source::test),
    fast("replay", "every committed trace ends as its header says, every seed agrees", traces::replay),
    fast(
        "regress",
        "no committed trace is worse than the baseline says, and every form of a report is made",
        traces::regress,
    ),
    fast("own-subject", "a crate outside the workspace brings its own subject", traces::own_subject),
    fast("new", "each crate that `memtwin new` writes passes its tests and catches its broken subject", new::crates),
    fast("libfuzzer", "libFuzzer on stable finds nothing, and dies of GM-01 as it should", fuzzers::stable),
    fast("attack", "bad files, mutants, kills, full disks and lost readers: the program stands", attack::short),
    full("third-party", "published crates agree with the models", traces::third_party),
    full("libraries", "malloc libraries of the distribution agree with the model of heap", libraries::libraries),
    full("campaign", "every defect is caught, 200 M ops of each sound subject agree", campaign::campaign),
    full("seeds", "every defect is caught within 2 s at three seeds", campaign::seeds),
    full("variants", "right code of other kinds agrees, defects beyond the catalogue are caught", campaign::variants),
    full("exhaustive", "every trace of at most three ops over the small worlds agrees", campaign::exhaustive),
    full("workers", "one worker and two find the same, byte for byte", campaign::workers),
    full("witness", "KVM and the x86_64 crate translate as the model of page_walk does", witness::built_in),
    full("witness-emulator", "QEMU's memory management translates as the model of temp_map does", witness::emulator),
    full("attack-long", "the same with 100,000 mutants and 100 kills", attack::long),
    full("asan", "libFuzzer with AddressSanitizer finds nothing, and dies of GM-01", fuzzers::address_sanitizer),
    full("libfuzzer-finds", "libFuzzer on stable finds a defect of each component", fuzzers::stable_finds),
    full("cmin", "cargo fuzz cmin keeps every seed and throws away what adds nothing", fuzzers::cmin),
    full("asan-finds", "libFuzzer with AddressSanitizer finds a defect of each", fuzzers::address_sanitizer_finds),
    full("afl", "two instances of AFL++ keep no crash of sound subjects", afl::finds_nothing),
    full("afl-finds", "two instances of AFL++ find a defect of each component", afl::finds_defects),
    full("corpora", "what one engine keeps raises what every other begins with", corpora::corpora),
    full("nightly", "a nightly run finds a planted defect, and goes on from the one before", nightly::nightly),
    full("oss-fuzz", "ClusterFuzzLite and OSS-Fuzz can build, run and measure the fuzz targets", oss_fuzz::contract),
    full("workflows", "the workflows are what GitHub takes for workflows", workflows::valid),
    full("report-page", "the HTML report works in a browser, whatever its texts are", report_page::report_page),
    full("miri-models", "the models' tests, and those of the wire code, under Miri", source::miri_models),
    full("bench", "the benchmarks compile and run, in short", source::bench),
    full("gates", "every step fails where a fault is planted for it", gates::gates),
    fast("worktree", "nothing that ran has left a file that git sees", source::worktree),
];
