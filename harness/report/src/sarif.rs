//! SARIF 2.1.0: laws and classes of faults are the rules, findings the results. A finding on a Broken subject is what it must be,
//! so its result is informational; an accepted one is suppressed.

use super::{is_unexpected, replay_command};
use memtwin_core::explain::story::End;
use memtwin_core::registry::Registry;
use memtwin_core::run_file::{Finding, RunFile, Status, SubjectRun, Verdict};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_sarif::sarif::{
    ArtifactLocation, Location, LogicalLocation, Message, MultiformatMessageString, PhysicalLocation, Region,
    ReportingDescriptor, Result as SarifResult, ResultKind, ResultLevel, Run, Sarif, Suppression, Tool, ToolComponent,
};
use std::collections::BTreeMap;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const HOME: &str = env!("CARGO_PKG_REPOSITORY");
/// The rule of Broken subjects that were not caught.
const MISSED: &str = "memtwin/missed";
/// The rule of agreements that say too little.
const SHORTFALL: &str = "memtwin/shortfall";
/// The rule of traces that make a regression run red without a failure.
const TRACE: &str = "memtwin/trace";
/// What need not be escaped in the path of a reference.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// The run as SARIF.
pub(super) fn sarif(run: &RunFile, registry: &Registry) -> serde_json::Result<String> {
    let mut rules = Rules { registry, sentences: BTreeMap::new() };
    let mut results = Vec::new();
    for subject in &run.subjects {
        results.extend(subject.findings.iter().map(|finding| of_finding(&mut rules, subject, finding)));
        if subject.verdict == Verdict::Missed {
            let text = format!("The known defect of {} was not found.", subject.name());
            results.push(of_subject(&mut rules, subject, MISSED, &text));
        }
        for shortfall in &subject.shortfalls {
            let text = format!("{}: {shortfall}", subject.name());
            results.push(of_subject(&mut rules, subject, SHORTFALL, &text));
        }
    }
    let silent = run.traces.iter().filter(|trace| trace.unexpected && trace.seen.is_none());
    for trace in silent {
        rules.use_own(TRACE);
        let expected = trace.expected.as_deref().unwrap_or("agreement");
        let reason = trace.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let text =
            format!("{}: {} on {}, expected {expected}{reason}.", trace.status.words(), trace.trace, trace.target);
        let result = SarifResult::builder().rule_id(TRACE).level(ResultLevel::Error).message(message(&text));
        let fingerprint = format!("{}|{}|{}", trace.status.words(), trace.trace, trace.target);
        let location = Location::builder().physical_location(in_file(&trace.trace, 1)).build();
        results.push(result.partial_fingerprints(fingerprints(fingerprint)).locations(vec![location]).build());
    }
    let order: Vec<String> = rules.sentences.keys().cloned().collect();
    for result in &mut results {
        let index = result.rule_id.as_ref().and_then(|id| order.binary_search(id).ok());
        result.rule_index = index.and_then(|index| i64::try_from(index).ok());
    }
    let driver =
        ToolComponent::builder().name("memtwin").semantic_version(env!("CARGO_PKG_VERSION")).information_uri(HOME);
    let tool = Tool::builder().driver(driver.rules(rules.descriptors()).build()).build();
    let run = Run::builder().tool(tool).results(results).build();
    let log = Sarif::builder().schema(SCHEMA).version(serde_json::json!("2.1.0")).runs(vec![run]).build();
    let mut text = serde_json::to_string_pretty(&log)?;
    text.push('\n');
    Ok(text)
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

    fn descriptors(self) -> Vec<ReportingDescriptor> {
        let descriptor = |(id, sentence): (String, String)| {
            let name = id.rsplit('/').next().unwrap_or(&id).to_owned();
            let words = MultiformatMessageString::builder().text(sentence).build();
            let descriptor = ReportingDescriptor::builder().id(id).name(name);
            descriptor.short_description(words.clone()).full_description(words).build()
        };
        self.sentences.into_iter().map(descriptor).collect()
    }
}

/// What a class of faults means.
fn fault_words(name: &str) -> Option<String> {
    use memtwin_core::finding::FaultClass;
    let class = FaultClass::ALL.iter().find(|class| class.name() == name)?;
    Some(format!("A subject never ends its process: {}.", class.words()))
}

fn of_finding(rules: &mut Rules<'_>, subject: &SubjectRun, finding: &Finding) -> SarifResult {
    let diagnosis = finding.story.as_ref().and_then(|story| story.diagnosis.as_deref());
    let mut text = format!("{} on {}.", finding.signature, subject.name());
    if let Some(diagnosis) = diagnosis {
        text.push_str(&format!(" {diagnosis}"));
    }
    text.push_str(&format!(" Replay: {}", replay_command(subject, finding)));
    // The header is line 1, so op 0 is line 2.
    let line = finding.step.map_or(1, |step| step.saturating_add(2));
    let location = Location::builder()
        .physical_location(in_file(&finding.trace, line))
        .logical_locations(vec![logical(subject)])
        .build();
    let is_failure = is_unexpected(subject, finding) || subject.is_sound();
    let (kind, level) = if is_failure {
        (ResultKind::Fail, ResultLevel::Error)
    } else {
        (ResultKind::Informational, ResultLevel::None)
    };
    let result = SarifResult::builder()
        .rule_id(rules.of(subject, finding))
        .kind(kind)
        .level(level)
        .message(message(&text))
        .partial_fingerprints(fingerprints(format!("{}|{}", subject.name(), finding.signature)))
        .locations(vec![location]);
    let mut result = result.build();
    result.related_locations = Some(frames(finding)).filter(|frames| !frames.is_empty());
    result.baseline_state = match finding.status {
        Some(Status::New) => Some("new".into()),
        Some(Status::StillFailing | Status::Known) => Some("unchanged".into()),
        Some(Status::Flaky | Status::Passed | Status::Skipped | Status::Fixed | Status::Gone) | None => None,
    };
    if let Some(reason) = &finding.known {
        let suppression =
            Suppression::builder().kind("external").status("accepted").justification(reason.clone()).build();
        result.suppressions = Some(vec![suppression]);
    }
    result
}

fn of_subject(rules: &mut Rules<'_>, subject: &SubjectRun, rule: &str, text: &str) -> SarifResult {
    rules.use_own(rule);
    let location = Location::builder().logical_locations(vec![logical(subject)]).build();
    let result = SarifResult::builder().rule_id(rule).level(ResultLevel::Error).message(message(text));
    result.partial_fingerprints(fingerprints(text.to_owned())).locations(vec![location]).build()
}

/// Where a fault was in the subject's code.
fn frames(finding: &Finding) -> Vec<Location> {
    let Some(End::Died { frames, .. }) = finding.story.as_ref().map(|story| &story.end) else { return Vec::new() };
    let location = |frame: &String| {
        let (name, place) = frame.split_once(" at ")?;
        let (file, line) = place.rsplit_once(':')?;
        let line = line.parse().ok().filter(|line| 0 < *line)?;
        Some(Location::builder().physical_location(in_file(file, line)).message(message(name)).build())
    };
    frames.iter().filter_map(location).collect()
}

fn in_file(path: &str, line: usize) -> PhysicalLocation {
    let path = utf8_percent_encode(path, PATH).to_string();
    let uri = if path.starts_with('/') { format!("file://{path}") } else { path };
    let file = ArtifactLocation::builder().uri(uri).build();
    let line = i64::try_from(line).unwrap_or(i64::MAX);
    PhysicalLocation::builder().artifact_location(file).region(Region::builder().start_line(line).build()).build()
}

fn logical(subject: &SubjectRun) -> LogicalLocation {
    LogicalLocation::builder().fully_qualified_name(subject.name()).kind("type").build()
}

fn message(text: &str) -> Message {
    Message::builder().text(text).build()
}

fn fingerprints(text: String) -> BTreeMap<String, String> {
    BTreeMap::from([("memtwinSignature/v1".to_owned(), text)])
}
