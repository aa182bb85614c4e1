//! What a component makes of a trace that becomes a test: calls, and the support they need. The file around them is the exporter's.

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

/// Foreign text on one line of a comment.
#[must_use]
pub fn comment(text: &str) -> String {
    crate::text::line(text).into_owned()
}
