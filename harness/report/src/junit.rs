//! JUnit XML, as Jenkins' schema has it: a suite a subject, a case a trace of a regression run, or a case a subject of
//! a campaign. What is accepted or does not apply is skipped, with the reason.

use super::{is_as_expected, is_unexpected, replay_command};
use memtwin_core::run_file::{Finding, RunFile, Status, SubjectRun, TraceRun, Verdict};
use quick_xml::events::BytesText;
use quick_xml::writer::Writer;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The suite of traces that no subject of the run stands for.
const NO_SUBJECT: &str = "traces without a subject";

/// The most bytes of the text of one case.
const MOST_TEXT_BYTES: usize = 64 << 10;

/// A case, and how it ended.
struct Case {
    name: String,
    end: End,
}

enum End {
    Passed,
    Skipped(String),
    Failed { kind: &'static str, message: String, text: String },
}

/// A suite: a subject of the run, or the traces that name something else.
struct Suite<'a> {
    name: String,
    subject: Option<&'a SubjectRun>,
    traces: Vec<&'a TraceRun>,
}

impl<'a> Suite<'a> {
    /// Its cases, made one at a time.
    fn cases(&self) -> impl Iterator<Item = Case> + use<'a, '_> {
        let findings: BTreeMap<&str, &Finding> = self
            .subject
            .into_iter()
            .flat_map(|subject| &subject.findings)
            .map(|finding| (finding.signature.as_str(), finding))
            .collect();
        let traces = self.traces.iter().map(move |trace| {
            let seen = trace.seen.as_deref().and_then(|seen| findings.get(seen));
            trace_case(trace, self.subject.zip(seen.copied()))
        });
        let own = self.subject.filter(|subject| self.traces.is_empty() || !subject.shortfalls.is_empty());
        traces.chain(own.into_iter().map(subject_case))
    }
}

/// The run as JUnit XML.
pub(super) fn junit(run: &RunFile, out: &mut dyn Write) -> io::Result<()> {
    let mut of_target: BTreeMap<&str, Vec<&TraceRun>> = BTreeMap::new();
    for trace in &run.traces {
        of_target.entry(&trace.target).or_default().push(trace);
    }
    let mut suites = Vec::new();
    for subject in &run.subjects {
        let name = subject.name();
        let traces = of_target.remove(name.as_str()).unwrap_or_default();
        suites.push(Suite { name, subject: Some(subject), traces });
    }
    for (target, traces) in of_target {
        let name = if target.is_empty() { NO_SUBJECT } else { target };
        suites.push(Suite { name: name.to_owned(), subject: None, traces });
    }
    write(&suites, out)
}

fn trace_case(trace: &TraceRun, found: Option<(&SubjectRun, &Finding)>) -> Case {
    let seen = trace.seen.as_deref().unwrap_or("agreement");
    let reason = trace.reason.clone().unwrap_or_default();
    let end = if trace.unexpected {
        let expected = trace.expected.as_deref().unwrap_or("agreement");
        let mut text = format!("{}: expected {expected}, saw {seen}\n", trace.status.words());
        if !reason.is_empty() {
            text.push_str(&format!("{reason}\n"));
        }
        if let Some((subject, finding)) = found {
            text.push_str(&diagnosis(finding));
            text.push_str(&format!("{}\n", replay_command(subject, finding)));
        }
        End::Failed { kind: status_kind(trace.status), message: seen.to_owned(), text }
    } else {
        match trace.status {
            Status::Skipped | Status::Gone | Status::Known => {
                End::Skipped(format!("{}: {reason}", trace.status.words()))
            }
            Status::Passed | Status::Fixed | Status::StillFailing | Status::Flaky | Status::New => End::Passed,
        }
    };
    Case { name: trace.trace.clone(), end }
}

fn status_kind(status: Status) -> &'static str {
    match status {
        Status::New => "new",
        Status::Flaky => "flaky",
        Status::Gone => "gone",
        Status::Fixed => "missed",
        Status::Passed | Status::Skipped | Status::StillFailing | Status::Known => "unexpected",
    }
}

fn subject_case(subject: &SubjectRun) -> Case {
    let name = if subject.is_sound() { "agrees with its model" } else { "its known defect is caught" };
    let unexpected = || subject.findings.iter().filter(|finding| is_unexpected(subject, finding));
    let end = if subject.verdict == Verdict::Known && is_as_expected(subject) {
        let mut reasons = Told::new();
        let steps = subject.known_steps.iter().filter_map(|known| known.reason.as_deref());
        subject.findings.iter().filter_map(|finding| finding.known.as_deref()).chain(steps).for_each(|reason| {
            let separator = if reasons.text.is_empty() { "known: " } else { "; " };
            reasons.add(&format!("{separator}{reason}"));
        });
        End::Skipped(reasons.finish())
    } else if is_as_expected(subject) {
        End::Passed
    } else {
        let mut told = Told::new();
        for finding in unexpected() {
            told.add(&format!("{}\n{}{}\n\n", finding.signature, diagnosis(finding), replay_command(subject, finding)));
        }
        subject.shortfalls.iter().for_each(|shortfall| told.add(&format!("not enough: {shortfall}\n")));
        let text = told.finish();
        let (kind, message) = match unexpected().next() {
            Some(finding) => ("diverged", finding.signature.clone()),
            None if subject.verdict == Verdict::Missed => ("missed", "the known defect was not found".to_owned()),
            None => ("shortfall", subject.shortfalls.first().cloned().unwrap_or_default()),
        };
        End::Failed { kind, message, text }
    };
    Case { name: name.to_owned(), end }
}

/// A text of many parts, as long as a person reads.
struct Told {
    text: String,
    left_out: usize,
}

impl Told {
    fn new() -> Self {
        Told { text: String::new(), left_out: 0 }
    }

    fn add(&mut self, part: &str) {
        if self.text.len() + part.len() <= MOST_TEXT_BYTES {
            self.text.push_str(part);
        } else {
            self.left_out += 1;
        }
    }

    fn finish(mut self) -> String {
        if 0 < self.left_out {
            self.text.push_str(&format!("… and {} more", self.left_out));
        }
        self.text
    }
}

fn diagnosis(finding: &Finding) -> String {
    let diagnosis = finding.story.as_ref().and_then(|story| story.diagnosis.as_deref());
    diagnosis.map(|diagnosis| format!("{diagnosis}\n")).unwrap_or_default()
}

fn write<W: Write>(suites: &[Suite<'_>], out: W) -> io::Result<()> {
    let counts: Vec<[usize; 3]> = suites.iter().map(|suite| count(suite.cases())).collect();
    let sum = |which: usize| counts.iter().map(|counts| counts[which]).sum::<usize>().to_string();
    let mut writer = Writer::new_with_indent(out, b' ', 2);
    writer.write_event(quick_xml::events::Event::Decl(quick_xml::events::BytesDecl::new(
        "1.0",
        Some("UTF-8"),
        None,
    )))?;
    let root = writer.create_element("testsuites").with_attributes([
        ("name", "memtwin"),
        ("tests", sum(0).as_str()),
        ("failures", sum(1).as_str()),
        ("errors", "0"),
    ]);
    root.write_inner_content(|writer| {
        for (suite, [tests, failures, skipped]) in suites.iter().zip(&counts) {
            let seconds = suite.subject.map_or(0.0, |subject| subject.seconds.max(0.0));
            let element = writer.create_element("testsuite").with_attributes([
                ("name", suite.name.as_str()),
                ("tests", tests.to_string().as_str()),
                ("failures", failures.to_string().as_str()),
                ("skipped", skipped.to_string().as_str()),
                ("errors", "0"),
                ("time", format!("{seconds:.3}").as_str()),
            ]);
            element.write_inner_content(|writer| {
                suite.cases().try_for_each(|case| write_case(writer, &suite.name, &case))
            })?;
        }
        Ok(())
    })?;
    writeln!(writer.into_inner())
}

/// How many cases there are, and how many of them failed and were skipped.
fn count(cases: impl Iterator<Item = Case>) -> [usize; 3] {
    cases.fold([0; 3], |[all, failed, skipped], case| {
        let is_failed = matches!(case.end, End::Failed { .. });
        let is_skipped = matches!(case.end, End::Skipped(_));
        [all + 1, failed + usize::from(is_failed), skipped + usize::from(is_skipped)]
    })
}

fn write_case<W: Write>(writer: &mut Writer<W>, suite: &str, case: &Case) -> io::Result<()> {
    let element =
        writer.create_element("testcase").with_attributes([("name", case.name.as_str()), ("classname", suite)]);
    match &case.end {
        End::Passed => element.write_empty()?,
        End::Skipped(message) => element.write_inner_content(|writer| {
            writer.create_element("skipped").with_attribute(("message", message.as_str())).write_empty()?;
            Ok(())
        })?,
        End::Failed { kind, message, text } => element.write_inner_content(|writer| {
            let failure = writer.create_element("failure");
            let failure = failure.with_attributes([("type", *kind), ("message", message.as_str())]);
            failure.write_text_content(BytesText::new(text))?;
            Ok(())
        })?,
    };
    Ok(())
}
