//! The steps that run AFL++: two instances on every component's target must keep no crash and be stable, and narrowed
//! to a subject with a defect they must keep one that memtwin shrinks to a trace that replays.

use super::fuzzers::DEFECTS;
use crate::interrupted;
use crate::room::Room;
use memtwin::drivers::afl::{Fleet, Instance, Limit, build, file};
use memtwin::drivers::command::Trouble;
use std::path::Path;
use std::time::Duration;

const INSTANCES: usize = 2;
const TIME: Duration = Duration::from_secs(20);
/// Below this AFL++ hunts differences that no input makes.
const LEAST_STABILITY_PERCENT: f64 = 95.0;
/// Within this many inputs an instance finds the defect.
const MOST_INPUTS: u64 = 200_000;
const SEED: u64 = 1337;

pub(super) fn finds_nothing(room: &Room) -> Result<(), Trouble> {
    let programs = build(&room.project())?;
    for dialect in memtwin::built_in().dialects() {
        let component = dialect.name();
        for instance in fuzz(room, &programs, component, None, Limit::Time(TIME))?.1 {
            if let Some(crash) = instance.crashes.first() {
                return Err(Trouble::Failed(format!("{component} keeps {}", crash.display())));
            }
            let stability = instance.statistics.stability_percent;
            if stability < LEAST_STABILITY_PERCENT {
                let what = "two runs of one input take different paths; something outlives an input";
                return Err(Trouble::Failed(format!("{component}: stability {stability} %: {what}")));
            }
        }
    }
    Ok(())
}

pub(super) fn finds_defects(room: &Room) -> Result<(), Trouble> {
    let programs = build(&room.project())?;
    for (component, subject) in DEFECTS {
        let limit = Limit::Inputs { inputs: MOST_INPUTS, seed: SEED };
        let (out, instances) = fuzz(room, &programs, component, Some(subject), limit)?;
        let crashes: Vec<_> = instances.into_iter().flat_map(|instance| instance.crashes).collect();
        let filed = file(&room.project(), component, Some(subject), &crashes, out.path())?;
        let Some(finding) = filed.findings.first() else {
            return Err(Trouble::Failed(format!("AFL++ did not find {subject} within {MOST_INPUTS} inputs")));
        };
        room.memtwin().with(["replay"]).with([&finding.trace]).pass()?;
    }
    Ok(())
}

/// Runs two instances. What they write lies in a folder named after the component, by which memtwin knows what the
/// bytes mean, and lives as long as the first of what is returned.
fn fuzz(
    room: &Room,
    programs: &Path,
    component: &str,
    subject: Option<&str>,
    limit: Limit,
) -> Result<(tempfile::TempDir, Vec<Instance>), Trouble> {
    let out = tempfile::tempdir()?;
    let sync = out.path().join("sync").join(component);
    let fleet = Fleet {
        component,
        subject,
        instances: INSTANCES,
        has_main: true,
        limit,
        sync: &sync,
        foreign: None,
        feedback: true,
    };
    let ended = fleet.run(&room.project(), programs, &*interrupted()?)?;
    if ended.was_interrupted { Err(Trouble::Failed("interrupted".to_owned())) } else { Ok((out, ended.instances)) }
}
