//! What a nightly run says at its end: one screen of Markdown, and a file for each new finding. Foreign text stands in code, where
//! it is neither markup nor a command of the terminal.

use super::findings::Found;
use memtwin::run_file::compare::Comparison;
use memtwin::run_file::{RunFile, Status};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most findings that are named: the rest is in the report.
const MOST_FINDINGS: usize = 5;
/// The most other troubles that are named.
const MOST_TROUBLES: usize = 5;

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

    const fn word(self) -> &'static str {
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
}

/// What an engine did.
#[derive(Debug, Clone, Default)]
pub(super) struct EngineRow {
    pub(super) name: String,
    pub(super) used: Duration,
    /// Files that it added to the corpus.
    pub(super) inputs: usize,
    pub(super) findings: usize,
}

/// The corpus.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CorpusRow {
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) features: usize,
}

/// Everything that is said.
#[derive(Debug)]
pub(super) struct Summary<'a> {
    pub(super) asked: Duration,
    pub(super) rounds: u32,
    pub(super) engines: Vec<EngineRow>,
    /// Engines that did not run, each with the reason and the remedy.
    pub(super) skipped: Vec<String>,
    /// What went wrong without being a finding.
    pub(super) troubles: Vec<String>,
    pub(super) corpus: CorpusRow,
    pub(super) told: Vec<Told>,
    /// Inputs that an engine died of and that made no trace, each with the command that runs it.
    pub(super) raw: Vec<(PathBuf, String)>,
    /// What the engines counted.
    pub(super) fuzz: &'a RunFile,
    pub(super) regress: &'a RunFile,
    pub(super) comparison: Option<Comparison>,
    pub(super) out: &'a Path,
}

impl Summary<'_> {
    /// Whether there is nothing that anybody must look at.
    pub(super) fn is_clean(&self) -> bool {
        self.told.iter().all(|told| told.standing == Standing::Known)
            && self.raw.is_empty()
            && self.fuzz.totals.is_as_expected()
            && self.regress.totals.is_as_expected()
    }

    /// The screen.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let counts = [Standing::New, Standing::Still, Standing::Known].map(|standing| {
            let count = self.told.iter().filter(|told| told.standing == standing).count();
            format!("{count} {}", standing.word())
        });
        let verdict = match (self.is_clean(), self.troubles.is_empty()) {
            (true, true) => "✓ nothing to look at",
            (true, false) => "? not all of it could run",
            (false, _) => "✗ look at this",
        };
        writeln!(text, "### Nightly: {verdict}\n\nFindings: {}.\n", counts.join(", "))?;
        for told in self.named() {
            writeln!(text, "- {}", told.line())?;
        }
        let loud = self.told.iter().filter(|told| told.standing != Standing::Known).count();
        if MOST_FINDINGS < loud {
            writeln!(text, "- and {} more: see the report", loud - MOST_FINDINGS)?;
        }
        if 0 < loud {
            let commands: Vec<_> = self.named().map(|told| told.replay.as_str()).collect();
            writeln!(text, "\n{}", block("sh", &commands.join("\n")))?;
        }
        let mut others: Vec<String> = self.raw.iter().map(|(path, command)| unexplained(path, command)).collect();
        others.extend(self.troubles.iter().map(|trouble| format!("trouble: {}", code(trouble))));
        others.extend(self.shortfalls());
        for line in others.iter().take(MOST_TROUBLES) {
            writeln!(text, "- {line}")?;
        }
        if MOST_TROUBLES < others.len() {
            writeln!(text, "- and {} more troubles: see above, or the report", others.len() - MOST_TROUBLES)?;
        }
        if !others.is_empty() {
            writeln!(text)?;
        }
        self.write_numbers(text)
    }

    fn write_numbers(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "| engine | seconds | new inputs | findings |\n| --- | ---: | ---: | ---: |")?;
        for row in &self.engines {
            let EngineRow { name, used, inputs, findings } = row;
            writeln!(text, "| {name} | {:.0} | {inputs} | {findings} |", used.as_secs_f64())?;
        }
        let used: Duration = self.engines.iter().map(|row| row.used).sum();
        let rounds = if self.rounds == 1 { "1 round".to_owned() } else { format!("{} rounds", self.rounds) };
        let (used, asked) = (used.as_secs_f64(), self.asked.as_secs_f64());
        writeln!(text, "\n{used:.0} of {asked:.0} s in {rounds}; building and judging come on top.")?;
        for skipped in &self.skipped {
            writeln!(text, "Skipped: {skipped}.")?;
        }
        let CorpusRow { before, after, features } = self.corpus;
        writeln!(text, "Corpus: {before} files before, {after} after; {features} features.")?;
        let statuses = &self.regress.totals.statuses;
        let counted = Status::ALL.iter().rev().filter_map(|status| Some((statuses.get(status)?, status.words())));
        let counted: Vec<_> = counted.map(|(count, words)| format!("{count} {words}")).collect();
        writeln!(text, "Committed traces: {}.", counted.join(", "))?;
        match &self.comparison {
            None => writeln!(text, "There is no previous run to compare with.")?,
            Some(comparison) => writeln!(text, "{}", beside(comparison))?,
        }
        writeln!(text, "Report: {}", code(&self.out.join("report.html").display().to_string()))
    }

    /// The findings that are named: new ones first.
    fn named(&self) -> impl Iterator<Item = &Told> {
        let of = |standing| self.told.iter().filter(move |told| told.standing == standing);
        of(Standing::New).chain(of(Standing::Still)).take(MOST_FINDINGS)
    }

    /// Where an agreement says too little, or a defect was missed.
    fn shortfalls(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for subject in &self.fuzz.subjects {
            let name = code(&subject.name());
            lines.extend(subject.shortfalls.iter().map(|words| format!("not enough on {name}: {}", code(words))));
            if subject.verdict == memtwin::run_file::Verdict::Missed {
                lines.push(format!("the known defect of {name} was missed"));
            }
        }
        lines
    }
}

impl Told {
    fn line(&self) -> String {
        let Found { target, signature, engines, ops, .. } = &self.found;
        let engines: Vec<_> = engines.iter().copied().collect();
        let ops = if *ops == 1 { "1 op".to_owned() } else { format!("{ops} ops") };
        let (word, by) = (self.standing.word(), engines.join(", "));
        format!("{word}: {} on {}, {ops}, by {by}", code(signature), code(target))
    }

    /// The finding as a file of its own, with its story. The first line is a title for an issue.
    pub(super) fn page(&self, story: &str) -> String {
        let title = format!("{} on {}", self.found.signature, self.found.target);
        format!(
            "# {}\n\n{}\n\n{}\nIn the repository, with this trace in its place:\n\n{}",
            plain(&title),
            self.line(),
            block("text", story.trim_end()),
            block("sh", &self.replay)
        )
    }
}

/// Lines in a block of code, whatever stands in them.
fn block(language: &str, lines: &str) -> String {
    let longest = lines.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}{language}\n{lines}\n{fence}\n")
}

fn unexplained(path: &Path, command: &str) -> String {
    format!("died without a trace: {}: {}", code(&path.display().to_string()), code(command))
}

/// The previous run in one line.
fn beside(comparison: &Comparison) -> String {
    let Comparison { new, fixed, still, not_run, throughput, .. } = comparison;
    let counts = [(new, "new"), (still, "still there"), (fixed, "not found again"), (not_run, "not looked for")];
    let counts = counts.map(|(list, words)| format!("{} {words}", list.len())).join(", ");
    let mut ratios: Vec<f64> = throughput.iter().map(|rate| rate.ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let speed = ratios.get(ratios.len() / 2).map(|ratio| format!("; the speed is {ratio:.2} of what it was"));
    format!("Beside the previous run: {counts}{}.", speed.unwrap_or_default())
}

/// Foreign text in code, with characters that a terminal would obey made visible.
fn code(text: &str) -> String {
    let visible = text.chars().flat_map(|letter| {
        let obeyed = letter.is_control() && letter != '\n';
        obeyed.then(|| letter.escape_unicode()).into_iter().flatten().chain((!obeyed).then_some(letter))
    });
    memtwin::report::code(&visible.collect::<String>())
}

/// A title: letters, digits and what signatures are made of, on one line.
fn plain(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || " /_-.:".contains(letter);
    text.chars().take(200).map(|letter| if is_plain(letter) { letter } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin::run_file::{Kind, TraceRun};
    use std::collections::BTreeSet;

    fn told(number: usize, standing: Standing) -> Told {
        let found = Found {
            target: format!("brk_heap/subject-{number}"),
            is_sound: true,
            signature: format!("brk_heap/oracle/malloc/{number}"),
            trace: PathBuf::from("trace.jsonl"),
            ops: number,
            engines: BTreeSet::from(["guided", "libfuzzer"]),
            known: None,
        };
        Told { found, standing, replay: format!("cargo run --release -- replay trace-{number}.jsonl") }
    }

    fn run(traces: Vec<TraceRun>) -> RunFile {
        RunFile::new(Kind::Regress, 0, Vec::new(), traces)
    }

    fn summary<'a>(told: Vec<Told>, troubles: Vec<String>, run: &'a RunFile) -> Summary<'a> {
        let engine =
            |name: &str| EngineRow { name: name.to_owned(), used: Duration::from_secs(7), ..EngineRow::default() };
        Summary {
            asked: Duration::from_secs(20),
            rounds: 1,
            engines: ["guided", "libfuzzer"].map(engine).into(),
            skipped: vec!["afl: no cargo-afl; cargo install cargo-afl".to_owned()],
            troubles,
            corpus: CorpusRow { before: 7, after: 20, features: 400 },
            told,
            raw: Vec::new(),
            fuzz: run,
            regress: run,
            comparison: Some(memtwin::run_file::compare::compare(run, run)),
            out: Path::new("there"),
        }
    }

    #[test]
    fn it_is_one_screen_however_much_was_found() {
        let passed = |trace: &str, status| TraceRun {
            trace: trace.to_owned(),
            target: "brk_heap/hardened".to_owned(),
            status,
            unexpected: false,
            expected: None,
            seen: None,
            reason: None,
        };
        let run = run(Status::ALL.map(|status| passed(status.words(), status)).into());
        let findings = (0..50).map(|number| told(number, Standing::New)).collect();
        let text = summary(findings, vec!["it broke\n".repeat(80); 50], &run).text();
        assert!(text.lines().count() <= 40, "{text}");
        assert!(text.contains("Findings: 50 new, 0 still, 0 known."));
        assert!(text.contains("- and 45 more: see the report"));
        assert!(text.contains("1 new, 1 flaky, 1 gone, 1 known, 1 still failing, 1 fixed, 1 skipped, 1 passed."));
        assert!(text.contains("14 of 20 s in 1 round;"));
    }

    #[test]
    fn findings_have_a_command_on_a_line_of_its_own_and_known_ones_are_counted_only() {
        let run = run(Vec::new());
        let summary =
            summary(vec![told(1, Standing::Known), told(2, Standing::Still), told(3, Standing::New)], vec![], &run);
        let text = summary.text();
        assert!(!summary.is_clean() && text.starts_with("### Nightly: ✗ look at this"));
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("cargo ")).collect();
        assert_eq!(lines, [3, 2].map(|number| format!("cargo run --release -- replay trace-{number}.jsonl")));
        assert!(text.contains("Findings: 1 new, 1 still, 1 known."));
    }

    #[test]
    fn known_findings_are_nothing_to_look_at_and_troubles_are() {
        let run = run(Vec::new());
        let quiet = summary(vec![told(1, Standing::Known)], vec![], &run);
        assert!(quiet.is_clean() && quiet.text().starts_with("### Nightly: ✓ nothing"));
        let troubled = summary(vec![], vec!["afl: \u{1b}[2J".to_owned()], &run).text();
        assert!(troubled.starts_with("### Nightly: ? not all"), "{troubled}");
        assert!(!troubled.contains('\u{1b}') && troubled.contains("`afl: \\u{1b}[2J`"), "{troubled}");
        let mut raw = summary(vec![], vec![], &run);
        raw.raw.push((PathBuf::from("crash-0"), "cargo fuzz run".to_owned()));
        assert!(!raw.is_clean() && raw.text().contains("died without a trace: `crash-0`: `cargo fuzz run`"));
    }

    #[test]
    fn pages_begin_with_a_title_and_hold_the_story_whatever_it_says() {
        let mut told = told(1, Standing::New);
        told.found.signature = "brk_heap/<b>`x`\n@all".to_owned();
        let page = told.page("```\n# not a title\n");
        assert!(page.starts_with("# brk_heap/?b??x???all on brk_heap/subject-1\n\n"), "{page}");
        assert!(page.contains("````text\n```\n# not a title\n````\n"), "{page}");
        assert!(page.ends_with("```sh\ncargo run --release -- replay trace-1.jsonl\n```\n"), "{page}");
    }

    #[test]
    fn a_finding_is_new_unless_it_is_accepted_or_was_there_before() {
        let mut found = told(1, Standing::New).found;
        let previous = {
            let of = memtwin::run_file::Finding {
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
            RunFile::new(Kind::Fuzz, 0, vec![memtwin::run_file::SubjectRun { findings: vec![of], ..subject }], vec![])
        };
        assert_eq!(Standing::of(&found, None), Standing::New);
        assert_eq!(Standing::of(&found, Some(&previous)), Standing::Still);
        found.is_sound = false;
        assert_eq!(Standing::of(&found, Some(&previous)), Standing::New);
        found.known = Some("under repair".to_owned());
        assert_eq!(Standing::of(&found, Some(&previous)), Standing::Known);
    }
}
