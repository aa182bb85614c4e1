//! What a narrator tells: records that survive the death of the worker that wrote them.

use crate::text;
use memtwin_models::picture::{ByteRows, Picture};
use serde::{Deserialize, Serialize};

/// One thing that the narrator told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub(crate) enum Told {
    /// The model before the next op, and what it allows for it.
    Before { allowed: String, picture: Picture },
    /// What the subject showed of it.
    Seen { words: String },
    /// That the op broke a law, as a list of known findings accepts it.
    Known,
    /// What was seen of the place where a law was broken; at the audit with the model's state.
    Place { state: Option<String>, scene: Vec<String>, bytes: Option<ByteDifference>, picture: Option<Picture> },
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
        Some(ByteDifference {
            start: format!("{:#x}", rows.start.wrapping_add(from as u64)),
            allowed: text::digits(&allowed[from..to]),
            seen: text::digits(&seen[from..to]),
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
