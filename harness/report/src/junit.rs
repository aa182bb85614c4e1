//! JUnit XML, as Jenkins' schema has it: a suite a subject, a case a trace of a regression run, or a case a subject of a
//! campaign. What is accepted or does not apply is skipped, with the reason.

use super::{is_as_expected, is_unexpected, replay_command};
use memtwin_core::run_file::{RunFile, Status, SubjectRun, TraceRun, Verdict};
use quick_xml::events::BytesText;
use quick_xml::writer::Writer;
use std::collections::BTreeMap;
use std::io;

/// The suite of traces that no subject of the run stands for.
const NO_SUBJECT: &str = "traces without a subject";

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

/// The run as JUnit XML.
pub(super) fn junit(run: &RunFile) -> io::Result<String> {
    let mut of_target: BTreeMap<&str, Vec<&TraceRun>> = BTreeMap::new();
    for trace in &run.traces {
        of_target.entry(&trace.target).or_default().push(trace);
    }
    let mut suites = Vec::new();
    for subject in &run.subjects {
        let name = subject.name();
        let traces = of_target.remove(name.as_str()).unwrap_or_default();
        let mut cases: Vec<Case> = traces.iter().map(|trace| trace_case(trace, Some(subject))).collect();
        if cases.is_empty() || !subject.shortfalls.is_empty() {
            cases.push(subject_case(subject));
        }
        suites.push((name, subject.seconds, cases));
    }
    for (target, traces) in of_target {
        let name = if target.is_empty() { NO_SUBJECT } else { target };
        suites.push((name.to_owned(), 0.0, traces.iter().map(|trace| trace_case(trace, None)).collect()));
    }
    write(&suites)
}

fn trace_case(trace: &TraceRun, subject: Option<&SubjectRun>) -> Case {
    let seen = trace.seen.as_deref().unwrap_or("agreement");
    let reason = trace.reason.clone().unwrap_or_default();
    let end = if trace.unexpected {
        let expected = trace.expected.as_deref().unwrap_or("agreement");
        let mut text = format!("{}: expected {expected}, saw {seen}\n", trace.status.words());
        if !reason.is_empty() {
            text.push_str(&format!("{reason}\n"));
        }
        let findings =
            subject.into_iter().flat_map(|subject| subject.findings.iter().map(move |finding| (subject, finding)));
        for (subject, finding) in findings.filter(|(_, finding)| Some(&finding.signature) == trace.seen.as_ref()) {
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
    let unexpected: Vec<_> = subject.findings.iter().filter(|finding| is_unexpected(subject, finding)).collect();
    let end = if subject.verdict == Verdict::Known && is_as_expected(subject) {
        let reasons: Vec<_> = subject.findings.iter().filter_map(|finding| finding.known.as_deref()).collect();
        End::Skipped(format!("known: {}", reasons.join("; ")))
    } else if is_as_expected(subject) {
        End::Passed
    } else {
        let mut text = String::new();
        for finding in &unexpected {
            text.push_str(&format!(
                "{}\n{}{}\n\n",
                finding.signature,
                diagnosis(finding),
                replay_command(subject, finding)
            ));
        }
        for shortfall in &subject.shortfalls {
            text.push_str(&format!("not enough: {shortfall}\n"));
        }
        let (kind, message) = match unexpected.first() {
            Some(finding) => ("diverged", finding.signature.clone()),
            None if subject.verdict == Verdict::Missed => ("missed", "the known defect was not found".to_owned()),
            None => ("shortfall", subject.shortfalls.first().cloned().unwrap_or_default()),
        };
        End::Failed { kind, message, text }
    };
    Case { name: name.to_owned(), end }
}

fn diagnosis(finding: &memtwin_core::run_file::Finding) -> String {
    let diagnosis = finding.story.as_ref().and_then(|story| story.diagnosis.as_deref());
    diagnosis.map(|diagnosis| format!("{diagnosis}\n")).unwrap_or_default()
}

fn write(suites: &[(String, f64, Vec<Case>)]) -> io::Result<String> {
    let count =
        |cases: &[Case], wanted: fn(&End) -> bool| cases.iter().filter(|case| wanted(&case.end)).count().to_string();
    let all = || suites.iter().flat_map(|(_, _, cases)| cases);
    let failures = all().filter(|case| matches!(case.end, End::Failed { .. })).count();
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(quick_xml::events::Event::Decl(quick_xml::events::BytesDecl::new(
        "1.0",
        Some("UTF-8"),
        None,
    )))?;
    let root = writer.create_element("testsuites").with_attributes([
        ("name", "memtwin"),
        ("tests", all().count().to_string().as_str()),
        ("failures", failures.to_string().as_str()),
        ("errors", "0"),
    ]);
    root.write_inner_content(|writer| {
        for (name, seconds, cases) in suites {
            let suite = writer.create_element("testsuite").with_attributes([
                ("name", name.as_str()),
                ("tests", cases.len().to_string().as_str()),
                ("failures", count(cases, |end| matches!(end, End::Failed { .. })).as_str()),
                ("skipped", count(cases, |end| matches!(end, End::Skipped(_))).as_str()),
                ("errors", "0"),
                ("time", format!("{:.3}", seconds.max(0.0)).as_str()),
            ]);
            suite.write_inner_content(|writer| cases.iter().try_for_each(|case| write_case(writer, name, case)))?;
        }
        Ok(())
    })?;
    let mut text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

fn write_case(writer: &mut Writer<Vec<u8>>, suite: &str, case: &Case) -> io::Result<()> {
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
