//! `memtwin witness`: compares the models' translation of addresses with judges that nobody here wrote.

use super::screen::{BAD, BOLD, DIM, GOOD};
use super::{Context, Exit, Failed};
use clap::Args;
use memtwin_core::random::{Random, hash_name, mix};
use memtwin_witness::{ALL, Testimony};
use std::io::Write as _;
use std::sync::atomic::Ordering;

#[derive(Debug, Args)]
pub(super) struct Witness {
    /// The component whose model is put to the test; every one that has a witness if left out
    #[arg(value_name = "COMPONENT")]
    component: Option<String>,
    /// About how many probes each witness compares
    #[arg(long, value_name = "N", default_value_t = 120_000, value_parser = clap::value_parser!(u64).range(1..))]
    probes: u64,
    /// The seed of the tables
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

impl Witness {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let is_asked = |component: &str| self.component.as_deref().is_none_or(|name| name == component);
        if !ALL.iter().any(|witness| is_asked(witness.component)) {
            let name = self.component.as_deref().unwrap_or_default();
            let known: std::collections::BTreeSet<_> = ALL.iter().map(|witness| witness.component).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(format!("no witness knows {name}; there are witnesses for {known}").into());
        }
        let (mut differences, mut probes, mut is_vacuous) = (0, 0, false);
        for witness in ALL.iter().filter(|witness| is_asked(witness.component)) {
            if context.interrupted.load(Ordering::Relaxed) {
                return Ok(Exit::Interrupted);
            }
            let name = format!("{}/{}", witness.component, witness.name);
            let testimony = (witness.ask)(&mut Random::new(mix(self.seed, hash_name(&name))), self.probes);
            tell(&name, &testimony)?;
            differences += testimony.differences;
            probes += testimony.probes;
            is_vacuous |= testimony.absent.is_none() && testimony.probes == 0;
        }
        if probes == 0 {
            return Err("nothing was compared: no witness among these could be asked, or all of it was left out".into());
        }
        Ok(if differences == 0 && !is_vacuous { Exit::Clean } else { Exit::Finding })
    }
}

fn tell(name: &str, testimony: &Testimony) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    if let Some(why) = &testimony.absent {
        return writeln!(out, "- {BOLD}{name}{BOLD:#}: skipped: {why}");
    }
    let (mark, style) = if testimony.differences == 0 && 0 < testimony.probes { ("✓", GOOD) } else { ("✗", BAD) };
    let Testimony { probes, differences, .. } = testimony;
    writeln!(out, "{style}{mark}{style:#} {BOLD}{name}{BOLD:#}: {probes} probes compared, {differences} differences")?;
    for (limit, count) in &testimony.explained {
        writeln!(out, "    {DIM}{count} more differences are the witness's: {limit}{DIM:#}")?;
    }
    for (why, count) in &testimony.left_out {
        writeln!(out, "    {DIM}{count} not compared: {why}{DIM:#}")?;
    }
    for words in &testimony.told {
        writeln!(out, "    {words}")?;
    }
    Ok(())
}
