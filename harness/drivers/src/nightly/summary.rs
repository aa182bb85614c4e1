//! What a nightly run says at its end: one screen of Markdown. It is short whatever was found; the report has the rest.

use super::told::{Standing, Told, block, code};
use memtwin_core::run_file::compare::Comparison;
use memtwin_core::run_file::{RunFile, Status};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most findings that are named: the rest is in the report.
const MOST_FINDINGS: usize = 5;
/// The most other troubles that are named.
const MOST_TROUBLES: usize = 5;

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
    /// What a person opens first.
    pub(super) report: &'a Path,
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
        let counted = if counted.is_empty() { "none".to_owned() } else { counted.join(", ") };
        writeln!(text, "Committed traces: {counted}.")?;
        match &self.comparison {
            None => writeln!(text, "There is no previous run to compare with.")?,
            Some(comparison) => writeln!(text, "{}", beside(comparison))?,
        }
        writeln!(text, "Report: {}", code(&self.report.display().to_string()))
    }

    /// The findings that are named: new ones first, and of those one of each subject before the second of any.
    fn named(&self) -> impl Iterator<Item = &Told> {
        let of = |standing| {
            let mut subjects = BTreeSet::new();
            let all = self.told.iter().filter(|told: &&Told| told.standing == standing);
            let (first, others): (Vec<_>, Vec<_>) = all.partition(|told| subjects.insert(&told.found.target));
            first.into_iter().chain(others)
        };
        of(Standing::New).chain(of(Standing::Still)).take(MOST_FINDINGS)
    }

    /// Where an agreement says too little, or a defect was missed.
    fn shortfalls(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for subject in &self.fuzz.subjects {
            let name = code(&subject.name());
            lines.extend(subject.shortfalls.iter().map(|words| format!("not enough on {name}: {}", code(words))));
            if subject.verdict == memtwin_core::run_file::Verdict::Missed {
                lines.push(format!("the known defect of {name} was missed"));
            }
        }
        lines
    }
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

#[cfg(test)]
mod tests {
    use super::super::told::tests::told;
    use super::*;
    use memtwin_core::run_file::{Kind, TraceRun};

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
            comparison: Some(memtwin_core::run_file::compare::compare(run, run)),
            report: Path::new("there/report.html"),
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
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("target/release/")).collect();
        assert_eq!(lines, [3, 2].map(|number| format!("target/release/memtwin replay trace-{number}.jsonl")));
        assert!(text.contains("Findings: 1 new, 1 still, 1 known."));
    }

    #[test]
    fn no_subject_is_left_out_because_another_has_many_findings() {
        let run = run(Vec::new());
        let many = (0..9).map(|number| {
            let mut told = told(number, Standing::New);
            told.found.target = "brk_heap/loud".to_owned();
            told
        });
        let text = summary(many.chain([told(9, Standing::New)]).collect(), vec![], &run).text();
        assert!(text.contains("on `brk_heap/loud`") && text.contains("on `brk_heap/subject-9`"), "{text}");
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
}
