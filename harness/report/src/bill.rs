//! A bill of health: what was run on a subject that agreed, what it was held to, and what was not judged, as a page
//! that its maintainer can publish. There is none for a subject that failed, or of which a run says too little.

use memtwin_core::library;
use memtwin_core::program::{self, as_argument};
use memtwin_core::registry::Registry;
use memtwin_core::run_file::{RunFile, SubjectRun, Verdict};
use memtwin_core::target::Target;
use memtwin_core::text::code;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How the traces of a run were made.
#[derive(Debug, Clone)]
pub(super) struct Source {
    seed: u64,
    engine: Option<String>,
    strict: bool,
    shard: Option<String>,
    /// Of each subject, by its name.
    ops: BTreeMap<String, u64>,
}

impl Source {
    /// Of each run that a file was merged from, or of the one that it is.
    pub(super) fn all(run: &RunFile) -> Vec<Self> {
        let of = |run: &RunFile| {
            let RunFile { seed, engine, strict, shard, .. } = run;
            let ops = run.subjects.iter().map(|subject| (subject.name(), subject.ops)).collect();
            Source { seed: *seed, engine: engine.clone(), strict: *strict, shard: shard.clone(), ops }
        };
        if run.runs.is_empty() { vec![of(run)] } else { run.runs.iter().map(of).collect() }
    }
}

/// The subjects that have a bill.
pub(super) fn agreed(run: &RunFile) -> impl Iterator<Item = &SubjectRun> {
    let is_clear = |subject: &&SubjectRun| {
        subject.is_sound()
            && subject.verdict == Verdict::Agreed
            && subject.shortfalls.is_empty()
            && subject.not_judged == 0
    };
    run.subjects.iter().filter(is_clear)
}

/// A page with a bill for each of them.
pub(super) fn bills(run: &RunFile, sources: &[Source], registry: &Registry) -> String {
    let bills = agreed(run).map(|subject| {
        let sources: Vec<_> = sources.iter().filter(|source| source.ops.contains_key(&subject.name())).collect();
        bill(subject, &sources, registry)
    });
    bills.collect::<Vec<_>>().join("\n")
}

fn bill(subject: &SubjectRun, sources: &[&Source], registry: &Registry) -> String {
    let index = registry.index_of(&subject.component, &subject.subject);
    let target = index.and_then(|index| registry.get(index));
    let mut page = format!("# {} agrees with its model\n\n", code(&subject.name()));
    let _ = writeln!(
        page,
        "memtwin {} ran this implementation operation by operation beside its reference model of {}. In {} traces of \
         {} operations no answer and no state broke a law, and nothing crashed.\n",
        env!("CARGO_PKG_VERSION"),
        code(&subject.component),
        subject.traces,
        subject.ops
    );
    ran(&mut page, subject, sources, target);
    held_to(&mut page, target);
    seen(&mut page, subject);
    not_judged(&mut page, subject, target);
    again(&mut page, subject, sources, target);
    page
}

fn ran(page: &mut String, subject: &SubjectRun, sources: &[&Source], target: Option<&dyn Target>) {
    page.push_str("## What ran\n\n");
    if let Some(origin) = target.and_then(Target::origin) {
        let build = origin.build_id.as_ref().map_or_else(String::new, |id| format!(", build id {}", code(id)));
        let _ = writeln!(page, "- library: {}{build}, contract {}", code(&origin.file), code(&origin.contract));
    }
    let _ = writeln!(
        page,
        "- {} traces, each with a setup of its own, {} operations, in {:.0} s of work",
        subject.traces, subject.ops, subject.seconds
    );
    let _ = writeln!(page, "- {} different features of states were reached", subject.features);
    for Source { seed, engine, strict, shard, .. } in sources {
        let engine = engine.as_ref().map_or_else(|| "no engine named".to_owned(), |engine| format!("engine {engine}"));
        let audits = if *strict { "after every operation" } else { "at samples, and whole at the end of some traces" };
        let shard = shard.as_ref().map_or_else(String::new, |shard| format!(", part {shard}"));
        let _ = writeln!(page, "- {engine}, seed {seed}{shard}; the whole state was looked at {audits}");
    }
}

fn held_to(page: &mut String, target: Option<&dyn Target>) {
    let Some(target) = target else { return };
    page.push_str("\n## What it was held to\n\n");
    for law in target.dialect().laws() {
        let _ = writeln!(page, "- **{}**: {}", law.name, law.sentence);
    }
    page.push_str("\n### Freedoms that it claims\n\n");
    let claims = target.claims();
    if claims.is_empty() {
        page.push_str("None: it was held to the strict contract.\n");
    }
    for claim in claims {
        let name = claim.split('=').next().unwrap_or_default();
        let freedom = target.dialect().freedoms().iter().find(|freedom| freedom.name == name);
        let _ = writeln!(page, "- {}: {}", code(&claim), freedom.map_or("", |freedom| freedom.sentence));
    }
}

fn seen(page: &mut String, subject: &SubjectRun) {
    page.push_str("\n## What was seen\n\n| Operation | Outcomes |\n| --- | --- |\n");
    for (kind, outcomes) in &subject.outcomes {
        let counts = outcomes.iter().filter(|(_, count)| 0 < **count);
        let counts: Vec<String> = counts.map(|(class, count)| format!("{} {count}", code(class))).collect();
        if !counts.is_empty() {
            let _ = writeln!(page, "| {} | {} |", code(kind), counts.join(", "));
        }
    }
}

fn not_judged(page: &mut String, subject: &SubjectRun, target: Option<&dyn Target>) {
    page.push_str("\n## What was not judged\n\n");
    let _ = writeln!(
        page,
        "- {} traces went where the contract says nothing, and were judged up to there; {} had a setup that it does \
         not serve.",
        subject.moot, subject.unsupported
    );
    let total = |outcomes: Option<&BTreeMap<String, u64>>| {
        outcomes.map_or(0, |outcomes| outcomes.values().fold(0_u64, |sum, count| sum.saturating_add(*count)))
    };
    if let Some(target) = target {
        let kinds = target.dialect().op_kinds().iter();
        let never: Vec<_> =
            kinds.filter(|kind| total(subject.outcomes.get(**kind)) == 0).map(|kind| code(kind)).collect();
        if !never.is_empty() {
            let _ = writeln!(page, "- It was never asked for: {}.", never.join(", "));
        }
    }
    page.push_str("- One call was made at a time. What several threads at once would see was not tried.\n");
    page.push_str("- Agreement over these traces is no proof: another trace may still fail.\n");
}

fn again(page: &mut String, subject: &SubjectRun, sources: &[&Source], target: Option<&dyn Target>) {
    let library = library::options(target.and_then(Target::origin));
    page.push_str("\n## How to run it again\n\n```console\n");
    for Source { seed, engine, strict, shard, ops } in sources {
        let engine = engine.as_ref().map_or_else(String::new, |engine| format!(" --engine {}", as_argument(engine)));
        // How many ops the whole campaign had, one part does not say.
        let budget = match (shard, ops.get(&subject.name())) {
            (Some(shard), _) => format!(" --shard {}", as_argument(shard)),
            (None, ops) => format!(" --ops {}", ops.copied().unwrap_or_default()),
        };
        let strict = if *strict { " --strict" } else { "" };
        let name = as_argument(&subject.name());
        let _ = writeln!(page, "$ {} fuzz {name}{budget} --seed {seed}{engine}{strict}{library}", program::called());
    }
    page.push_str("```\n");
}
