//! What a fuzzer's run starts from: the committed seeds, but for those that already show what is to be found. It
//! changes no seed.

use crate::command::{Run, Trouble};
use crate::room::Room;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Where no seed is left: too little for one op.
const ALMOST_NOTHING: &[u8] = b"\0";

/// Copies the seeds of a component to a folder; with a subject only those that it agrees on, so that a defect must be
/// looked for.
pub(crate) fn copy(room: &Room, component: &str, subject: Option<&str>, folder: &Path) -> Result<(), Trouble> {
    std::fs::create_dir_all(folder)?;
    let mut seeds = room.seeds(component)?;
    if let Some(subject) = subject {
        let agreed: Vec<PathBuf> = replays(room, Some(subject), &seeds)?
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
pub(crate) fn replays(room: &Room, subject: Option<&str>, traces: &[PathBuf]) -> Result<Vec<Value>, Trouble> {
    if traces.is_empty() {
        return Ok(Vec::new());
    }
    let run = Run::memtwin(room).with(["replay", "--json"]).with(traces);
    let run = subject.iter().fold(run, |run, subject| run.with(["--subject", subject]));
    let printed = run.keep()?;
    // It says 1 where a trace fails.
    if !matches!(printed.code, Some(0 | 1)) {
        return Err(Trouble::Failed(format!("memtwin cannot replay traces: {}", printed.err.trim())));
    }
    let mut object: Value = serde_json::from_str(&printed.out)?;
    Ok(object["replays"].as_array_mut().map(std::mem::take).unwrap_or_default())
}
