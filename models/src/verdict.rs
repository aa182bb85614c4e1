//! What a model says of one step. Formats nothing: the words are made on a second run.

/// A rule of the contract, with a stable id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Law {
    /// The name within the component, as in signatures (`bounds`).
    pub name: &'static str,
    /// The rule in a sentence: exactly what is judged.
    pub sentence: &'static str,
    /// What is probably wrong where it is broken, in a sentence or two; `{place}` stands for the place of the
    /// divergence.
    pub hint: Option<&'static str>,
}

impl Law {
    /// A law without a hint.
    #[must_use]
    pub const fn new(name: &'static str, sentence: &'static str) -> Self {
        Law { name, sentence, hint: None }
    }

    /// The same law with a hint.
    #[must_use]
    pub const fn hint(self, hint: &'static str) -> Self {
        Law { hint: Some(hint), ..self }
    }
}

/// What a model says of one step, or of the state at an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The contract allows it.
    Agree,
    /// The contract forbids it.
    Diverge(Divergence),
    /// The contract says nothing about what follows; the rest of the trace is not judged.
    Moot(&'static str),
}

/// The first thing that the contract forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divergence {
    /// The name of the broken law.
    pub law: &'static str,
    /// The part of the outcome or of the state that broke it.
    pub field: &'static str,
    /// Where in that part: an offset in bytes or an address, as the component's words explain it.
    pub place: Option<u64>,
}

impl Verdict {
    /// A divergence from `law` in `field`.
    pub const fn diverge(law: &'static Law, field: &'static str) -> Self {
        Verdict::Diverge(Divergence { law: law.name, field, place: None })
    }

    /// A divergence from `law` in `field` at `place`.
    pub const fn diverge_at(law: &'static Law, field: &'static str, place: u64) -> Self {
        Verdict::Diverge(Divergence { law: law.name, field, place: Some(place) })
    }

    /// Whether the step may be followed by the next.
    pub const fn is_agree(&self) -> bool {
        matches!(self, Verdict::Agree)
    }
}
