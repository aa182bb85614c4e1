//! How much the twin costs: a subject alone, and the same subject beside its model, on the same traces in the same run.
//!
//! `cargo bench -p memtwin` measures and ends with a table of ratios; criterion keeps its own report. A ratio is time
//! alone divided by time in lockstep: 1 would be a twin that costs nothing.

mod alone;
mod mixes;

use alone::Alone;
use criterion::{Criterion, Throughput};
use memtwin::Target;
use memtwin::engines::TraceSource as _;
use memtwin::engines::random::Generated;
use memtwin::isolate::{Batch, Isolation};
use memtwin::lockstep::{Audits, CLOSE_LOOK_EVERY, COUNTS, Ended, Journal};
use memtwin::models::Row;
use memtwin::models::brk_heap::BrkHeap;
use memtwin::models::guest_memory::{GuestMemory, Op};
use memtwin::models::header_free::HeaderFree;
use memtwin::models::page_walk::PageWalk;
use memtwin::models::temp_map::TempMap;
use memtwin::models::{Model as _, StateMap, Subject};
use memtwin::rig::{Generator as _, Rig};
use memtwin::subjects::guest_memory::PhysicalMemorySubject;
use memtwin::subjects::{brk_heap, header_free, page_walk, temp_map};
use memtwin::trace::Trace;
use mixes::{MIXES, STREAM, TRACE_OPS, TRACES};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::{Duration, Instant};

/// Rounds of the ratio table: each round runs every way once, so that noise of the machine meets all alike.
const ROUNDS: usize = 15;

/// One way to run a mix: all its traces once.
struct Way<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
}

/// Runs wire bytes in lockstep, as a worker does.
fn lockstep<'a, C: Rig, S: Subject<C> + 'static>(
    mut next: impl FnMut(u64, &mut Vec<u8>) + 'a,
) -> Box<dyn FnMut() + 'a> {
    let row: &'static Row<C> = Box::leak(Box::new(Row::of::<S>()));
    let mut runner = row.runner();
    let step = AtomicU32::new(0);
    let mut counts = Box::new([0; COUNTS]);
    let mut features = Box::new([0; StateMap::SIZE]);
    let mut wire = Vec::new();
    Box::new(move || {
        for index in 0..TRACES {
            next(index, &mut wire);
            let is_close_look = index.is_multiple_of(CLOSE_LOOK_EVERY);
            let features = is_close_look.then_some(&mut *features);
            let mut journal = Journal { step: &step, counts: &mut counts, features, ops: 0 };
            let audits = if is_close_look { Audits::Full } else { Audits::Sample };
            let ended = runner.run(&wire, audits, &mut journal);
            assert_eq!(ended, Ended::Agreed);
        }
    })
}

/// The ways of a subject, the first of which is the subject alone.
fn ways<'a, C: Rig, S: Subject<C> + 'static>(
    alone: Box<dyn FnMut() + 'a>,
    mut source: Generated<C>,
    wires: &'a [Vec<u8>],
) -> [Way<'a>; 3] {
    [
        Way { name: "alone", run: alone },
        Way {
            name: "lockstep from wire",
            run: lockstep::<C, S>(move |index, wire| wire.clone_from(&wires[usize::try_from(index).unwrap_or(0)])),
        },
        Way {
            name: "generate + lockstep",
            run: lockstep::<C, S>(move |index, wire| source.write(STREAM, index, wire)),
        },
    ]
}

/// The table rows of a subject beside its model, on the ops that the random engine draws for this setup. The subject
/// alone carries out the decoded ops and is reset after each trace.
fn drawn_rows<C: Rig, S: Subject<C> + 'static>(setup: &C::Setup) -> String {
    let source = || Generated::<C>::uniform(C::Generator::new(&S::CONTRACT), setup.clone(), TRACE_OPS);
    let wires = mixes::wires(&mut source());
    let traces: Vec<_> = wires.iter().map(|wire| Trace::<C>::from_wire(wire)).collect();
    let mut subject = S::new(setup).unwrap_or_else(|refusal| panic!("{}: {}", S::NAME, refusal.0));
    let mut seen = C::Outcome::default();
    // It prepares the outcome's buffers, without which they would hold what all ops before have shown.
    let idle = C::Model::new(setup, &S::CONTRACT);
    let alone = || {
        for trace in &traces {
            for op in trace.ops() {
                idle.arrange(op, &mut seen);
                subject.apply(op, &mut seen);
            }
            assert!(subject.reset(setup), "{} is built anew for each trace", S::NAME);
        }
    };
    let mut ways = ways::<C, S>(Box::new(alone), source(), &wires);
    let figures = interleaved(&mut ways);
    let row = |(way, (time, ratio)): (&Way<'_>, (f64, f64))| {
        format!("| {} | {} | {} | {time:.1} | {ratio:.2} |\n", C::NAME, S::NAME, way.name)
    };
    ways.iter().zip(figures).map(row).collect()
}

/// The medians of each way over interleaved rounds, in nanoseconds per op, and the median of each round's ratio.
fn interleaved(ways: &mut [Way<'_>]) -> Vec<(f64, f64)> {
    let mut rounds: Vec<Vec<f64>> = Vec::new();
    for _ in 0..ROUNDS {
        let nanoseconds = |way: &mut Way<'_>| {
            let started = Instant::now();
            (way.run)();
            started.elapsed().as_secs_f64() * 1e9 / (TRACES * u64::from(TRACE_OPS)) as f64
        };
        rounds.push(ways.iter_mut().map(nanoseconds).collect());
    }
    let column = |way: usize| {
        let time = median(rounds.iter().map(|round| round[way]).collect());
        (time, median(rounds.iter().map(|round| round[0] / round[way]).collect()))
    };
    (0..ways.len()).map(column).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn mean_bytes(ops: &[Vec<Op>]) -> f64 {
    let all = ops.iter().flatten();
    let bytes: u64 = all.clone().filter_map(Op::range).map(|(_, length)| length).sum();
    bytes as f64 / all.count() as f64
}

/// Isolation against the same traces in this process, in epochs as campaigns run them: medians of interleaved rounds,
/// in nanoseconds per op.
fn isolation_row() -> Result<String, Box<dyn std::error::Error>> {
    const EPOCH_OPS: u64 = 4_000_000;
    const EPOCHS: u64 = 9;
    let registry = memtwin::built_in();
    let index = registry.index_of("guest_memory", "soft_mmu").ok_or("soft_mmu is in the registry")?;
    let target = registry.get(index).ok_or("an index of the registry")?;
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    let mut times = [Vec::new(), Vec::new()];
    for stream in 0..EPOCHS {
        let started = Instant::now();
        let ops = in_process(target, stream, EPOCH_OPS);
        times[0].push(started.elapsed().as_secs_f64() * 1e9 / ops as f64);
        isolation.clear_counts();
        let started = Instant::now();
        let batch = Batch {
            target: index,
            stream,
            first_trace: 0,
            ops_budget: EPOCH_OPS,
            deadline_nanoseconds: u64::MAX,
            strict: false,
            engine: memtwin::engines::Engine::Random,
        };
        isolation.run_batch(&batch)?;
        times[1].push(started.elapsed().as_secs_f64() * 1e9 / isolation.counts().ops as f64);
    }
    let overheads = times[0].iter().zip(&times[1]).map(|(inside, isolated)| isolated / inside - 1.0).collect();
    let [inside, isolated] = times.map(median);
    let overhead = 100.0 * median(overheads);
    Ok(format!("| campaign of 4 M ops | {inside:.1} | {isolated:.1} | {overhead:+.1} % |"))
}

/// The loop of a worker without isolation.
fn in_process(target: &'static dyn Target, stream: u64, ops_budget: u64) -> u64 {
    let (mut runner, mut traces) = (target.runner(), target.traces());
    let step = AtomicU32::new(0);
    let mut counts = Box::new([0; COUNTS]);
    let mut features = Box::new([0; StateMap::SIZE]);
    let mut wire = Vec::new();
    let mut ops = 0;
    let mut index = 0;
    while ops < ops_budget {
        traces.write(stream, index, &mut wire);
        let is_close_look = index.is_multiple_of(CLOSE_LOOK_EVERY);
        let features = is_close_look.then_some(&mut *features);
        let mut journal = Journal { step: &step, counts: &mut counts, features, ops: 0 };
        let audits = if is_close_look { Audits::Full } else { Audits::Sample };
        assert_eq!(runner.run(&wire, audits, &mut journal), Ended::Agreed);
        ops += journal.ops;
        index += 1;
    }
    ops
}

fn main() {
    // Workers are forked from this program too.
    memtwin::isolate::serve_if_asked(&memtwin::built_in());
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    // Under a profiler only what is asked for runs.
    let profiling = std::env::args().any(|argument| argument == "--profile-time");
    let mut table = String::new();
    for mix in &MIXES {
        let (ops, wires) = (mix.ops(), mix.wires());
        let mut alone = Alone::new(mix);
        let alone = || ops.iter().for_each(|ops| alone.run(ops));
        let mut ways = ways::<GuestMemory, PhysicalMemorySubject>(Box::new(alone), mix.source(), &wires);
        let mut group = criterion.benchmark_group(mix.name);
        group.throughput(Throughput::Elements(TRACES * u64::from(TRACE_OPS)));
        for way in &mut ways {
            group.bench_function(way.name, |bencher| bencher.iter(&mut way.run));
        }
        group.finish();
        if profiling {
            continue;
        }
        let figures = interleaved(&mut ways);
        for (Way { name: way, .. }, (time, ratio)) in ways.iter().zip(figures) {
            table += &format!("| {} | {:.0} | {way} | {time:.1} | {ratio:.2} |\n", mix.name, mean_bytes(&ops));
        }
    }
    criterion.final_summary();
    let mut out = std::io::stdout();
    let heading = "| mix | mean bytes per op | way | ns per op | ratio to alone |\n|---|---|---|---|---|\n";
    let _ = write!(out, "\n{heading}{table}");
    if !profiling {
        let heading = "| component | subject | way | ns per op | ratio to alone |\n|---|---|---|---|---|\n";
        let rows = drawn_rows::<BrkHeap, brk_heap::Hardened>(&mixes::brk_heap())
            + &drawn_rows::<HeaderFree, header_free::Hardened>(&mixes::header_free())
            + &drawn_rows::<PageWalk, page_walk::Hardened>(&mixes::page_walk())
            + &drawn_rows::<TempMap, temp_map::Hardened>(&mixes::temp_map());
        let _ = writeln!(out, "\n{heading}{rows}");
        let row = isolation_row().unwrap_or_else(|error| format!("no figure for isolation: {error}"));
        let heading = "| what | in process, ns per op | isolated, ns per op | overhead |\n|---|---|---|---|\n";
        let _ = writeln!(out, "\n{heading}{row}");
    }
}
