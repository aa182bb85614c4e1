//! From names on the command line to targets.

use super::Failed;
use crate::program;
use crate::registry::Registry;

/// The targets that a list of `component` and `component/subject` stands for: sound ones, Broken ones when named or
/// asked for. An empty list stands for every component.
pub fn targets(registry: &Registry, names: &[String], broken: bool) -> Result<Vec<usize>, Failed> {
    let mut chosen = Vec::new();
    let libraries = registry.libraries();
    // Who names a library means it, and not the subjects beside it.
    let is_meant = move |index: &usize| libraries.is_empty() || libraries.contains(index);
    let all = || registry.targets().enumerate().filter(move |(index, _)| is_meant(index));
    if names.is_empty() {
        chosen.extend(all().filter(|(_, target)| broken || target.is_sound()).map(|(index, _)| index));
    }
    for name in names {
        if let Some((component, subject)) = name.split_once('/') {
            chosen.push(target(registry, component, subject)?);
            continue;
        }
        if registry.dialect(name).is_none() {
            return Err(unknown(registry, name).into());
        }
        let of_component = all().filter(|(_, target)| target.dialect().name() == name);
        chosen.extend(of_component.filter(|(_, target)| broken || target.is_sound()).map(|(index, _)| index));
    }
    let mut seen = std::collections::BTreeSet::new();
    chosen.retain(|index| seen.insert(*index));
    if chosen.is_empty() {
        return Err("there is no sound subject among these; name a Broken one or add --broken".into());
    }
    Ok(chosen)
}

/// The target of a component and a subject, which may be named with its component before it.
pub fn target(registry: &Registry, component: &str, subject: &str) -> Result<usize, Failed> {
    let own = subject.strip_prefix(component).and_then(|rest| rest.strip_prefix('/'));
    let subject = own.unwrap_or(subject);
    let found = registry.index_of(component, subject);
    found.ok_or_else(|| format!("unknown subject {component}/{subject}; see `{} list`", program::called()).into())
}

/// What is wrong with a name that is no component's: perhaps it is a subject's.
fn unknown(registry: &Registry, name: &str) -> String {
    let of_subjects = registry.targets().filter(|target| target.subject() == name).map(crate::target::Target::name);
    let meant: Vec<_> = of_subjects.collect();
    if !meant.is_empty() {
        return format!("{name:?} is a subject, not a component; say {}", meant.join(" or "));
    }
    let known: Vec<_> = registry.dialects().map(crate::target::Dialect::name).collect();
    format!("unknown component {name:?}; known are {}; see `{} list`", known.join(", "), program::called())
}
