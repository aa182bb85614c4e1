//! What a run file (schema memtwin-run/1, see reports/README.md) must say for a step to pass. It reads the JSON as
//! others would, not the harness's own types: the schema is what is tested.

use memtwin::drivers::command::{Printed, Trouble, last_lines};
use serde_json::Value;

/// Reads a run file.
pub(crate) fn parse(text: &str) -> Result<Value, Trouble> {
    let run: Value = serde_json::from_str(text)?;
    if run["schema"] == "memtwin-run/1" { Ok(run) } else { Err(failed(format!("the schema is {}", run["schema"]))) }
}

/// Reads the run file that a command printed. It says more than the exit code does, so it is read even where that is
/// not 0.
pub(crate) fn of(printed: &Printed) -> Result<Value, Trouble> {
    parse(&printed.out).map_err(|_| failed(last_lines(&printed.err)))
}

/// The sound subjects are these and agree, without a shortfall and with less than one moot trace in a hundred; every
/// other subject is broken and caught.
pub(crate) fn as_expected(run: &Value, sound: &[&str]) -> Result<(), Trouble> {
    let mut complaints = Vec::new();
    let mut agreed = Vec::new();
    for subject in subjects(run) {
        let name = subject["subject"].as_str().unwrap_or_default();
        let verdict = subject["verdict"].as_str().unwrap_or_default();
        if subject["health"] == "sound" {
            agreed.push(name);
            if verdict != "agreed" {
                complaints.push(format!("{name} {verdict}"));
            }
            let count = |field: &str| subject[field].as_u64();
            match (count("traces"), count("moot"), count("unsupported")) {
                (Some(traces), Some(moot), Some(unsupported)) if 100 * (moot + unsupported) < traces => {}
                counts => {
                    complaints.push(format!("{name}: of the traces too few were judged to their end: {counts:?}"));
                }
            }
            complaints.extend(texts(&subject["shortfalls"]).map(|shortfall| format!("{name}: {shortfall}")));
        } else if verdict != "caught" {
            complaints.push(format!("{name} {verdict}"));
        }
    }
    agreed.sort_unstable();
    if agreed != sound {
        complaints.push(format!("the sound subjects are {agreed:?}, not {sound:?}"));
    }
    if complaints.is_empty() { Ok(()) } else { Err(failed(complaints.join("; "))) }
}

/// Every broken subject was caught within this time of a worker.
pub(crate) fn caught_within(run: &Value, seconds: f64) -> Result<(), Trouble> {
    let mut complaints = Vec::new();
    for subject in subjects(run).filter(|subject| subject["health"] == "broken") {
        match subject["findings"].get(0).and_then(|finding| finding["seconds"].as_f64()) {
            Some(took) if took <= seconds => {}
            Some(took) => complaints.push(format!("{} took {took:.2} s", subject["subject"])),
            None => complaints.push(format!("{} was missed", subject["subject"])),
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(failed(complaints.join("; "))) }
}

/// The run file without times, which are all that may differ between two runs of one seed and op budget.
pub(crate) fn without_times(mut run: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("seconds");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    strip(&mut run);
    run
}

fn subjects(run: &Value) -> impl Iterator<Item = &Value> {
    run["subjects"].as_array().into_iter().flatten()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn failed(what: String) -> Trouble {
    Trouble::Failed(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run() -> Value {
        json!({ "schema": "memtwin-run/1", "seed": 7, "subjects": [
            { "subject": "right", "health": "sound", "verdict": "agreed", "traces": 1000, "moot": 3, "unsupported": 1,
              "seconds": 1.5, "shortfalls": [], "findings": [] },
            { "subject": "wrong", "health": "broken", "verdict": "caught", "traces": 3, "moot": 0, "unsupported": 0,
              "seconds": 0.5, "shortfalls": [], "findings": [{ "signature": "c/bounds/read/result", "seconds": 0.25 }] },
        ]})
    }

    #[test]
    fn a_good_run_passes() {
        assert_eq!(as_expected(&run(), &["right"]), Ok(()));
        assert_eq!(caught_within(&run(), 0.25), Ok(()));
    }

    #[test]
    fn each_way_to_be_bad_fails() {
        let changes: [(&str, Value); 6] = [
            ("/subjects/0/verdict", json!("diverged")),
            ("/subjects/0/moot", json!(9)),
            ("/subjects/0/moot", Value::Null),
            ("/subjects/0/shortfalls", json!(["read failed 0 times"])),
            ("/subjects/0/health", json!("broken")),
            ("/subjects/1/verdict", json!("missed")),
        ];
        for (place, value) in changes {
            let mut run = run();
            *run.pointer_mut(place).unwrap() = value.clone();
            assert!(as_expected(&run, &["right"]).is_err(), "{place} = {value}");
        }
        assert!(as_expected(&run(), &["right", "another"]).is_err());
        assert!(caught_within(&run(), 0.2).is_err());
        assert!(parse("{\"schema\":\"memtwin-run/2\"}").is_err());
    }

    #[test]
    fn times_are_all_that_is_left_out() {
        let mut slower = run();
        *slower.pointer_mut("/subjects/1/findings/0/seconds").unwrap() = json!(9.0);
        assert_eq!(without_times(slower), without_times(run()));
        let mut other = run();
        *other.pointer_mut("/subjects/1/findings/0/signature").unwrap() = json!("c/bounds/write/result");
        assert_ne!(without_times(other), without_times(run()));
    }
}
