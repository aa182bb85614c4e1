//! The matrix of defects and traces: every committed trace on every subject of its component. It fails where a trace
//! does not diverge on its own subject as its header says, or where a sound subject does not agree.

use crate::room::Room;
use memtwin::finding::Ending;
use memtwin::isolate::Isolation;
use memtwin::lockstep::Audits;
use memtwin::trace_files::{Loaded, load};
use memtwin::{Registry, Target};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

type Failed = Box<dyn std::error::Error>;

/// The tables, one a component.
pub(crate) fn matrix(room: &Room, registry: &Registry) -> Result<String, Failed> {
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    let mut text = String::new();
    for dialect in registry.dialects() {
        let of_component = || registry.targets().filter(|target| target.dialect().name() == dialect.name());
        let sound: Vec<_> = of_component().filter(|target| target.is_sound()).map(Target::subject).collect();
        writeln!(
            text,
            "\n## {}\n\n| Trace | Ops | On its own subject | {} | Fails also on |",
            dialect.name(),
            code(&sound)
        )?;
        writeln!(text, "| --- | --- | --- |{} --- |", " --- |".repeat(sound.len()))?;
        for path in room.crashes(dialect.name())? {
            let loaded = load(registry, &path)?;
            let row = Row::of(&mut isolation, registry, &loaded)?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let own = row.own.split_once('/').map_or(row.own.as_str(), |(_, rest)| rest);
            let others = if row.others.is_empty() { "nothing else".to_owned() } else { row.others.join(", ") };
            let sound = row.sound.join(" | ");
            writeln!(text, "| {stem} | {} | `{own}` | {sound} | {others} |", dialect.op_count(&loaded.wire))?;
        }
    }
    text.push('\n');
    Ok(text)
}

fn code(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" | ")
}

/// One trace on every subject.
struct Row {
    /// The signature on the subject that the trace names.
    own: String,
    /// How each sound subject took it.
    sound: Vec<&'static str>,
    /// The other broken subjects that fail on it.
    others: Vec<&'static str>,
}

impl Row {
    fn of(isolation: &mut Isolation, registry: &Registry, loaded: &Loaded) -> Result<Self, Failed> {
        let mut row = Row { own: String::new(), sound: Vec::new(), others: Vec::new() };
        let path = loaded.path.display();
        let expected = loaded.header.expect.as_deref().unwrap_or_default();
        for (index, target) in registry.targets().enumerate() {
            if target.dialect().name() != loaded.dialect.name() {
                continue;
            }
            let ending = isolation.replay(index, &loaded.wire, Audits::Full)?.ok_or("interrupted")?;
            let signature = match &ending {
                Ending::Failed(failure) => Some(loaded.dialect.signature(&loaded.wire, failure).to_string()),
                Ending::Agreed | Ending::Moot { .. } | Ending::Unsupported(_) => None,
            };
            let is_own = loaded.header.subject.as_deref() == Some(target.subject());
            match (target.is_sound(), signature) {
                (true, None) => row.sound.push(match ending {
                    Ending::Unsupported(_) => "not served",
                    Ending::Agreed | Ending::Moot { .. } | Ending::Failed(_) => "agrees",
                }),
                (true, Some(signature)) => {
                    return Err(format!("{path} shows {signature} on the sound {}", target.name()).into());
                }
                (false, signature) if is_own => {
                    if signature.as_deref() != Some(expected) {
                        let seen = signature.unwrap_or_else(|| "agreement".to_owned());
                        return Err(format!("{path} expects {expected:?} on {}, saw {seen}", target.name()).into());
                    }
                    row.own = expected.to_owned();
                }
                (false, Some(_)) => row.others.push(target.subject()),
                (false, None) => {}
            }
        }
        if row.own.is_empty() { Err(format!("{path} names no subject of its component").into()) } else { Ok(row) }
    }
}
