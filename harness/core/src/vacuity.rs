//! What runs count, and where that says too little: nothing ran, or too much of what ran was not judged. Here it is
//! said how much that is. Does not run anything.

use crate::finding::Ending;
use memtwin_models::{Effect, OutcomeClass};

/// Outcome classes that a component may have at most.
pub const CLASSES: usize = 16;
/// Op kinds that a component may have at most.
pub const KINDS: usize = 64;
/// Counters: op kinds times outcome classes.
pub const COUNTS: usize = KINDS * CLASSES;

/// What ran, and what of it was not judged.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ran {
    pub(crate) traces: u64,
    pub(crate) moot: u64,
    pub(crate) unsupported: u64,
    pub(crate) ops: u64,
    pub(crate) skipped: u64,
}

/// How many traces of a run may be moot or not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// One in a hundred: a generator knows what is served, and what makes a trace moot.
    OneInAHundred,
    /// Half: a small world is the same one for all.
    Half,
}

/// Whether a part of a whole is most of it.
pub(crate) fn is_most(part: u64, whole: u64) -> bool {
    whole < part.saturating_mul(2)
}

/// How many of the counted ops were skipped.
pub(crate) fn skipped(classes: &[OutcomeClass], counts: &[u64; COUNTS]) -> u64 {
    let is_skipped = |place: usize| classes.get(place % CLASSES).is_some_and(|class| class.effect == Effect::Skipped);
    let skipped = counts.iter().enumerate().filter(|(place, _)| is_skipped(*place));
    skipped.fold(0, |sum: u64, (_, count)| sum.saturating_add(*count))
}

/// Where a run says too little.
pub(crate) fn shortfalls(ran: &Ran, allowed: Allowed) -> Vec<String> {
    let Ran { traces, moot, unsupported, ops, skipped } = *ran;
    let mut shortfalls = Vec::new();
    if ops == 0 {
        shortfalls.push("no op ran: an agreement over nothing says nothing".to_owned());
    }
    let unjudged = moot.saturating_add(unsupported);
    let (is_too_much, most) = match allowed {
        Allowed::OneInAHundred => (traces < unjudged.saturating_mul(100), "one in a hundred"),
        Allowed::Half => (is_most(unjudged, traces), "half of them"),
    };
    if is_too_much {
        let what = format!("{moot} of {traces} traces are moot and {unsupported} have a setup that is not served");
        shortfalls.push(format!("{what}; at most {most} may be so"));
    }
    if is_most(skipped, ops) {
        shortfalls.push(format!("{skipped} of {ops} ops are skipped; at most half of them may be"));
    }
    shortfalls
}

/// Why the run of one trace of so many ops, of which so many were skipped, says nothing; `None` where it does.
pub(crate) fn of_one(ending: &Ending, ops: u64, skipped: u64) -> Option<String> {
    match ending {
        Ending::Unsupported(reason) => Some(format!("unsupported: {reason}")),
        Ending::Moot { op, reason } if is_most(ops.saturating_sub(u64::from(*op)), ops) => {
            Some(format!("moot from op {op} on: {reason}"))
        }
        Ending::Agreed | Ending::Moot { .. } if is_most(skipped, ops) => {
            Some(format!("{skipped} of its {ops} ops are skipped"))
        }
        Ending::Agreed | Ending::Moot { .. } | Ending::Failed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Ran = Ran { traces: 10, moot: 3, unsupported: 2, ops: 100, skipped: 50 };

    #[test]
    fn half_is_not_most_and_one_more_is() {
        assert!(shortfalls(&HALF, Allowed::Half).is_empty());
        for ran in [Ran { moot: 4, ..HALF }, Ran { unsupported: 3, ..HALF }, Ran { skipped: 51, ..HALF }] {
            assert_eq!(shortfalls(&ran, Allowed::Half).len(), 1, "{ran:?}");
        }
        let few = Ran { traces: 500, skipped: 0, ..HALF };
        assert!(shortfalls(&few, Allowed::OneInAHundred).is_empty());
        let many = shortfalls(&Ran { unsupported: 3, ..few }, Allowed::OneInAHundred);
        let words =
            "3 of 500 traces are moot and 3 have a setup that is not served; at most one in a hundred may be so";
        assert_eq!(many, [words]);
    }

    #[test]
    fn nothing_is_too_little_and_made_up_counts_are_no_panic() {
        assert_eq!(shortfalls(&Ran::default(), Allowed::Half).len(), 1);
        let made_up = Ran { traces: 1, moot: u64::MAX, unsupported: u64::MAX, ops: 1, skipped: u64::MAX };
        assert_eq!(shortfalls(&made_up, Allowed::OneInAHundred).len(), 2);
    }

    #[test]
    fn one_trace_says_nothing_where_most_of_it_is_not_judged() {
        let moot = |op| Ending::Moot { op, reason: "m".to_owned() };
        let says = |ending: &Ending, skipped| of_one(ending, 4, skipped).is_none();
        assert!(says(&Ending::Agreed, 2) && !says(&Ending::Agreed, 3));
        assert!(says(&moot(2), 0) && !says(&moot(1), 0) && !says(&moot(3), 3));
        assert!(!says(&Ending::Unsupported("u".to_owned()), 0));
        // A trace without ops has its audit.
        assert!(of_one(&Ending::Agreed, 0, 0).is_none());
    }

    #[test]
    fn ops_of_every_kind_count_as_skipped() {
        let class = |effect| OutcomeClass { name: "", effect };
        let classes = [class(Effect::Success), class(Effect::Skipped), class(Effect::Failure), class(Effect::Skipped)];
        let mut counts = [0; COUNTS];
        (counts[0], counts[1], counts[CLASSES + 1], counts[CLASSES + 2], counts[2 * CLASSES + 3]) = (7, 1, 2, 9, 4);
        assert_eq!(skipped(&classes, &counts), 7);
    }
}
