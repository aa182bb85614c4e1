//! `memtwin list`: what there is, from the registry.

use super::screen::{self, BOLD, DIM};
use super::{Context, Exit, Failed, vocabulary};
use clap::Args;
use memtwin_models::Health;
use serde_json::{Value, json};
use std::io::Write as _;

#[derive(Debug, Args)]
pub struct List {
    /// Print JSON, with the words of each component
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let registry = context.registry;
        let mut out = anstream::stdout();
        if self.json {
            let components = registry.dialects().map(|dialect| {
                let subjects = registry.targets().filter(|target| target.dialect().name() == dialect.name());
                let subjects = subjects.map(|target| {
                    let (defect, story) = match target.health() {
                        Health::Sound => (None, None),
                        Health::Broken { defect, story } => (defect, Some(story)),
                    };
                    json!({
                        "subject": target.subject(),
                        "health": if target.is_sound() { "sound" } else { "broken" },
                        "defect": defect,
                        "story": story,
                        "claims": target.claims(),
                    })
                });
                let laws = dialect.laws().iter().map(|law| json!({ "law": law.name, "sentence": law.sentence }));
                let freedoms = dialect.freedoms().iter();
                let freedoms = freedoms.map(|freedom| json!({ "freedom": freedom.name, "sentence": freedom.sentence }));
                let mut component = json!({
                    "component": dialect.name(),
                    "ops": dialect.op_kinds(),
                    "laws": laws.collect::<Vec<_>>(),
                    "freedoms": freedoms.collect::<Vec<_>>(),
                    "subjects": subjects.collect::<Vec<_>>(),
                });
                if let (Value::Object(component), Value::Object(words)) = (&mut component, vocabulary::of(dialect)) {
                    component.extend(words);
                }
                component
            });
            screen::print_json(&json!({ "components": components.collect::<Vec<_>>() }))?;
            return Ok(Exit::Clean);
        }
        for dialect in registry.dialects() {
            writeln!(out, "{BOLD}{}{BOLD:#}", dialect.name())?;
            for target in registry.targets().filter(|target| target.dialect().name() == dialect.name()) {
                let (health, words) = match target.health() {
                    Health::Sound if target.claimed().is_empty() => ("sound", "the strict contract".to_owned()),
                    Health::Sound => ("sound", format!("claims {}", target.claims().join(", "))),
                    Health::Broken { story, .. } => ("broken", story.to_owned()),
                };
                writeln!(out, "  {:<18} {health:<7} {DIM}{words}{DIM:#}", target.subject())?;
            }
        }
        Ok(Exit::Clean)
    }
}
