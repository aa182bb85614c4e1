//! Findings as people read them: what is new, the command that shows it again, and a page for each new one. Foreign
//! text stands in code, where it is neither markup nor a command of the terminal.

use super::engines::{self, Flavour};
use super::findings::{Findings, Found};
use super::{Night, write};
use crate::command::{Trouble, last_lines};
use memtwin_core::program;
use memtwin_core::run_file::RunFile;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The most lines of a sanitizer's report.
const MOST_LINES: usize = 60;

/// What a finding is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Neither accepted nor in the previous run.
    New,
    /// Not accepted, and found before.
    Still,
    /// Accepted.
    Known,
}

impl Standing {
    /// Beside what was accepted, and what the previous run found.
    pub(super) fn of(found: &Found, previous: Option<&RunFile>) -> Self {
        if found.known.is_some() {
            return Standing::Known;
        }
        let was_there = previous.into_iter().flat_map(RunFile::findings).any(|(subject, finding)| {
            subject.is_sound() && subject.name() == found.target && finding.signature == found.signature
        });
        // A Broken subject shows its defect in one way or another; which one says nothing of before.
        if was_there && found.is_sound { Standing::Still } else { Standing::New }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Standing::New => "new",
            Standing::Still => "still",
            Standing::Known => "known",
        }
    }
}

/// A finding, and how to see it again.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) found: Found,
    pub(super) standing: Standing,
    pub(super) replay: String,
    /// Whether memtwin's own build shows it, too.
    is_plain: bool,
}

/// What each finding is to a reader, and the command that shows it: memtwin, or where it takes the fuzz target's build
/// to fail, that.
pub(super) fn tell(
    night: &Night<'_>,
    flavour: &Flavour,
    previous: Option<&RunFile>,
    findings: &Findings,
) -> Result<Vec<Told>, Box<dyn std::error::Error>> {
    let traces: Vec<&PathBuf> = findings.iter().map(|found| &found.trace).collect();
    let mut fails_here = BTreeSet::new();
    if !traces.is_empty() {
        let replay = night.memtwin().with(["replay", "--json"]).with(&traces);
        let printed = replay.keep_until(night.interrupted).map_err(Trouble::into_error)?;
        let replayed: serde_json::Value = serde_json::from_str(&printed.out).map_err(|_| last_lines(&printed.err))?;
        let rows = replayed["replays"].as_array().into_iter().flatten();
        let passed = rows.filter(|row| row["verdict"] == "passed").filter_map(|row| row["trace"].as_str());
        fails_here.extend(passed.map(PathBuf::from));
    }
    let told = findings.iter().map(|found| {
        let is_plain = fails_here.contains(&found.trace);
        let words = if is_plain {
            format!("{} replay", program::called())
        } else {
            flavour.run_words(night.project, found.component())
        };
        let standing = Standing::of(found, previous);
        Told { found: found.clone(), standing, replay: command(&words, &found.trace), is_plain }
    });
    Ok(told.collect())
}

/// A command on a file, as a person types it.
pub(super) fn command(words: &str, file: &Path) -> String {
    format!("{words} {}", program::as_argument(&file.to_string_lossy()))
}

/// A page for each new finding.
pub(super) fn write_pages(night: &Night<'_>, told: &[Told]) -> Result<(), Box<dyn std::error::Error>> {
    for told in told.iter().filter(|told| told.standing == Standing::New) {
        let stem = told.found.trace.file_stem().unwrap_or_default().to_string_lossy();
        let page = told.page(&told.story(night).map_err(Trouble::into_error)?);
        write(&night.out.join("new-findings").join(format!("{}-{stem}.md", told.found.component())), &page)?;
    }
    Ok(())
}

impl Told {
    pub(super) fn line(&self) -> String {
        let Found { target, signature, engines, ops, .. } = &self.found;
        let engines: Vec<_> = engines.iter().copied().collect();
        let ops = if *ops == 1 { "1 op".to_owned() } else { format!("{ops} ops") };
        let (word, by) = (self.standing.word(), engines.join(", "));
        format!("{word}: {} on {}, {ops}, by {by}", code(signature), code(target))
    }

    /// What happens, as memtwin tells it, or where only AddressSanitizer sees it, as that does.
    fn story(&self, night: &Night<'_>) -> Result<String, Trouble> {
        if self.is_plain {
            return Ok(night.memtwin().with(["explain"]).with([&self.found.trace]).keep_until(night.interrupted)?.out);
        }
        let printed = engines::fuzz_program(night.project, self.found.component(), Path::new("."))
            .with([std::path::absolute(&self.found.trace)?])
            .env("MEMTWIN_SUPERVISED", "1")
            .keep_until(night.interrupted)?;
        Ok(sanitizer_report(&printed.err))
    }

    /// The finding as a file of its own, with its story. The first line is a title for an issue.
    fn page(&self, story: &str) -> String {
        let title = format!("{} on {}", self.found.signature, self.found.target);
        let note = if self.is_plain { "" } else { "Only the fuzz target's build shows it, with its sanitizer.\n\n" };
        format!(
            "# {}\n\n{}\n\n{note}{}\nIn the folder of the crate, built, with this trace in its place:\n\n{}",
            plain(&title),
            self.line(),
            block("text", story.trim_end()),
            block("sh", &self.replay)
        )
    }
}

/// Lines in a block of code, whatever stands in them.
pub(super) fn block(language: &str, lines: &str) -> String {
    let longest = lines.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}{language}\n{lines}\n{fence}\n")
}

/// What the sanitizer says: where it is, and what the memory is.
fn sanitizer_report(printed: &str) -> String {
    let report = printed.lines().skip_while(|line| !line.contains("ERROR: "));
    let lines: Vec<_> = report.take_while(|line| !line.starts_with("SUMMARY: ")).take(MOST_LINES).collect();
    if lines.is_empty() { last_lines(printed) } else { lines.join("\n") }
}

/// Foreign text in code, with characters that a terminal would obey made visible.
pub(super) fn code(text: &str) -> String {
    memtwin_core::text::code(&memtwin_core::text::tame(text))
}

/// A title: letters, digits and what signatures are made of, on one line.
fn plain(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || " /_-.:".contains(letter);
    text.chars().take(200).map(|letter| if is_plain(letter) { letter } else { '?' }).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use memtwin_core::run_file::Kind;

    pub(in super::super) fn told(number: usize, standing: Standing) -> Told {
        let found = Found {
            target: format!("brk_heap/subject-{number}"),
            is_sound: true,
            signature: format!("brk_heap/oracle/malloc/{number}"),
            trace: PathBuf::from("trace.jsonl"),
            ops: number,
            engines: BTreeSet::from(["guided", "libfuzzer"]),
            known: None,
        };
        Told { found, standing, replay: format!("target/release/memtwin replay trace-{number}.jsonl"), is_plain: true }
    }

    #[test]
    fn a_page_says_who_sees_what_memtwin_does_not() {
        let plain = told(1, Standing::New);
        assert!(!plain.page("story").contains("Only the fuzz target"));
        assert!(Told { is_plain: false, ..plain }.page("story").contains("Only the fuzz target"));
        let printed =
            "#0 READ\n==7==ERROR: AddressSanitizer: heap-buffer-overflow\n  #0 in load\nSUMMARY: it\nShadow bytes\n";
        assert_eq!(sanitizer_report(printed), "==7==ERROR: AddressSanitizer: heap-buffer-overflow\n  #0 in load");
        assert_eq!(sanitizer_report("it just died"), "it just died");
    }

    #[test]
    fn pages_begin_with_a_title_and_hold_the_story_whatever_it_says() {
        let mut told = told(1, Standing::New);
        told.found.signature = "brk_heap/<b>`x`\n@all".to_owned();
        let page = told.page("```\n# not a title\n");
        assert!(page.starts_with("# brk_heap/?b??x???all on brk_heap/subject-1\n\n"), "{page}");
        assert!(page.contains("````text\n```\n# not a title\n````\n"), "{page}");
        assert!(page.ends_with("```sh\ntarget/release/memtwin replay trace-1.jsonl\n```\n"), "{page}");
    }

    #[test]
    fn a_finding_is_new_unless_it_is_accepted_or_was_there_before() {
        let mut found = told(1, Standing::New).found;
        let previous = {
            let of = memtwin_core::run_file::Finding {
                shapes: Vec::new(),
                signature: found.signature.clone(),
                kind: "divergence".to_owned(),
                law: None,
                step: None,
                op: "malloc".to_owned(),
                trace: String::new(),
                executions: 0,
                seconds: 0.0,
                known: None,
                status: None,
                story: None,
            };
            let subject = super::super::findings::uncounted("brk_heap", "subject-1", true);
            RunFile::new(
                Kind::Fuzz,
                0,
                vec![memtwin_core::run_file::SubjectRun { findings: vec![of], ..subject }],
                vec![],
            )
        };
        assert_eq!(Standing::of(&found, None), Standing::New);
        assert_eq!(Standing::of(&found, Some(&previous)), Standing::Still);
        found.is_sound = false;
        assert_eq!(Standing::of(&found, Some(&previous)), Standing::New);
        found.known = Some("under repair".to_owned());
        assert_eq!(Standing::of(&found, Some(&previous)), Standing::Known);
    }
}
