//! SARIF 2.1.0: laws and classes of faults are the rules, findings the results. A finding on a Broken subject is what
//! it must be, so its result is informational; an accepted one is suppressed.

use super::{is_unexpected, replay_command};
use memtwin_core::explain::story::End;
use memtwin_core::registry::Registry;
use memtwin_core::run_file::{Finding, RunFile, Status, SubjectRun, Verdict};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The name of what tells results apart.
const FINGERPRINT: &str = "memtwinSignature/v1";
const HOME: &str = env!("CARGO_PKG_REPOSITORY");
/// The rule of Broken subjects that were not caught.
const MISSED: &str = "memtwin/missed";
/// The rule of agreements that say too little.
const SHORTFALL: &str = "memtwin/shortfall";
/// The rule of traces that make a regression run red without a failure.
const TRACE: &str = "memtwin/trace";
/// The most frames of a result: stories have no more.
const MOST_FRAMES: usize = 24;
/// What need not be escaped in the path of a reference.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// The run as SARIF, a result a line.
pub(super) fn sarif(run: &RunFile, registry: &Registry, out: &mut dyn Write) -> io::Result<()> {
    let mut rules = Rules { registry, sentences: BTreeMap::new() };
    each_result(run, &mut rules, &mut |_| Ok(()))?;
    let order: BTreeMap<String, usize> = rules.sentences.keys().cloned().zip(0..).collect();
    let driver = json!({
        "name": "memtwin",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "informationUri": HOME,
        "rules": rules.descriptors(),
    });
    write!(
        out,
        "{{\"$schema\":\"{SCHEMA}\",\"version\":\"2.1.0\",\"runs\":[{{\"tool\":{{\"driver\":{driver}}},\"results\":["
    )?;
    let mut separator = "\n";
    each_result(run, &mut rules, &mut |mut result| {
        let index = result["ruleId"].as_str().and_then(|id| order.get(id)).copied();
        result["ruleIndex"] = index.into();
        write!(out, "{separator}{result}")?;
        separator = ",\n";
        Ok(())
    })?;
    writeln!(out, "\n]}}]}}")
}

/// Makes one result after the other.
fn each_result(run: &RunFile, rules: &mut Rules<'_>, take: &mut dyn FnMut(Value) -> io::Result<()>) -> io::Result<()> {
    for subject in &run.subjects {
        for finding in &subject.findings {
            take(of_finding(rules, subject, finding))?;
        }
        if subject.verdict == Verdict::Missed {
            let text = format!("The known defect of {} was not found.", subject.name());
            take(of_subject(rules, subject, MISSED, &text))?;
        }
        for shortfall in &subject.shortfalls {
            let text = format!("{}: {shortfall}", subject.name());
            take(of_subject(rules, subject, SHORTFALL, &text))?;
        }
    }
    let silent = run.traces.iter().filter(|trace| trace.unexpected && trace.seen.is_none());
    for trace in silent {
        rules.use_own(TRACE);
        let expected = trace.expected.as_deref().unwrap_or("agreement");
        let reason = trace.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let text =
            format!("{}: {} on {}, expected {expected}{reason}.", trace.status.words(), trace.trace, trace.target);
        take(json!({
            "ruleId": TRACE,
            "level": "error",
            "message": { "text": text },
            "partialFingerprints": {
                FINGERPRINT: format!("{}|{}|{}", trace.status.words(), trace.trace, trace.target),
            },
            "locations": [{ "physicalLocation": in_file(&trace.trace, 1) }],
        }))?;
    }
    Ok(())
}

/// The rules that results refer to, each with its sentence.
struct Rules<'a> {
    registry: &'a Registry,
    sentences: BTreeMap<String, String>,
}

impl Rules<'_> {
    /// The rule of a finding: its component with the law or the class of the fault.
    fn of(&mut self, subject: &SubjectRun, finding: &Finding) -> String {
        let cause = finding.law.as_deref().unwrap_or(&finding.kind);
        let id = format!("{}/{cause}", subject.component);
        let sentence = || {
            let laws =
                self.registry.dialect(&subject.component).map(memtwin_core::target::Dialect::laws).unwrap_or_default();
            let law = laws.iter().find(|law| law.name == cause).map(|law| law.sentence.to_owned());
            law.or_else(|| fault_words(cause)).unwrap_or_else(|| cause.to_owned())
        };
        self.sentences.entry(id.clone()).or_insert_with(sentence);
        id
    }

    /// A rule about runs, not about components.
    fn use_own(&mut self, id: &str) {
        let sentence = match id {
            MISSED => "The known defect of a broken subject must be found.",
            SHORTFALL => "An agreement counts only if it could have failed.",
            _ => "A committed trace shows what it was committed for.",
        };
        self.sentences.insert(id.to_owned(), sentence.to_owned());
    }

    fn descriptors(&self) -> Vec<Value> {
        let descriptor = |(id, sentence): (&String, &String)| {
            let words = json!({ "text": sentence });
            json!({
                "id": id,
                "name": id.rsplit('/').next().unwrap_or(id),
                "shortDescription": words,
                "fullDescription": words,
            })
        };
        self.sentences.iter().map(descriptor).collect()
    }
}

/// What a class of faults means.
fn fault_words(name: &str) -> Option<String> {
    use memtwin_core::finding::FaultClass;
    let class = FaultClass::ALL.iter().find(|class| class.name() == name)?;
    Some(format!("A subject never ends its process: {}.", class.words()))
}

fn of_finding(rules: &mut Rules<'_>, subject: &SubjectRun, finding: &Finding) -> Value {
    let diagnosis = finding.story.as_ref().and_then(|story| story.diagnosis.as_deref());
    let mut text = format!("{} on {}.", finding.signature, subject.name());
    if let Some(diagnosis) = diagnosis {
        text.push_str(&format!(" {diagnosis}"));
    }
    text.push_str(&format!(" Replay: {}", replay_command(subject, finding)));
    // The header is line 1, so op 0 is line 2.
    let line = finding.step.map_or(1, |step| step.saturating_add(2));
    let is_failure = is_unexpected(subject, finding) || subject.is_sound();
    let (kind, level) = if is_failure { ("fail", "error") } else { ("informational", "none") };
    let mut result = json!({
        "ruleId": rules.of(subject, finding),
        "kind": kind,
        "level": level,
        "message": { "text": text },
        "partialFingerprints": { FINGERPRINT: format!("{}|{}", subject.name(), finding.signature) },
        "locations": [{
            "physicalLocation": in_file(&finding.trace, line),
            "logicalLocations": [logical(subject)],
        }],
    });
    let frames = frames(finding);
    if !frames.is_empty() {
        result["relatedLocations"] = frames.into();
    }
    match finding.status {
        Some(Status::New) => result["baselineState"] = "new".into(),
        Some(Status::StillFailing | Status::Known) => result["baselineState"] = "unchanged".into(),
        Some(Status::Flaky | Status::Passed | Status::Skipped | Status::Fixed | Status::Gone) | None => {}
    }
    if let Some(reason) = &finding.known {
        result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": reason }]);
    }
    result
}

fn of_subject(rules: &mut Rules<'_>, subject: &SubjectRun, rule: &str, text: &str) -> Value {
    rules.use_own(rule);
    json!({
        "ruleId": rule,
        "level": "error",
        "message": { "text": text },
        "partialFingerprints": { FINGERPRINT: text },
        "locations": [{ "logicalLocations": [logical(subject)] }],
    })
}

/// Where a fault was in the subject's code.
fn frames(finding: &Finding) -> Vec<Value> {
    let Some(End::Died { frames, .. }) = finding.story.as_ref().map(|story| &story.end) else { return Vec::new() };
    let location = |frame: &String| {
        let (name, place) = frame.split_once(" at ")?;
        let (file, line) = place.rsplit_once(':')?;
        let line = line.parse().ok().filter(|line| 0 < *line)?;
        Some(json!({ "physicalLocation": in_file(file, line), "message": { "text": name } }))
    };
    frames.iter().take(MOST_FRAMES).filter_map(location).collect()
}

fn in_file(path: &str, line: usize) -> Value {
    let path = utf8_percent_encode(path, PATH).to_string();
    let uri = if path.starts_with('/') { format!("file://{path}") } else { path };
    json!({ "artifactLocation": { "uri": uri }, "region": { "startLine": line } })
}

fn logical(subject: &SubjectRun) -> Value {
    json!({ "fullyQualifiedName": subject.name(), "kind": "type" })
}
