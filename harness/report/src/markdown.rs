//! Markdown for a comment on a pull request: what a reviewer must know first. Foreign text stands in code spans, where
//! it is neither markup, nor HTML, nor a mention. A comment is cut before a code host would refuse it, and says what it
//! leaves out.

use super::{is_as_expected, is_unexpected, replay_command};
use memtwin_core::run_file::{Finding, RunFile, Status, SubjectRun, TraceRun, Verdict};
use memtwin_core::text::code;
use std::fmt::Write as _;

/// The most bytes of a comment: hosts take 65,536 characters.
const MOST_BYTES: usize = 60_000;

/// The run as a comment.
pub(super) fn markdown(run: &RunFile) -> String {
    let mut page = Page { text: String::new(), left_out: 0 };
    let totals = &run.totals;
    let verdict = if totals.is_as_expected() { "✓ as expected" } else { "✗ not as expected" };
    page.always(&format!("### memtwin: {verdict}\n\n"));
    page.always(&summary(run));
    let findings =
        || run.subjects.iter().flat_map(|subject| subject.findings.iter().map(move |finding| (subject, finding)));
    section(&mut page, "New", findings().filter(|(subject, finding)| is_unexpected(subject, finding)), finding_line);
    let missed = run.subjects.iter().filter(|subject| subject.verdict == Verdict::Missed);
    section(&mut page, "Known defects that were missed", missed.map(|subject| (subject, ())), |(subject, ())| {
        format!("- {}\n", code(&subject.name()))
    });
    let shortfalls =
        run.subjects.iter().flat_map(|subject| subject.shortfalls.iter().map(move |words| (subject, words)));
    section(&mut page, "Agreements that say too little", shortfalls, |(subject, words)| {
        format!("- {}: {}\n", code(&subject.name()), code(words))
    });
    let of_status = |status: Status, unexpected: bool| {
        let traces = run.traces.iter().filter(move |trace| trace.status == status && trace.unexpected == unexpected);
        traces.map(|trace| (trace, ()))
    };
    section(&mut page, "Evidence that shows its defect no more", of_status(Status::Fixed, true), trace_line);
    section(&mut page, "Evidence that applies no more", of_status(Status::Gone, true), trace_line);
    section(&mut page, "Fixed", of_status(Status::Fixed, false), trace_line);
    let still = findings().filter(|(subject, finding)| {
        subject.is_sound() && finding.status == Some(Status::StillFailing) && finding.known.is_none()
    });
    section(&mut page, "Still failing", still, finding_line);
    section(&mut page, "Known", findings().filter(|(_, finding)| finding.known.is_some()), finding_line);
    let known_steps =
        run.subjects.iter().flat_map(|subject| subject.known_steps.iter().map(move |known| (subject, known)));
    section(&mut page, "Known, and gone on behind", known_steps, |(subject, known)| {
        let reason = known.reason.as_deref().map(|reason| format!(": {}", code(reason))).unwrap_or_default();
        format!("- {} on {}, {} steps{reason}\n", code(&known.signature), code(&subject.name()), known.steps)
    });
    section(&mut page, "Gone", of_status(Status::Gone, false), trace_line);
    page.finish()
}

fn summary(run: &RunFile) -> String {
    let totals = &run.totals;
    let mut rows = vec![
        (
            "sound subjects that agree",
            format!("{} of {}", totals.agreed, totals.agreed + totals.known + totals.diverged),
        ),
        ("known defects caught", format!("{} of {}", totals.caught, totals.caught + totals.missed)),
        ("traces", totals.traces.to_string()),
        ("ops", totals.ops.to_string()),
    ];
    let counted = Status::ALL.iter().rev().filter_map(|status| Some((status.words(), totals.statuses.get(status)?)));
    rows.extend(counted.map(|(words, count)| (words, count.to_string())));
    let mut table = String::from("| | |\n| --- | ---: |\n");
    for (words, value) in rows {
        let _ = writeln!(table, "| {words} | {value} |");
    }
    let bad = run.subjects.iter().filter(|subject| !is_as_expected(subject)).count();
    if 0 < bad {
        let _ = writeln!(table, "\n{bad} of {} subjects are not as they should be.", run.subjects.len());
    }
    table
}

/// A headline and a line for each item, if there is one.
fn section<A, B>(page: &mut Page, title: &str, items: impl Iterator<Item = (A, B)>, line: impl Fn((A, B)) -> String) {
    for (index, item) in items.enumerate() {
        if index == 0 {
            page.line(&format!("\n#### {title}\n\n"), false);
        }
        page.line(&line(item), true);
    }
}

fn finding_line((subject, finding): (&SubjectRun, &Finding)) -> String {
    let known = finding.known.as_deref().map(|reason| format!(", known: {}", code(reason))).unwrap_or_default();
    let flaky = if finding.status == Some(Status::Flaky) { ", flaky" } else { "" };
    format!(
        "- {} on {}{flaky}{known}: {}\n",
        code(&finding.signature),
        code(&subject.name()),
        code(&replay_command(subject, finding))
    )
}

fn trace_line((trace, ()): (&TraceRun, ())) -> String {
    let expected =
        trace.expected.as_deref().map(|expected| format!(", expected {}", code(expected))).unwrap_or_default();
    let reason = trace.reason.as_deref().map(|reason| format!(": {}", code(reason))).unwrap_or_default();
    format!("- {} on {}{expected}{reason}\n", code(&trace.trace), code(&trace.target))
}

/// The comment so far.
struct Page {
    text: String,
    left_out: usize,
}

impl Page {
    fn always(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a line if there is room for it; counts it otherwise, if it is an item. Once one is left out, all later ones
    /// are.
    fn line(&mut self, line: &str, is_item: bool) {
        if self.left_out == 0 && self.text.len() + line.len() <= MOST_BYTES {
            self.text.push_str(line);
        } else if is_item {
            self.left_out += 1;
        }
    }

    fn finish(mut self) -> String {
        if 0 < self.left_out {
            let _ = writeln!(self.text, "\n**{} more lines are left out**: see the whole report.", self.left_out);
        }
        self.text
    }
}
