//! Stories: the shrunk trace of each finding is run again and told, so that a report shows what happened where the
//! trace is not at hand. A finding whose trace cannot be read has none.

use super::{Finding, RunFile};
use crate::explain::story::Story;
use crate::explain::tell;
use crate::isolate::{Isolation, IsolationError};
use crate::registry::Registry;
use crate::threads::in_threads;
use crate::trace_files::load;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The most stories of one run file: each has some kilobytes.
pub const MOST_STORIES: usize = 500;

/// A finding without a story, and where its target is in the registry.
struct Untold {
    subject: usize,
    finding: usize,
    target: usize,
}

/// Adds a story to each finding that `wanted` names, with this many workers. When interrupted, the rest stays untold.
pub fn add(
    run: &mut RunFile,
    registry: &Registry,
    workers: usize,
    interrupted: &Arc<AtomicBool>,
    wanted: fn(&Finding) -> bool,
) -> Result<(), IsolationError> {
    let untold = untold(run, registry, wanted);
    let told: Vec<Mutex<Option<Story>>> = untold.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = |run: &RunFile| -> Result<(), IsolationError> {
        let mut isolation = Isolation::start(Arc::clone(interrupted))?;
        while let Some((untold, place)) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            untold.get(number).zip(told.get(number))
        } {
            let finding = &run.subjects[untold.subject].findings[untold.finding];
            let Ok(loaded) = load(registry, Path::new(&finding.trace)) else { continue };
            let story = match tell(&mut isolation, registry, untold.target, &loaded) {
                // It stays without a story.
                Err(IsolationError::NotJudged { .. }) => continue,
                story => story?,
            };
            let Some(story) = story else { return Ok(()) };
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(story);
        }
        Ok(())
    };
    let stop = || next.store(untold.len(), Ordering::Relaxed);
    let done = in_threads(workers.min(untold.len()), stop, || work(run));
    for (untold, story) in untold.iter().zip(told) {
        let story = story.into_inner().unwrap_or_else(PoisonError::into_inner);
        run.subjects[untold.subject].findings[untold.finding].story = story;
    }
    done
}

fn untold(run: &RunFile, registry: &Registry, wanted: fn(&Finding) -> bool) -> Vec<Untold> {
    let mut untold = Vec::new();
    for (subject, part) in run.subjects.iter().enumerate() {
        let Some(target) = registry.index_of(&part.component, &part.subject) else { continue };
        for (finding, found) in part.findings.iter().enumerate() {
            if found.story.is_none() && wanted(found) {
                untold.push(Untold { subject, finding, target });
            }
        }
    }
    untold.truncate(MOST_STORIES);
    untold
}
