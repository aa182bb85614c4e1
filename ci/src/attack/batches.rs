//! Batches: many mutants of traces in a folder, judged by one process. What fails in a batch is looked for in halves of
//! it, so that one file is named.

use super::calls::Call;
use super::judge::{CODES, complaints};
use super::place::Place;
use memtwin::drivers::command::Trouble;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file of a batch: its name tells it from all others in a line of text.
pub(super) struct Mutant {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// Judges the traces of a component: which decode, and how a sound subject takes those that do.
pub(super) fn judge(place: &Place, component: &str, subject: &str, mutants: &[Mutant]) -> Result<(), Trouble> {
    let out = place.fresh_folder()?;
    let folder = Path::new(&out).join(component);
    write(place, &folder, mutants)?;
    let check = place.call(["corpus", "check"]).with([&folder]).needing([&folder]).busy(allowed(mutants.len()));
    let ended = check.run()?;
    let found = complaints(&ended, CODES);
    if !found.is_empty() {
        return narrow(place, component, mutants, &|folder| check_of(place, folder));
    }
    // Files that do not decode end a replay, so they are left out of it.
    let said = String::from_utf8_lossy(&ended.out);
    let bad: BTreeSet<&str> = said.lines().flat_map(names).collect();
    let good: Vec<&Mutant> = mutants.iter().filter(|mutant| !bad.contains(mutant.name.as_str())).collect();
    for mutant in mutants.iter().filter(|mutant| bad.contains(mutant.name.as_str())) {
        std::fs::remove_file(place.root().join(&folder).join(&mutant.name))?;
    }
    if good.is_empty() {
        return Ok(());
    }
    let replay = |folder: &Path| place.call(["replay", "--subject", subject]).with([folder]).needing([folder]);
    let ended = loop {
        let ended = replay(&folder).busy(allowed(mutants.len())).run()?;
        // A file that decodes may be one of another component, or of a subject that is none.
        let named = String::from_utf8_lossy(&ended.err).lines().flat_map(names).map(str::to_owned).next();
        let path = named.map(|name| place.root().join(&folder).join(name)).filter(|path| path.is_file());
        match path.filter(|_| ended.code == 2) {
            Some(path) => std::fs::remove_file(path)?,
            None => break ended,
        }
    };
    let mut found = complaints(&ended, CODES);
    if ended.code == 2 && found.is_empty() {
        found.push("a folder of traces that decode is refused".to_owned());
    }
    if found.is_empty() {
        std::fs::remove_dir_all(place.root().join(&out))?;
        return Ok(());
    }
    narrow(place, component, mutants, &replay)
}

fn check_of(place: &Place, folder: &Path) -> Call {
    place.call(["corpus", "check"]).with([folder]).needing([folder])
}

/// Processor time for a number of traces.
fn allowed(mutants: usize) -> u64 {
    10 + mutants as u64 / 50
}

/// The name of a mutant of wire bytes, as AFL++ names inputs, or of a JSON trace: what is no input by its name is left
/// alone by `corpus check`.
pub(super) fn name(number: usize, is_json: bool) -> String {
    if is_json { format!("mutant{number}.jsonl") } else { format!("id:{number:06}") }
}

/// The names of mutants in a line.
fn names(line: &str) -> impl Iterator<Item = &str> {
    const WIRE_BYTES: usize = "id:000000".len();
    const JSON: &str = ".jsonl";
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    line.split(|character: char| character == '/' || character.is_whitespace()).filter_map(move |word| {
        if word.starts_with("id:") {
            return word.get(..WIRE_BYTES).filter(|name| is_number(&name[3..]));
        }
        let end = word.find(JSON)?;
        is_number(word.get(..end)?.strip_prefix("mutant")?).then_some(&word[..end + JSON.len()])
    })
}

fn write(place: &Place, folder: &Path, mutants: &[Mutant]) -> Result<(), Trouble> {
    let folder = place.root().join(folder);
    std::fs::create_dir_all(&folder)?;
    Ok(mutants.iter().try_for_each(|mutant| std::fs::write(folder.join(&mutant.name), &mutant.bytes))?)
}

/// Tells of the smallest part of a batch that fails by itself, which is most often one file.
fn narrow(place: &Place, component: &str, mutants: &[Mutant], call: &dyn Fn(&Path) -> Call) -> Result<(), Trouble> {
    let fails = |part: &[Mutant]| -> Result<Option<(Vec<String>, Call)>, Trouble> {
        let folder: PathBuf = Path::new(&place.fresh_folder()?).join(component);
        write(place, &folder, part)?;
        let call = call(&folder).busy(allowed(part.len()));
        let found = complaints(&call.run()?, CODES);
        Ok((!found.is_empty()).then_some((found, call)))
    };
    let mut part = mutants;
    let mut last = fails(part)?;
    while 1 < part.len() {
        let (one, other) = part.split_at(part.len() / 2);
        let halves = [(one, fails(one)?), (other, None)];
        let [(one, first), _] = halves;
        let (half, found) = if first.is_some() { (one, first) } else { (other, fails(other)?) };
        if found.is_none() {
            break;
        }
        (part, last) = (half, found);
    }
    match last {
        Some((found, call)) => place.failures.tell("mutants", &found, &call),
        // It does not repeat without the files that do not decode, or at all.
        None => place.failures.say("mutants", "a batch failed once", &format!("--seed {}", place.seed)),
    }
}

#[cfg(test)]
mod tests {
    use super::{name, names};

    #[test]
    fn names_are_found_in_lines_of_any_form() {
        let line =
            "does not decode: cannot read own/7/brk_heap/mutant12.jsonl:3: mutant, mutantx.jsonl, id:000009: id:x.";
        assert_eq!(names(line).collect::<Vec<_>>(), [name(12, true), name(9, false)]);
    }
}
