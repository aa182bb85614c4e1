//! What became of a trace on a subject: what was seen, beside what the trace's header, the baseline and the known
//! findings say. A decision on data; nothing is run here.

use crate::run_file::{Status, TraceRun};

/// How often a run that is not as expected is repeated.
pub(super) const RERUNS: usize = 3;

/// What one run showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// The subject agreed.
    Agreed,
    /// From some op on the contract says nothing: why.
    Moot(String),
    /// The setup is not served, or most ops were moot or skipped: nothing was judged, or not much, and this is why.
    Unjudged(String),
    /// It failed with this signature.
    Failed(String),
}

/// A trace on a subject, and all that is known about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Judged {
    /// What the runs showed: one, or one and [`RERUNS`] more.
    pub(super) seen: Vec<Seen>,
    /// The op at which the first run failed, if it did so at an op.
    pub(super) step: Option<usize>,
    /// The ops of the first run.
    pub(super) ops: usize,
    /// The signature that the trace's header expects of this subject.
    pub(super) expected: Option<String>,
    /// What the baseline says of this trace on this subject.
    pub(super) earlier: Option<Earlier>,
    /// Why the failure is accepted.
    pub(super) known: Option<String>,
    /// Why and until when it was accepted, if that day is over.
    pub(super) expired: Option<String>,
    /// Whether the subject is sound.
    pub(super) is_sound: bool,
}

/// What a baseline says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Earlier {
    /// The subject agreed.
    Agreed,
    /// It failed with this signature.
    Failed(String),
    /// It was not judged.
    NotJudged,
}

impl Earlier {
    /// What a row of the baseline says.
    #[must_use]
    pub(super) fn of(row: &TraceRun) -> Self {
        match (row.status, &row.seen) {
            (Status::Skipped | Status::Gone, _) => Earlier::NotJudged,
            (Status::Passed | Status::Fixed, _) | (_, None) => Earlier::Agreed,
            (Status::StillFailing | Status::Known | Status::Flaky | Status::New, Some(seen)) => {
                Earlier::Failed(seen.clone())
            }
        }
    }
}

/// A status, whether it makes the run red, and why it is as it is where that must be said.
pub(super) type Judgement = (Status, bool, Option<String>);

/// Whether one run shows nothing that must be looked at again.
pub(super) fn is_as_expected(seen: &Seen, expected: Option<&str>) -> bool {
    match seen {
        Seen::Failed(signature) => expected == Some(signature.as_str()),
        Seen::Agreed => expected.is_none(),
        // These depend on the trace and the contract alone: a second look shows the same.
        Seen::Moot(_) | Seen::Unjudged(_) => true,
    }
}

/// Judges.
pub(super) fn judge(judged: &Judged) -> Judgement {
    let Some(first) = judged.seen.first() else { return (Status::Gone, true, Some("it was not run".to_owned())) };
    if judged.seen.iter().any(|seen| seen != first) {
        let failed = judged.seen.iter().filter(|seen| matches!(seen, Seen::Failed(_))).count();
        return (Status::Flaky, true, Some(format!("{failed} of {} runs failed", judged.seen.len())));
    }
    match (first, &judged.expected) {
        (Seen::Failed(signature), Some(expected)) if signature == expected => (Status::StillFailing, false, None),
        (Seen::Failed(signature), _) => match (&judged.known, &judged.expired, &judged.earlier) {
            (Some(reason), _, _) => (Status::Known, false, Some(reason.clone())),
            // What was accepted for a time does not live on in a baseline.
            (None, Some(reason), _) => (Status::New, true, Some(reason.clone())),
            (None, None, Some(Earlier::Failed(earlier))) if earlier == signature => (Status::StillFailing, false, None),
            (None, None, _) => (Status::New, true, None),
        },
        // A known defect that no longer shows must be seen; that sound code was mended is good news.
        (Seen::Agreed, Some(_)) => (Status::Fixed, !judged.is_sound, None),
        (Seen::Moot(reason), Some(_)) => (Status::Gone, true, Some(format!("moot: {reason}"))),
        (Seen::Unjudged(why), Some(_)) => (Status::Gone, true, Some(why.clone())),
        (Seen::Agreed | Seen::Moot(_), None) => match judged.earlier {
            Some(Earlier::Failed(_)) => (Status::Fixed, false, None),
            Some(Earlier::Agreed | Earlier::NotJudged) | None => (Status::Passed, false, None),
        },
        (Seen::Unjudged(why), None) => {
            let was_judged = matches!(judged.earlier, Some(Earlier::Agreed | Earlier::Failed(_)));
            let status = if was_judged { Status::Gone } else { Status::Skipped };
            (status, false, Some(why.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(signature: &str) -> Seen {
        Seen::Failed(signature.to_owned())
    }

    fn sound(seen: Seen) -> Judged {
        Judged { seen: vec![seen], is_sound: true, ..Judged::default() }
    }

    #[track_caller]
    fn check(judged: &Judged, status: Status, is_red: bool) {
        let (seen, red, _) = judge(judged);
        assert_eq!((seen, red), (status, is_red), "{judged:?}");
    }

    #[test]
    fn sound_code_must_agree_unless_something_accepts_its_failure() {
        check(&sound(Seen::Agreed), Status::Passed, false);
        check(&sound(Seen::Moot("m".into())), Status::Passed, false);
        check(&sound(failed("a")), Status::New, true);
        check(&Judged { known: Some("why".into()), ..sound(failed("a")) }, Status::Known, false);
        check(
            &Judged { earlier: Some(Earlier::Failed("a".into())), ..sound(failed("a")) },
            Status::StillFailing,
            false,
        );
        let expired = Judged { expired: Some("until then".into()), ..sound(failed("a")) };
        check(&Judged { earlier: Some(Earlier::Failed("a".into())), ..expired }, Status::New, true);
        check(&Judged { earlier: Some(Earlier::Failed("b".into())), ..sound(failed("a")) }, Status::New, true);
        check(&Judged { earlier: Some(Earlier::Agreed), ..sound(failed("a")) }, Status::New, true);
        check(&Judged { earlier: Some(Earlier::Failed("a".into())), ..sound(Seen::Agreed) }, Status::Fixed, false);
    }

    #[test]
    fn what_a_header_expects_must_be_seen() {
        let expecting = |is_sound, seen| Judged { expected: Some("a".into()), is_sound, ..sound(seen) };
        check(&expecting(false, failed("a")), Status::StillFailing, false);
        check(&expecting(true, failed("a")), Status::StillFailing, false);
        check(&expecting(false, failed("b")), Status::New, true);
        check(&expecting(false, Seen::Agreed), Status::Fixed, true);
        check(&expecting(true, Seen::Agreed), Status::Fixed, false);
        check(&expecting(false, Seen::Moot("m".into())), Status::Gone, true);
        check(&expecting(true, Seen::Unjudged("u".into())), Status::Gone, true);
    }

    #[test]
    fn what_is_not_served_is_skipped_or_gone() {
        let unjudged = sound(Seen::Unjudged("u".into()));
        check(&unjudged, Status::Skipped, false);
        check(&Judged { earlier: Some(Earlier::NotJudged), ..unjudged.clone() }, Status::Skipped, false);
        check(&Judged { earlier: Some(Earlier::Agreed), ..unjudged }, Status::Gone, false);
    }

    #[test]
    fn what_differs_from_run_to_run_is_flaky_whatever_else_is_known() {
        let seen = vec![failed("a"), Seen::Agreed, failed("a"), failed("a")];
        let flaky = Judged { seen, known: Some("why".into()), ..sound(Seen::Agreed) };
        check(&flaky, Status::Flaky, true);
        assert_eq!(judge(&flaky).2.as_deref(), Some("3 of 4 runs failed"));
        check(
            &Judged { seen: vec![failed("a"), failed("b"), failed("a"), failed("a")], ..sound(Seen::Agreed) },
            Status::Flaky,
            true,
        );
    }
}
