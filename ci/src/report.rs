//! Runs the steps of a lane, all of them, and says how each ended: a step that could not run is shown as skipped with
//! the command that would make it run, and never counts as passed.

use crate::room::Room;
use crate::steps::{Lane, STEPS, Step, note_worktree};
use clap::Args;
use memtwin::drivers::command::Trouble;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

#[derive(Debug, Args)]
pub(crate) struct Ci {
    /// Run everything: sanitizers, Miri, long campaigns, benchmarks
    #[arg(long)]
    full: bool,
    /// Run only this step; may be repeated
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Leave this step out; may be repeated
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,
    /// List the steps and run none
    #[arg(long)]
    list: bool,
}

/// How a step ended.
struct Row {
    name: &'static str,
    trouble: Option<Trouble>,
    seconds: f64,
}

impl Ci {
    /// Whether no step failed.
    pub(crate) fn run(&self, room: &Room) -> Result<bool, Box<dyn std::error::Error>> {
        for name in self.only.iter().chain(&self.skip) {
            if STEPS.iter().all(|step| step.name != name) {
                return Err(format!("there is no step {name}; see `cargo xtask ci --list`").into());
            }
        }
        let mut out = anstream::stdout();
        if self.list {
            for step in STEPS {
                let lane = match step.lane {
                    Lane::Fast => "fast",
                    Lane::Full => "full",
                };
                writeln!(out, "{:<15} {lane}  {}", step.name, step.what)?;
            }
            return Ok(true);
        }
        let chosen: Vec<&Step> = STEPS.iter().filter(|step| self.is_chosen(step)).collect();
        if chosen.is_empty() {
            return Err("no step is left to run, and nothing run proves nothing".into());
        }
        note_worktree(room);
        let mut rows = Vec::new();
        for step in chosen {
            writeln!(out, "\n── {}: {}", step.name, step.what)?;
            let started = Instant::now();
            let trouble = ended(step, room).err();
            let row = Row { name: step.name, trouble, seconds: started.elapsed().as_secs_f64() };
            writeln!(out, "{}", ending(&row))?;
            rows.push(row);
        }
        write!(out, "\n{}", table(&rows))?;
        Ok(rows.iter().all(|row| !matches!(row.trouble, Some(Trouble::Failed(_)))))
    }

    fn is_chosen(&self, step: &Step) -> bool {
        let in_lane = self.full || step.lane == Lane::Fast;
        let named = self.only.iter().any(|name| name == step.name);
        let left_out = self.skip.iter().any(|name| name == step.name);
        (if self.only.is_empty() { in_lane } else { named }) && !left_out
    }
}

/// Runs a step. One that panics has failed; the others still run.
fn ended(step: &Step, room: &Room) -> Result<(), Trouble> {
    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (step.run)(room)));
    run.unwrap_or_else(|_| Err(Trouble::Failed("the step itself panicked; see above".to_owned())))
}

fn ending(row: &Row) -> String {
    match &row.trouble {
        None => format!("passed: {} ({:.1} s)", row.name, row.seconds),
        Some(Trouble::Failed(what)) => format!("FAILED: {} ({:.1} s): {what}", row.name, row.seconds),
        Some(Trouble::Skipped { why, remedy }) => format!("skipped: {}: {why}; {remedy}", row.name),
    }
}

fn table(rows: &[Row]) -> String {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut text = String::new();
    for row in rows {
        let (word, why) = match &row.trouble {
            None => {
                passed += 1;
                ("passed", "")
            }
            Some(Trouble::Failed(what)) => {
                failed += 1;
                ("FAILED", what.lines().next().unwrap_or_default())
            }
            Some(Trouble::Skipped { why, .. }) => {
                skipped += 1;
                ("skipped", why.as_str())
            }
        };
        let line = format!("{word:<8} {:<15} {:>7.1} s  {why}", row.name, row.seconds);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "\n{passed} passed, {failed} failed, {skipped} skipped");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_counts_each_ending_once_and_closes_with_the_sums() {
        let skipped = Trouble::Skipped { why: "no nightly".to_owned(), remedy: "rustup …".to_owned() };
        let rows = [
            Row { name: "format", trouble: None, seconds: 0.5 },
            Row { name: "test", trouble: Some(Trouble::Failed("two\nlines".to_owned())), seconds: 12.0 },
            Row { name: "asan", trouble: Some(skipped), seconds: 0.0 },
        ];
        let expected = "\
passed   format              0.5 s
FAILED   test               12.0 s  two
skipped  asan                0.0 s  no nightly

1 passed, 1 failed, 1 skipped
";
        assert_eq!(table(&rows), expected);
    }

    #[test]
    fn a_step_that_panics_has_failed() {
        let step = Step { name: "bad", lane: Lane::Fast, what: "", run: |_| panic!("planted") };
        assert!(matches!(ended(&step, &Room::of_this_repository()), Err(Trouble::Failed(_))));
    }

    #[test]
    fn names_that_are_none_and_nothing_at_all_are_errors() {
        let room = Room::of_this_repository();
        let ci = |only: &[&str], skip: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            Ci { full: false, only: owned(only), skip: owned(skip), list: false }.run(&room).is_err()
        };
        assert!(ci(&["no-such-step"], &[]) && ci(&[], &["no-such-step"]));
        assert!(ci(&["format"], &["format"]));
    }

    #[test]
    fn full_is_fast_and_more_and_names_choose_from_both() {
        let chosen = |full, only: &[&str], skip: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            let ci = Ci { full, only: owned(only), skip: owned(skip), list: false };
            STEPS.iter().filter(|step| ci.is_chosen(step)).map(|step| step.name).collect::<Vec<_>>()
        };
        let fast = chosen(false, &[], &[]);
        assert!(fast.contains(&"test") && !fast.contains(&"asan"));
        assert_eq!(chosen(true, &[], &[]).len(), STEPS.len());
        assert_eq!(chosen(false, &["asan"], &[]), ["asan"]);
        assert!(!chosen(false, &[], &["test"]).contains(&"test"));
    }
}
