//! Mutants of what is committed: thousands of traces in batches, and a sample of them, of run files and of logs, given
//! to each verb that reads such a file.

use super::Count;
use super::batches::{self, Mutant};
use super::calls::Call;
use super::judge::{CODES, complaints};
use super::mutate::{index, mutant};
use super::place::Place;
use memtwin::Target;
use memtwin::drivers::command::Trouble;
use memtwin::random::{Random, mix};
use memtwin::trace::JSON_PREFIX;
use std::path::{Path, PathBuf};

/// How many mutants go into a batch.
const BATCH: usize = 1_000;
/// How many batches there are, and how many mutants that are judged alone.
const SHORT: (u64, u64) = (3, 250);
const LONG: (u64, u64) = (92, 8_000);

/// The words before and after the file; `OUT` stands for a folder of the call's own.
type Words = (&'static [&'static str], &'static [&'static str]);

const OF_TRACES: &[Words] = &[
    (&["replay"], &[]),
    (&["explain"], &[]),
    (&["explain", "--json"], &[]),
    (&["convert"], &["--to", "wire", "-o", "OUT/wire"]),
    (&["convert"], &["--to", "jsonl", "-o", "OUT/trace.jsonl"]),
    (&["export"], &["--to", "rust-test", "-o", "OUT/test.rs"]),
    (&["export"], &["--to", "c", "-o", "OUT/test.c"]),
    (&["shrink"], &["-o", "OUT/small.jsonl"]),
    (&["regress"], &["--out", "OUT"]),
];

const OF_RUNS: &[Words] = &[
    (&["report"], &["--to", "html,junit,sarif,md", "-o", "OUT"]),
    (&["compare", "reports/baseline.json"], &[]),
    (&["merge", "reports/baseline.json"], &["-o", "OUT/merged.json"]),
    (&["regress", "crashes/guest_memory/GM-01.jsonl", "--out", "OUT", "--baseline"], &[]),
];

/// Something to make mutants of.
struct Parent {
    bytes: Vec<u8>,
    /// The folder's name, by which memtwin knows what wire bytes mean.
    component: String,
    is_json: bool,
}

pub(super) fn run(place: &Place) -> Result<Count, Trouble> {
    let (batches, alone) = if place.long { LONG } else { SHORT };
    let traces = traces(place)?;
    let mut done = place.each(0..batches, |number| batch(place, &traces, number))? * BATCH;
    let (run, log) = campaign(place)?;
    let runs = [run, std::fs::read(place.root().join("reports/baseline.json"))?];
    done += place.each(0..alone, |number| {
        let mut random = Random::new(mix(mix(place.seed, 2), number));
        match random.below(10) {
            0 => of_log(place, &mut random, &log),
            1 | 2 => of_run(place, &mut random, &runs),
            _ => of_trace(place, &mut random, &traces),
        }
    })?;
    Ok(Count { what: format!("{done} mutants"), skipped: Vec::new() })
}

/// The committed traces and seeds.
fn traces(place: &Place) -> Result<Vec<Parent>, Trouble> {
    let mut found = Vec::new();
    for (component, wing) in
        place.components.iter().flat_map(|component| [(component, "crashes"), (component, "corpus")])
    {
        let folder = place.root().join(wing).join(component);
        let mut paths =
            std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
        paths.sort();
        for path in paths {
            let is_json = path.extension().is_some_and(|extension| extension == "jsonl");
            found.push(Parent { bytes: std::fs::read(path)?, component: (*component).to_owned(), is_json });
        }
    }
    Ok(found)
}

/// A run file and the log of a small campaign.
fn campaign(place: &Place) -> Result<(Vec<u8>, Vec<u8>), Trouble> {
    let out = place.fresh_folder()?;
    let arguments = ["fuzz", "guest_memory/GM-06", "guest_memory/physical_memory", "brk_heap/BH-12", "--seed", "7"];
    let ended = place.call(arguments).with(["--ops", "300k", "--json", "--out", &out]).run()?;
    if ended.code != 0 {
        return Err(Trouble::Failed(format!(
            "a campaign ends with {}: {}",
            ended.code,
            String::from_utf8_lossy(&ended.err)
        )));
    }
    Ok((ended.out, std::fs::read(place.root().join(&out).join(".campaign.jsonl"))?))
}

fn pick<'a>(random: &mut Random, parents: &'a [Parent]) -> &'a Parent {
    &parents[index(random, parents.len())]
}

fn batch(place: &Place, traces: &[Parent], number: u64) -> Result<(), Trouble> {
    let component = place.components[usize::try_from(number).unwrap_or_default() % place.components.len()];
    let own: Vec<&Parent> = traces.iter().filter(|parent| parent.component == component).collect();
    let mut random = Random::new(mix(mix(place.seed, 1), number));
    let mut mutants = Vec::new();
    while mutants.len() < BATCH {
        let parent = own[index(&mut random, own.len())];
        let donor = pick(&mut random, traces);
        let bytes = mutant(&mut random, &parent.bytes, &donor.bytes);
        // What is no JSON trace from its first byte on is refused for that; some of those are judged alone.
        if !parent.is_json || bytes.starts_with(JSON_PREFIX) {
            mutants.push(Mutant { name: batches::name(mutants.len(), parent.is_json), bytes });
        }
    }
    let registry = memtwin::built_in();
    let sound = registry.targets().find(|target| target.is_sound() && target.dialect().name() == component);
    let subject =
        sound.map(Target::subject).ok_or_else(|| Trouble::Failed(format!("{component} has no sound subject")))?;
    batches::judge(place, component, subject, &mutants)
}

fn of_trace(place: &Place, random: &mut Random, traces: &[Parent]) -> Result<(), Trouble> {
    let (parent, donor) = (pick(random, traces), pick(random, traces));
    let name = format!("{}/mutant{}", parent.component, if parent.is_json { ".jsonl" } else { "" });
    let bytes = mutant(random, &parent.bytes, &donor.bytes);
    let words = random.choose(OF_TRACES);
    alone(place, words, &name, &bytes)
}

fn of_run(place: &Place, random: &mut Random, runs: &[Vec<u8>]) -> Result<(), Trouble> {
    let parent = &runs[index(random, runs.len())];
    let bytes = mutant(random, parent, parent);
    let words = random.choose(OF_RUNS);
    alone(place, words, "mutant.json", &bytes)
}

fn of_log(place: &Place, random: &mut Random, log: &[u8]) -> Result<(), Trouble> {
    let out = place.fresh_folder()?;
    // The first line says how much is to be done. A mutant that asks for years of it is no failure.
    let first = log.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (head, lines) = log.split_at(first);
    let bytes = [head, &mutant(random, lines, lines)].concat();
    std::fs::write(place.root().join(&out).join(".campaign.jsonl"), bytes)?;
    // The call goes on with the log, so what it was given is kept beside.
    std::fs::create_dir(place.root().join(&out).join("given"))?;
    let kept: PathBuf = Path::new(&out).join("given/.campaign.jsonl");
    std::fs::copy(place.root().join(&out).join(".campaign.jsonl"), place.root().join(&kept))?;
    judge(place, &place.call(["fuzz", "--resume", "--out", &out]).needing([&kept]).busy(30), &out)
}

/// One mutant and one verb.
fn alone(place: &Place, (before, after): Words, name: &str, bytes: &[u8]) -> Result<(), Trouble> {
    let out = place.fresh_folder()?;
    let file = Path::new(&out).join(name);
    let whole = place.root().join(&file);
    std::fs::create_dir_all(whole.parent().unwrap_or(place.root()))?;
    std::fs::write(whole, bytes)?;
    let word = |word: &&str| word.replace("OUT", &out);
    let call = place.call(before.iter().map(word)).with([&file]).with(after.iter().map(word));
    let good = before.iter().filter(|word| word.contains('/')).map(PathBuf::from);
    // To shrink is to run a trace again and again.
    let busy = if before[0] == "shrink" || before[0] == "regress" { 60 } else { 10 };
    judge(place, &call.needing(good.chain([file])).busy(busy), &out)
}

fn judge(place: &Place, call: &Call, out: &str) -> Result<(), Trouble> {
    let found = complaints(&call.run()?, CODES);
    if !found.is_empty() {
        place.failures.tell("mutants", &found, call)?;
    }
    Ok(std::fs::remove_dir_all(place.root().join(out))?)
}
