//! Run files hold foreign text: paths, headers of traces, what a subject's process said. Every text in one that was
//! read is cut to a length that a person reads, and characters that a viewer would obey are written out. So are those
//! of a run that was just made, before a report shows them.

use super::taming::{Room, Taming};
use super::{RunFile, RunFileError};
use serde::Deserialize as _;
use std::path::Path;

/// The run file in this text, with tame texts, in at most so many bytes of memory.
pub(super) fn from_json(text: &[u8], most_bytes: usize) -> serde_json::Result<RunFile> {
    let mut source = serde_json::Deserializer::from_slice(text);
    let run = RunFile::deserialize(Taming::new(&mut source, &Room::of(most_bytes)))?;
    source.end()?;
    Ok(run)
}

/// The run file with tame texts. The runs that were merged are left out: no report shows them one by one.
pub fn tame(run: &RunFile) -> Result<RunFile, RunFileError> {
    let failed = |error: serde_json::Error| RunFileError::NotARunFile {
        path: Path::new("the run").into(),
        message: error.to_string(),
    };
    let whole = RunFile { runs: Vec::new(), ..run.clone() };
    let text = serde_json::to_vec(&whole).map_err(failed)?;
    drop(whole);
    from_json(&text, usize::MAX).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_file::{Kind, SubjectRun};

    #[test]
    fn a_merged_file_is_as_tame_as_any_other() {
        let part = RunFile::new(Kind::Fuzz, 1, Vec::new(), Vec::new());
        let run = RunFile {
            kind: Kind::Merged,
            shard: Some("\x07".into()),
            runs: vec![part],
            ..RunFile::new(Kind::Merged, 1, Vec::new(), Vec::new())
        };
        let tamed = tame(&run).unwrap();
        assert_eq!((tamed.shard.as_deref(), tamed.runs.len()), (Some("\\u{7}"), 0));
    }

    #[test]
    fn keys_are_tame_and_what_is_made_is_counted() {
        let subject = r#"{"component":"a\u001b","subject":"b","health":"sound","verdict":"agreed","traces":1,"ops":1,"moot":0,
            "unsupported":0,"unconfirmed":0,"seconds":0.5,"features":1,"outcomes":{"\u202e":{"\u0007":3}},"shortfalls":["::x"],
            "findings":[]}"#;
        let run = format!(
            r#"{{"schema":"memtwin-run/1","seed":1,"subjects":[{subject}],"totals":{{"subjects":1,"agreed":1,"caught":0,
            "missed":0,"diverged":0,"shortfalls":0,"findings":0,"traces":1,"ops":1}}}}"#
        );
        let read = from_json(run.as_bytes(), 10_000).unwrap();
        let SubjectRun { component, outcomes, shortfalls, .. } = &read.subjects[0];
        assert_eq!((component.as_str(), outcomes["\\u{202e}"]["\\u{7}"]), ("a\\u{1b}", 3));
        assert_eq!(shortfalls, &["\\u{3a}:x"]);
        assert!(from_json(run.as_bytes(), 1000).unwrap_err().to_string().starts_with("it has more parts"));
        assert!(from_json(format!("{run}x").as_bytes(), 10_000).is_err());
    }
}
