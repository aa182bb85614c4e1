//! `memtwin compare`: a newer run beside an older one.

use super::screen::{self, BAD, DIM, GOOD, count};
use super::{Exit, Failed, says_nothing};
use clap::Args;
use memtwin_core::run_file::compare::{Compared, Comparison, compare};
use memtwin_core::run_file::read;
use memtwin_core::text::line;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The older run file
    #[arg(value_name = "OLD.json")]
    old: PathBuf,
    /// The newer run file
    #[arg(value_name = "NEW.json")]
    new: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub(super) fn run(&self) -> Result<Exit, Failed> {
        let read = |path: &PathBuf| {
            let run = read(path)?;
            if run.is_empty() { Err(says_nothing(path)) } else { Ok(run) }
        };
        let comparison = compare(&read(&self.old)?, &read(&self.new)?);
        if self.json {
            screen::print_json(&comparison)?;
        } else {
            show(&mut anstream::stdout(), &comparison)?;
        }
        Ok(if comparison.is_worse() { Exit::Finding } else { Exit::Clean })
    }
}

fn show(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    let Comparison { new, fixed, still, not_run, missed, caught, throughput, .. } = comparison;
    for (list, head, style) in
        [(new, "new", BAD), (fixed, "fixed", GOOD), (still, "still", DIM), (not_run, "not run", DIM)]
    {
        for Compared { target, signature, trace, known } in list {
            let known = known.as_deref().map(|reason| format!(", known: {reason}")).unwrap_or_default();
            let words = format!("{signature} on {target}: {trace}{known}");
            writeln!(out, "{style}{head:<8}{style:#} {}", line(&words))?;
        }
    }
    for (list, words, style) in [(missed, "missed", BAD), (caught, "caught", GOOD)] {
        for target in list {
            writeln!(out, "{style}{words:<8}{style:#} the known defect of {}", line(target))?;
        }
    }
    for rate in throughput {
        #[allow(clippy::cast_possible_truncation)] // a cast from a float saturates
        let rates = [rate.old, rate.new].map(|rate| count(rate as u64));
        let target = line(&rate.target);
        writeln!(
            out,
            "{:<8} {target}: {} ops/s, before {} {DIM}({:.2}){DIM:#}",
            "speed", rates[1], rates[0], rate.ratio
        )?;
    }
    let style = if comparison.is_worse() { BAD } else { GOOD };
    let counts =
        [(new.len(), "new"), (fixed.len(), "fixed"), (still.len(), "still there"), (missed.len(), "newly missed")];
    let counts = counts.map(|(count, words)| format!("{count} {words}")).join(", ");
    writeln!(out, "{style}{counts}{style:#}")
}
