//! Run files hold foreign text: paths, headers of traces, what a subject's process said. Before a report is made of one, every
//! text in it is cut to a length that a person reads, and characters that a viewer would obey are made visible.

use super::{RunFile, RunFileError};
use serde_json::Value;
use std::path::Path;

/// The most characters of one text.
const LONGEST_TEXT: usize = 2000;

/// The run file with tame texts. The runs that were merged are left out: no report shows them one by one.
pub fn tame(run: &RunFile) -> Result<RunFile, RunFileError> {
    let failed = |error: serde_json::Error| RunFileError::NotARunFile {
        path: Path::new("the run").into(),
        message: error.to_string(),
    };
    let whole = RunFile { runs: Vec::new(), ..run.clone() };
    let mut value = serde_json::to_value(&whole).map_err(failed)?;
    tame_value(&mut value);
    serde_json::from_value(value).map_err(failed)
}

fn tame_value(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(tamed) = tame_text(text) {
                *text = tamed;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tame_value),
        Value::Object(fields) => {
            // Keys are foreign too: op kinds and outcome classes of components that this program does not know.
            let tamed = std::mem::take(fields).into_iter().map(|(key, mut value)| {
                tame_value(&mut value);
                (tame_text(&key).unwrap_or(key), value)
            });
            fields.extend(tamed);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text made tame; nothing if it is so already.
fn tame_text(text: &str) -> Option<String> {
    if text.len() <= LONGEST_TEXT && !text.chars().any(is_obeyed) {
        return None;
    }
    let mut tamed = String::new();
    for character in text.chars().take(LONGEST_TEXT) {
        if is_obeyed(character) {
            tamed.extend(character.escape_unicode());
        } else {
            tamed.push(character);
        }
    }
    let left = text.chars().count().saturating_sub(LONGEST_TEXT);
    if 0 < left {
        tamed.push_str(&format!(" … ({left} more characters)"));
    }
    Some(tamed)
}

/// Characters that terminals, browsers and XML readers obey or refuse: control characters but for the line feed, marks that
/// change the direction of text, and what is no character at all.
fn is_obeyed(character: char) -> bool {
    character.is_control() && character != '\n'
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_file::Kind;

    #[test]
    fn what_a_viewer_would_obey_is_shown() {
        assert_eq!(tame_text("guest_memory/bounds/read/result\nπ"), None);
        assert_eq!(tame_text("\x1b[31m\0\u{202e}").as_deref(), Some("\\u{1b}[31m\\u{0}\\u{202e}"));
        let long = tame_text(&"é".repeat(10 << 20)).unwrap();
        assert_eq!(long.chars().count(), LONGEST_TEXT + " … (10483760 more characters)".chars().count());
    }

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
}
