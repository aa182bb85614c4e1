//! The story of one trace on one subject, as data: what the terminal, the HTML report and others tell in their own ways.

use memtwin_models::picture::{ByteRows, Picture};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The story of one trace on one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The component.
    pub component: String,
    /// The subject.
    pub subject: String,
    /// What is wrong with the subject, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defect: Option<String>,
    /// What the trace's header says that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<String>,
    /// The trace's file.
    pub trace: String,
    /// The setup, in words.
    pub setup: String,
    /// Ops before the first told step; they agreed.
    pub earlier: usize,
    /// The told steps: all of a short trace, the last of a long one.
    pub steps: Vec<ToldStep>,
    /// Ops after the last told step; they did not run.
    pub later: usize,
    /// How it ended.
    pub end: End,
    /// What is probably wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<String>,
    /// The signature, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The command that shows it again.
    pub replay: String,
}

/// One op of a story.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToldStep {
    /// The op, in words.
    pub op: String,
    /// What the model allowed.
    pub allowed: String,
    /// What the subject showed; nothing if it died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What came of it.
    pub came: Came,
    /// The model's state before the op, with what the op asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// The model allowed it.
    Agreed,
    /// It broke a law.
    Diverged,
    /// The process died.
    Died,
    /// From here on the contract says nothing.
    Moot,
}

/// How a story ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// The subject agreed at every step.
    Agreed,
    /// The contract says nothing about the rest.
    Moot {
        /// The op that led there.
        op: u32,
        /// Why.
        reason: String,
    },
    /// The subject cannot serve the setup.
    Unsupported {
        /// Why.
        reason: String,
    },
    /// A law was broken.
    Diverged {
        /// Where, in words: `at op 3`, `at the audit after the last op`.
        place: String,
        /// The law.
        law: String,
        /// Its sentence.
        sentence: String,
        /// The part of the outcome or of the state that broke it.
        field: String,
        /// What was allowed; nothing at an audit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allowed: Option<String>,
        /// What was seen.
        seen: String,
        /// What a person should see of the place, in lines.
        scene: Vec<String>,
        /// The bytes that differ, where bytes do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<ByteDifference>,
        /// The model's state, at an audit; at an op it is the last step's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        picture: Option<Picture>,
    },
    /// The process died.
    Died {
        /// Where, in words.
        place: String,
        /// The class of the fault, as in signatures.
        class: String,
        /// The same in words.
        words: String,
        /// What was allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allowed: Option<String>,
        /// The address of the fault, as `0x…`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// What the process said last, in lines.
        said: Vec<String>,
        /// The subject's frames, innermost first.
        frames: Vec<String>,
    },
}

/// Bytes beside each other, around the first that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteDifference {
    /// The address, or the offset, of the first shown byte, as `0x…`.
    pub start: String,
    /// What was allowed, two hexadecimal digits a byte.
    pub allowed: String,
    /// What was seen, of the same length.
    pub seen: String,
    /// The index of the first byte that differs.
    pub first: usize,
}

/// The most bytes of a difference.
const SHOWN_BYTES: usize = 64;
/// How many bytes a line of a difference has where lines are short; a difference begins at a multiple of it.
pub const LINE_BYTES: usize = 16;

impl ByteDifference {
    /// Where two rows of bytes differ first; `None` where they do not. What one row lacks is no difference.
    #[must_use]
    pub fn of(rows: &ByteRows) -> Option<ByteDifference> {
        let length = rows.allowed.len().min(rows.seen.len());
        let (allowed, seen) = (&rows.allowed[..length], &rows.seen[..length]);
        let first = allowed.iter().zip(seen).position(|(allowed, seen)| allowed != seen)?;
        let from = (first - first % LINE_BYTES).saturating_sub(LINE_BYTES);
        let most = length.min(from + SHOWN_BYTES);
        let last = (first..most).rev().find(|index| allowed[*index] != seen[*index]).unwrap_or(first);
        let to = most.min((last + 1 - from).next_multiple_of(LINE_BYTES) + from);
        let digits = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut digits, byte| {
                // Writing to a string cannot fail.
                let _ = write!(digits, "{byte:02x}");
                digits
            })
        };
        Some(ByteDifference {
            start: format!("{:#x}", rows.start.wrapping_add(from as u64)),
            allowed: digits(&allowed[from..to]),
            seen: digits(&seen[from..to]),
            first: first - from,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_with_the_line_before_it() {
        let allowed = vec![0; 1000];
        let mut seen = allowed.clone();
        (seen[100], seen[130]) = (1, 2);
        let rows = ByteRows { start: 0x1000, allowed, seen };
        let difference = ByteDifference::of(&rows).unwrap();
        assert_eq!((difference.start.as_str(), difference.first), ("0x1050", 20));
        assert_eq!((difference.allowed.len(), difference.seen.len()), (128, 128));
        assert_eq!(&difference.seen[40..42], "01");
        // Without the second one the lines after the first are left out.
        let rows = ByteRows { seen: [vec![0; 100], vec![1], vec![0; 899]].concat(), ..rows };
        assert_eq!(ByteDifference::of(&rows).unwrap().seen.len(), 64);
    }

    #[test]
    fn equal_bytes_and_missing_ones_are_no_difference() {
        assert_eq!(ByteDifference::of(&ByteRows { start: 0, allowed: vec![1, 2, 3], seen: vec![1, 2] }), None);
        let short = ByteRows { start: 7, allowed: vec![1], seen: vec![2] };
        let expected =
            ByteDifference { start: "0x7".to_owned(), allowed: "01".to_owned(), seen: "02".to_owned(), first: 0 };
        assert_eq!(ByteDifference::of(&short), Some(expected));
    }
}
