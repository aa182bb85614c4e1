//! The opening of a campaign: the traces of a corpus on disk are run once on each sound subject. What reaches something
//! new is where the search starts from; what fails is a finding. And the way back: what a campaign keeps is added to
//! the corpus.

use super::epoch::{Confirmed, EpochRunner};
use super::patience::Patience;
use super::result::{EpochResult, Found};
use super::tally::Tally;
use super::{CampaignError, Plan};
use crate::corpus;
use crate::feedback::{Kept, Reach};
use crate::isolate::{KEPT_BYTES, Surveyed, TraceSurvey, kept_bytes};
use crate::registry::Registry;
use crate::target::Target;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// The wire bytes of a corpus by component, smaller ones first, so that of traces that reach the same the smallest is
/// kept.
#[derive(Debug, Default)]
pub(super) struct Inputs(BTreeMap<&'static str, Vec<Vec<u8>>>);

impl Inputs {
    /// Reads the folder of each component that has a sound subject in the plan. Files that do not decode are left
    /// alone.
    pub(super) fn read(registry: &Registry, plan: &Plan, folder: &Path) -> Result<Self, CampaignError> {
        let mut inputs = BTreeMap::new();
        for target in plan.targets.iter().filter_map(|&index| registry.get(index)).filter(|target| target.is_sound()) {
            let component = target.dialect().name();
            let folder = folder.join(component);
            if !inputs.contains_key(component) && folder.is_dir() {
                let mut wires = corpus::wires(registry, &folder)?;
                wires.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
                wires.dedup();
                inputs.insert(component, wires);
            }
        }
        Ok(Inputs(inputs))
    }
}

/// Runs the corpus on one sound subject. `None` when interrupted.
pub(super) fn run(
    runner: &mut EpochRunner<'_>,
    index: usize,
    target: &dyn Target,
    inputs: &Inputs,
) -> Result<Option<EpochResult>, CampaignError> {
    let started = Instant::now();
    let mut opening = EpochResult::default();
    let wires = inputs.0.get(target.dialect().name()).map_or(&[][..], Vec::as_slice);
    let slices: Vec<&[u8]> = wires.iter().map(Vec::as_slice).collect();
    runner.isolation.accept(&runner.accepted(index));
    let Surveyed::All(seen) = runner.isolation.survey(index, &slices)? else { return Ok(None) };
    let mut reach = Reach::default();
    for (number, (wire, seen)) in (1..).zip(wires.iter().zip(seen)) {
        match seen {
            TraceSurvey::Reached(reached) => {
                if reach.adopt(&reached) {
                    opening.kept.push(Kept { wire: wire.clone(), reached });
                }
            }
            TraceSurvey::Unjudged(_) => {}
            TraceSurvey::NotJudged(why) => {
                let number = format!("corpus-{number}");
                opening.not_judged.push(runner.not_judged(index, target, wire, &number, why)?);
            }
            TraceSurvey::Failed(failure) => {
                let Confirmed::Finding(signature, class) = runner.confirm(index, target, wire, Some(failure))? else {
                    continue;
                };
                if opening.found.iter().all(|known: &Found| known.signature != signature) {
                    let filed = runner.file_and_shrink(index, target, wire, &signature, Patience::with(class))?;
                    let seconds = started.elapsed().as_secs_f64();
                    let (executions, shapes) = (number, Vec::new());
                    let found = Found { signature, executions, ops: 0, seconds, filed, shapes, earlier_traces: 0 };
                    opening.found.push(found);
                    runner.report(index, target, &opening.found[opening.found.len() - 1])?;
                }
            }
        }
    }
    opening.tally = Tally::reaching(&opening.kept);
    // A line of the log holds no more than an epoch can keep.
    let mut bytes = 0;
    opening.kept.retain(|kept| {
        bytes += kept_bytes(kept);
        bytes <= KEPT_BYTES
    });
    Ok(Some(opening))
}

/// Adds what was kept to the corpus. Files are whole or not there; they are not synced one by one, because the log has
/// them.
pub(super) fn save(registry: &Registry, plan: &Plan, target: usize, kept: &[Kept]) -> Result<(), CampaignError> {
    let (Some(folder), Some(target)) = (&plan.corpus, registry.get(target)) else { return Ok(()) };
    if !target.is_sound() {
        return Ok(());
    }
    let folder = folder.join(target.dialect().name());
    kept.iter().try_for_each(|kept| corpus::add(&folder, &kept.wire)).map_err(CampaignError::from)
}
