//! One page for a browser. What a reader needs without scripts is text; all else is drawn from the run, which lies in
//! the page as inert data. The page loads nothing, and its policy forbids every script but its own.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use memtwin_core::run_file::{Kind, RunFile, Status};
use minijinja::{Environment, Value, context};
use serde::Serialize as _;
use serde_json::ser::Formatter;
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

/// The page without its parts.
const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/report.css");
/// In this order: each part uses what is before it.
const SCRIPT: &str = concat!(
    include_str!("html/elements.js"),
    include_str!("html/charts.js"),
    include_str!("html/picture.js"),
    include_str!("html/viewer.js"),
    include_str!("html/page.js"),
);

/// What stands in the page where the run lies.
const DATA: &str = "{{ data|safe }}";

/// The run as a page. Its texts must be tame.
pub(super) fn html(run: &RunFile, out: &mut dyn Write) -> io::Result<()> {
    let is_as_expected = run.totals.is_as_expected();
    let values = context! {
        verdict => if is_as_expected { "As expected" } else { "Not as expected" },
        tone => if is_as_expected { "good" } else { "bad" },
        claims => claims(run).into_iter().collect::<Value>(),
        shortfalls => shortfalls(run),
        known_steps => known_steps(run),
        origin => origin(run),
        findings => findings(run),
        style => STYLE,
        script => SCRIPT,
        style_hash => hash(STYLE),
        script_hash => hash(SCRIPT),
    };
    let (head, tail) = PAGE.split_once(DATA).expect("the page has a place for the run");
    part(head, &values, out)?;
    run.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, InertJson))?;
    part(tail, &values, out)
}

fn part(page: &str, values: &Value, out: &mut dyn Write) -> io::Result<()> {
    let environment = Environment::new();
    // The name's ending has every value escaped that the page does not call safe.
    let page = environment.template_from_named_str("page.html", page).expect("the page is a template");
    page.render_captured_to(values.clone(), out).map(|_| ()).map_err(io::Error::other)
}

/// JSON that no parser of HTML takes for anything else: these characters occur in its strings alone, where they can be
/// escaped.
struct InertJson;

impl Formatter for InertJson {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (before, from) = rest.split_at(at);
            let character = from.chars().next().unwrap_or_default();
            write!(writer, "{before}\\u{:04x}", u32::from(character))?;
            rest = &from[character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

/// A part of the page as its policy names it.
fn hash(part: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(part)))
}

/// What the run says in sum, a sentence each.
fn claims(run: &RunFile) -> Vec<String> {
    let totals = &run.totals;
    let broken = totals.caught + totals.missed;
    let sound = totals.agreed + totals.known + totals.diverged;
    let mut claims = Vec::new();
    if 0 < broken {
        claims.push(format!("{} of {broken} known defects caught", totals.caught));
    }
    if 0 < sound {
        claims.push(format!("{} of {sound} sound subjects agree with their model at every step", totals.agreed));
    }
    if 0 < totals.known {
        claims.push(format!("{} of {sound} sound subjects have no findings but known ones", totals.known));
    }
    if !totals.statuses.is_empty() {
        let counted = Status::ALL
            .iter()
            .rev()
            .filter_map(|status| Some(format!("{} {}", totals.statuses.get(status)?, status.words())));
        let counted = counted.collect::<Vec<_>>().join(", ");
        claims.push(format!("Replays of committed traces: {counted}; {} unexpected", totals.unexpected));
    }
    let (traces, ops) = (grouped(totals.traces), grouped(totals.ops));
    claims.push(format!("Findings: {}, in {traces} traces with {ops} ops", totals.findings));
    claims
}

/// What kind of run it is.
fn origin(run: &RunFile) -> String {
    let kind = match run.kind {
        Kind::Fuzz => "A campaign",
        Kind::Regress => "A regression run",
        Kind::Merged => "Several runs in one; the first is",
    };
    let engine = run.engine.as_ref().map_or(String::new(), |engine| format!(", engine {engine}"));
    let shard = run.shard.as_ref().map_or(String::new(), |shard| format!(", shard {shard}"));
    let strict = if run.strict { ", with an audit after every op" } else { "" };
    format!("{kind} with seed {}{engine}{shard}{strict}.", run.seed)
}

fn shortfalls(run: &RunFile) -> Value {
    let all = run.subjects.iter().flat_map(|subject| subject.shortfalls.iter().map(move |words| (subject, words)));
    all.map(|(subject, words)| context! { target => subject.name(), words => words.as_str() }).collect()
}

fn known_steps(run: &RunFile) -> Value {
    let all = run.subjects.iter().flat_map(|subject| subject.known_steps.iter().map(move |known| (subject, known)));
    all.map(|(subject, known)| {
        context! {
            target => subject.name(),
            signature => known.signature.as_str(),
            steps => grouped(known.steps),
            reason => known.reason.as_deref().unwrap_or_default(),
        }
    })
    .collect()
}

fn findings(run: &RunFile) -> Value {
    let all = run.subjects.iter().flat_map(|subject| subject.findings.iter().map(move |finding| (subject, finding)));
    all.map(|(subject, finding)| {
        let diagnosis = finding.story.as_ref().and_then(|story| story.diagnosis.as_deref());
        context! {
            target => subject.name(),
            signature => finding.signature.as_str(),
            trace => finding.trace.as_str(),
            words => diagnosis.unwrap_or_default(),
        }
    })
    .collect()
}

/// `18,904,863`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(1)> & \u{2028} {{ 7 * 7 }}";

    fn hostile_run() -> RunFile {
        let finding = json!({ "signature": HOSTILE, "kind": HOSTILE, "law": null, "step": 0, "op": HOSTILE, "trace": HOSTILE,
            "executions": 1, "seconds": 0.5 });
        let subject = json!({ "component": "guest_memory", "subject": HOSTILE, "health": "sound", "defect": null,
            "verdict": "diverged", "traces": 1, "ops": 1, "moot": 0, "unsupported": 0, "unconfirmed": 0, "seconds": 0.5,
            "features": 1, "outcomes": {}, "shortfalls": [HOSTILE], "findings": [finding] });
        let subjects = serde_json::from_value(json!([subject])).unwrap();
        RunFile::new(Kind::Fuzz, u64::MAX, subjects, Vec::new())
    }

    fn html(run: &RunFile) -> String {
        let mut page = Vec::new();
        super::html(run, &mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
        text.split_once(from).and_then(|(_, rest)| rest.split_once(to)).expect("both marks are there").0
    }

    #[test]
    fn foreign_text_is_neither_markup_nor_template() {
        let page = html(&hostile_run());
        assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
        assert!(!page.contains("<img") && page.contains("{{ 7 * 7 }}"), "a value was taken for more than text");
    }

    #[test]
    fn the_data_in_the_page_is_the_run() {
        let run = hostile_run();
        let data = between(&html(&run), "id=\"memtwin-run\">", "</script>").to_owned();
        assert!(!data.contains(['<', '>', '&', '\u{2028}']));
        let read: Json = serde_json::from_str(&data).unwrap();
        assert_eq!(read, serde_json::to_value(&run).unwrap());
    }

    #[test]
    fn the_policy_allows_the_parts_of_the_page_and_nothing_else() {
        let page = html(&hostile_run());
        let policy = between(&page, "Content-Security-Policy\" content=\"", "\">");
        let style = hash(between(&page, "<style>", "</style>"));
        let script = hash(between(&page, "<script>", "</script>"));
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(policy.contains(&format!("style-src '{style}';")), "{policy}");
        assert!(policy.contains(&format!("script-src '{script}';")), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn the_text_says_what_the_run_says() {
        let page = html(&hostile_run());
        assert!(page.contains("<h1 id=\"verdict\" class=\"bad\">Not as expected</h1>"));
        assert!(page.contains("0 of 1 sound subjects agree") && page.contains("seed 18446744073709551615"));
        assert_eq!([0, 999, 1000, 18_904_863].map(grouped), ["0", "999", "1,000", "18,904,863"]);
    }
}
