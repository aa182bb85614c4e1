//! What a fuzzer's run starts from: the committed seeds, but for those that already show what is to be found. It
//! changes no seed.

use crate::Project;
use crate::command::Trouble;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Where no seed is left: too little for one op.
const ALMOST_NOTHING: &[u8] = b"\0";

/// Copies the seeds of a component to a folder; with a subject only those that it agrees on, so that a defect must be
/// looked for.
///
/// # Errors
/// If memtwin cannot replay the seeds, or the folder cannot be written.
pub fn copy(project: &Project, component: &str, subject: Option<&str>, folder: &Path) -> Result<(), Trouble> {
    std::fs::create_dir_all(folder)?;
    let mut seeds = project.seeds(component)?;
    if let Some(subject) = subject {
        let agreed: Vec<PathBuf> = replays(project, Some(subject), &seeds)?
            .iter()
            .filter(|replay| replay["verdict"] == "passed")
            .filter_map(|replay| replay["trace"].as_str().map(PathBuf::from))
            .collect();
        seeds.retain(|seed| agreed.contains(seed));
    }
    if seeds.is_empty() {
        std::fs::write(folder.join("almost-nothing"), ALMOST_NOTHING)?;
    }
    for seed in seeds {
        std::fs::copy(&seed, folder.join(seed.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

/// How traces end on a subject, or on every sound one: the rows of `memtwin replay --json`.
///
/// # Errors
/// If memtwin cannot replay them.
pub fn replays(project: &Project, subject: Option<&str>, traces: &[PathBuf]) -> Result<Vec<Value>, Trouble> {
    if traces.is_empty() {
        return Ok(Vec::new());
    }
    let run = project.memtwin().with(["replay", "--json"]).with(traces);
    let run = subject.iter().fold(run, |run, subject| run.with(["--subject", subject]));
    let printed = run.keep()?;
    // It prints them whatever they say: that one fails, or that no subject serves any.
    let unreadable = |_| Trouble::Failed(format!("memtwin cannot replay traces: {}", printed.err.trim()));
    let mut object: Value = serde_json::from_str(&printed.out).map_err(unreadable)?;
    Ok(object["replays"].as_array_mut().map(std::mem::take).unwrap_or_default())
}
