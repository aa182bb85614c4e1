//! The broken laws that a run of one subject goes on behind, because a list of known findings accepts them. Does not
//! read the list, and does not say what state the subject is in: that is for the model.

use memtwin_models::Divergence;

/// The most signatures that a run goes on behind.
pub const MOST_ACCEPTED: usize = 32;
/// The most bytes that they have as text.
pub(crate) const TEXT_BYTES: usize = 8192;

/// Signatures of broken laws that are accepted, and how often each was met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    signatures: Vec<String>,
    steps: Vec<u64>,
}

impl Accepted {
    /// These signatures, sorted. Those of faults are left out, for nothing goes on behind the death of a process, and
    /// so are those beyond [`MOST_ACCEPTED`]: a run ends at them as at any other finding.
    #[must_use]
    pub fn new<'a>(signatures: impl IntoIterator<Item = &'a str>) -> Self {
        let of_laws = signatures.into_iter().filter(|signature| signature.split('/').count() == 4);
        let mut signatures: Vec<String> = of_laws.map(str::to_owned).collect();
        signatures.sort();
        signatures.dedup();
        signatures.truncate(MOST_ACCEPTED);
        let mut bytes = 0;
        signatures.retain(|signature| {
            bytes += signature.len() + 1;
            bytes <= TEXT_BYTES
        });
        let steps = vec![0; signatures.len()];
        Accepted { signatures, steps }
    }

    /// The signatures.
    #[must_use]
    pub fn signatures(&self) -> &[String] {
        &self.signatures
    }

    /// Whether none is accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signatures.is_empty()
    }

    /// How often each was met since the last call.
    pub(crate) fn take_steps(&mut self) -> impl Iterator<Item = u64> {
        self.steps.iter_mut().map(std::mem::take)
    }

    /// Counts a broken law at an op of this kind, if it is accepted.
    pub(crate) fn meet(&mut self, component: &str, kind: &str, divergence: &Divergence) -> bool {
        let parts = [component, divergence.law, kind, divergence.field];
        let index = self.signatures.iter().position(|signature| signature.split('/').eq(parts));
        if let Some(steps) = index.and_then(|index| self.steps.get_mut(index)) {
            *steps += 1;
        }
        index.is_some()
    }

    /// As one text.
    pub(crate) fn text(&self) -> String {
        self.signatures.join("\n")
    }

    /// From a text as [`Accepted::text`] gives it.
    pub(crate) fn parse(text: &str) -> Self {
        Accepted::new(text.lines())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_law_is_met_where_all_of_its_signature_agrees() {
        let mut accepted =
            Accepted::new(["heap/aligned/malloc/block", "heap/segfault/free", "heap/aligned/malloc/block"]);
        assert_eq!(accepted.signatures(), ["heap/aligned/malloc/block"]);
        let divergence = Divergence { law: "aligned", field: "block", place: Some(7) };
        assert!(accepted.meet("heap", "malloc", &divergence) && accepted.meet("heap", "malloc", &divergence));
        assert!(!accepted.meet("heap", "calloc", &divergence) && !accepted.meet("other", "malloc", &divergence));
        assert!(!accepted.meet("heap", "malloc", &Divergence { law: "kept", ..divergence }));
        assert!(!accepted.meet("heap", "malloc", &Divergence { field: "result", ..divergence }));
        assert_eq!(accepted.take_steps().collect::<Vec<_>>(), [2]);
        assert_eq!(accepted.take_steps().collect::<Vec<_>>(), [0]);
        assert_eq!(Accepted::parse(&accepted.text()), accepted);
        assert!(Accepted::parse("").is_empty());
    }

    #[test]
    fn there_is_a_bound() {
        let many: Vec<String> = (0..100).map(|number| format!("a/b/c{number}/{}", "d".repeat(300))).collect();
        let accepted = Accepted::new(many.iter().map(String::as_str));
        assert!(accepted.signatures().len() < MOST_ACCEPTED && accepted.text().len() <= TEXT_BYTES);
    }
}
