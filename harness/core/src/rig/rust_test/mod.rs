//! What a component makes of a trace that becomes a test: calls, and the support they need. The file around them is the
//! exporter's. It is made in the supervisor, so that its size is bounded and an interrupt ends it.

use crate::limits::{EXPORT_ANSWER_BYTES, EXPORT_BYTES, EXPORT_OPS};
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) mod heap;

/// What a component makes of a trace: code, and the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestBody {
    /// How to put one's own code in place, in a sentence.
    pub place: &'static str,
    /// What the calls need: types and functions.
    pub support: String,
    /// The statements of the test.
    pub calls: Vec<String>,
}

/// Why a trace does not become a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTest {
    /// It cannot, for this reason.
    Refused(&'static str),
    /// The user wants an end.
    Interrupted,
}

impl From<&'static str> for NoTest {
    fn from(reason: &'static str) -> Self {
        NoTest::Refused(reason)
    }
}

/// What is left for a test that is being made.
#[derive(Debug)]
pub struct Room<'a> {
    interrupted: &'a AtomicBool,
    text_bytes: usize,
    answer_bytes: u64,
}

impl<'a> Room<'a> {
    /// All there is, for a trace with so many ops.
    pub fn new(interrupted: &'a AtomicBool, ops: usize) -> Result<Self, NoTest> {
        if EXPORT_OPS < ops {
            return Err(NoTest::Refused("it has more than 10,000 ops, the most a test may have: shrink it first"));
        }
        Ok(Room { interrupted, text_bytes: EXPORT_BYTES, answer_bytes: EXPORT_ANSWER_BYTES })
    }

    /// Takes what the answer to the next op needs, before it is made.
    pub fn answer(&mut self, bytes: u64) -> Result<(), NoTest> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(NoTest::Interrupted);
        }
        let left = self.answer_bytes.checked_sub(bytes);
        self.answer_bytes = left.ok_or(NoTest::Refused(
            "its answers have more than 256 MiB together, the most a test may have: shrink it first",
        ))?;
        Ok(())
    }

    /// Takes room for lines of the test.
    pub fn text(&mut self, lines: &[String]) -> Result<(), NoTest> {
        let bytes = lines.iter().map(|line| line.len() + 5).sum();
        let left = self.text_bytes.checked_sub(bytes);
        self.text_bytes =
            left.ok_or(NoTest::Refused("it would be larger than 16 MiB, the most a test may be: shrink it first"))?;
        Ok(())
    }
}

/// Foreign text on one line of a comment.
#[must_use]
pub fn comment(text: &str) -> String {
    crate::text::line(text).into_owned()
}

/// Foreign text on one line of a comment of C. A backslash at its end would take the next line in.
#[must_use]
pub fn c_comment(text: &str) -> String {
    let mut text = comment(text).trim_end().to_owned();
    if text.ends_with('\\') || text.ends_with("??/") {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_that_are_told() {
        assert_eq!((EXPORT_OPS, EXPORT_ANSWER_BYTES, EXPORT_BYTES), (10_000, 256 << 20, 16 << 20));
    }
}
