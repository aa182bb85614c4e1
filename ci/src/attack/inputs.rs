//! Every verb that reads a file, given every bad file. Those that change what they are given work on a copy.

use super::judge::{CODES, complaints};
use super::place::Place;
use super::{Count, bad_files, calls::Call};
use memtwin::drivers::command::{Run, Trouble};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A trace that is as it should be, where another file is what is bad.
const GOOD: &str = "crashes/guest_memory/GM-01.jsonl";
const BASELINE: &str = "reports/baseline.json";

/// The words before and after the path that is bad; `OUT` stands for a folder of the call's own.
struct Verb {
    before: &'static [&'static str],
    after: &'static [&'static str],
    /// Whether it gets a folder with a copy, because it changes what it is given or reads folders.
    of_corpora: bool,
}

const fn reads(before: &'static [&'static str], after: &'static [&'static str]) -> Verb {
    Verb { before, after, of_corpora: false }
}

const fn changes(before: &'static [&'static str], after: &'static [&'static str]) -> Verb {
    Verb { before, after, of_corpora: true }
}

const CAMPAIGN: &[&str] = &["fuzz", "guest_memory/GM-01", "--ops", "1000", "--seed", "1", "--out", "OUT"];

const VERBS: &[Verb] = &[
    reads(&["replay"], &[]),
    reads(&["replay", "--json"], &[]),
    reads(&["explain"], &[]),
    reads(&["explain", "--json"], &[]),
    reads(&["shrink"], &["-o", "OUT/small.jsonl"]),
    reads(&["convert"], &["--to", "wire", "-o", "OUT/wire"]),
    reads(&["convert"], &["--to", "jsonl", "-o", "OUT/trace.jsonl"]),
    reads(&["accept"], &["--crashes", "OUT/crashes"]),
    reads(&["export"], &["--to", "rust-test", "-o", "OUT/test.rs"]),
    reads(&["export"], &["--to", "c", "-o", "OUT/test.c"]),
    reads(&["regress"], &["--out", "OUT"]),
    reads(&["regress", GOOD, "--out", "OUT", "--baseline"], &[]),
    reads(&["regress", GOOD, "--out", "OUT", "--known"], &[]),
    reads(&["report"], &["--to", "html,junit,sarif,md", "-o", "OUT"]),
    reads(&["compare"], &[BASELINE]),
    reads(&["compare", BASELINE], &["--json"]),
    reads(&["merge"], &["-o", "OUT/merged.json"]),
    reads(&["merge", BASELINE], &["-o", "OUT/merged.json"]),
    reads(&["corpus", "check"], &[]),
    reads(&["fuzz", "guest_memory/GM-01", "--ops", "1000", "--seed", "1", "--out", "OUT", "--known"], &[]),
    changes(&["replay"], &[]),
    changes(&["corpus", "check"], &[]),
    changes(&["corpus", "minimize"], &[]),
    changes(&["corpus", "migrate"], &[]),
    changes(&["corpus", "merge"], &["OUT/into"]),
    changes(CAMPAIGN, &["--corpus", "IT"]),
];

pub(super) fn run(place: &Place) -> Result<Count, Trouble> {
    let files = bad_files::make(place.root(), place.long)?;
    let numbered = VERBS.iter().enumerate();
    let pairs =
        numbered.flat_map(|(row, verb)| files.iter().enumerate().map(move |(column, file)| (row + column, verb, file)));
    // In short a third of them: each verb gets a third of the files, each file goes to a third of the verbs.
    let pairs = pairs.filter(|(number, _, _)| place.long || number % 3 == 0);
    let runs = place.each(pairs, |(_, verb, file)| {
        let out = place.fresh_folder()?;
        let Some(call) = call(place, verb, file, &out)? else { return Ok(()) };
        let found = complaints(&call.run()?, CODES);
        if !found.is_empty() {
            place.failures.tell("inputs", &found, &call)?;
        }
        std::fs::remove_dir_all(place.root().join(&out))?;
        Ok(())
    })?;
    let taken_up = resumed(place, &files)?;
    Ok(Count { what: format!("{} runs of {} bad files", runs + taken_up, files.len()), skipped: Vec::new() })
}

/// The call of a verb with a file; none where the verb wants a folder and there is no copy of this.
fn call(place: &Place, verb: &Verb, file: &Path, out: &str) -> Result<Option<Call>, Trouble> {
    let given = if verb.of_corpora {
        let Some(name) = file.file_name().filter(|_| file.is_relative()) else { return Ok(None) };
        let folder = Path::new(out).join("corpora/guest_memory");
        if place.root().join(file).metadata().is_ok_and(|metadata| 1 << 26 < metadata.len()) {
            return Ok(None);
        }
        std::fs::create_dir_all(place.root().join(&folder))?;
        if place.root().join(file).symlink_metadata().is_err() {
            return Ok(None);
        }
        Run::new(place.root(), "cp", ["-a", "--"]).with([file, &folder.join(name)]).quietly()?;
        Path::new(out).join("corpora")
    } else {
        file.to_owned()
    };
    let word = |word: &&str| OsString::from(word.replace("OUT", out));
    // A corpus is given behind an option.
    let after: Vec<OsString> =
        verb.after.iter().map(|text| if *text == "IT" { given.clone().into_os_string() } else { word(text) }).collect();
    let here = verb.after.contains(&"IT");
    let call = place.call(verb.before.iter().map(word));
    let call = if here { call } else { call.with([given.as_os_str()]) }.with(after);
    let good = verb.before.iter().chain(verb.after).filter(|word| [GOOD, BASELINE].contains(word));
    let needs = [given.as_path()].into_iter().filter(|path| path.is_relative() && !path.as_os_str().is_empty());
    Ok(Some(call.needing(good.map(Path::new).chain(needs)).busy(if place.long { 60 } else { 10 })))
}

/// Every bad file as the log of a campaign, and as its folder.
fn resumed(place: &Place, files: &[PathBuf]) -> Result<usize, Trouble> {
    place.each(files, |file| {
        let out = place.fresh_folder()?;
        let log = Path::new(&out).join(".campaign.jsonl");
        let exists = !file.as_os_str().is_empty() && place.root().join(file).symlink_metadata().is_ok();
        if exists && file.is_relative() {
            Run::new(place.root(), "cp", ["-a", "--"]).with([file, &log]).quietly()?;
        }
        let forms: [&OsStr; 2] = [OsStr::new(&out), file.as_os_str()];
        for folder in forms.into_iter().filter(|folder| !folder.is_empty()) {
            let call = place.call(["fuzz", "--resume", "--out"]).with([folder]).needing([Path::new(&out)]);
            let found = complaints(&call.run()?, CODES);
            if !found.is_empty() {
                place.failures.tell("inputs", &found, &call)?;
            }
        }
        std::fs::remove_dir_all(place.root().join(&out))?;
        Ok(())
    })
}
