//! Expectations of an outcome's parts, each with the law that is broken when it is not met. Does not know the state.

use super::super::device::DeviceCall;
use super::super::laws::{ANSWER, BOUNDS, BUFFER_BOUNDS, DEVICE_CALLS, ERROR_CHANGES_NOTHING};
use super::super::setup::DUMP_LIMIT_BYTES;
use super::super::{Outcome, Seen, TransferLength};
use super::poison;
use crate::Verdict;

/// The first divergence ends the judging of an outcome.
pub(super) type Judged = Result<(), Verdict>;

/// The form in which an op answers when it succeeds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Value,
    Done,
    Stored,
    Exchanged,
}

#[inline]
pub(super) fn expect_value(result: Seen) -> Result<u64, Verdict> {
    if let Seen::Value(value) = result { Ok(value) } else { Err(unexpected(result)) }
}

#[inline]
pub(super) fn expect_done(result: Seen) -> Judged {
    if result == Seen::Done { Ok(()) } else { Err(unexpected(result)) }
}

/// The verdict on an answer that is not the success that had to come.
#[cold]
pub(super) fn unexpected(result: Seen) -> Verdict {
    match result {
        Seen::Error(_) => Verdict::diverge(&BOUNDS, "result"),
        // It moved less than what fits.
        Seen::Moved(_) => Verdict::diverge(&BOUNDS, "result"),
        Seen::Skipped | Seen::Value(_) | Seen::Done | Seen::Stored(_) | Seen::Exchanged { .. } => {
            Verdict::diverge(&ANSWER, "result")
        }
    }
}

/// Holds an answer against the form of its op's success. An error is a foreign form for ops that cannot fail.
pub(super) fn expect_form(form: Form, result: Seen) -> Judged {
    let fits = match result {
        Seen::Value(_) => matches!(form, Form::Value),
        Seen::Done => matches!(form, Form::Done),
        Seen::Stored(_) => matches!(form, Form::Stored),
        Seen::Exchanged { .. } => matches!(form, Form::Exchanged),
        Seen::Skipped | Seen::Error(_) | Seen::Moved(_) => false,
    };
    if fits { Ok(()) } else { Err(Verdict::diverge(&ANSWER, "result")) }
}

/// Above the limit the only right answer to a dump or restore is a skip, which the caller has dealt with.
pub(super) fn expect_within_dump_limit(memory_size: u64) -> Judged {
    if memory_size <= DUMP_LIMIT_BYTES { Ok(()) } else { Err(Verdict::diverge(&ANSWER, "result")) }
}

#[inline]
pub(super) fn expect_calls(expected: &[DeviceCall], seen: &Outcome) -> Judged {
    if expected.is_empty() && seen.device_calls.is_empty() { Ok(()) } else { compare_calls(expected, seen) }
}

pub(super) fn compare_calls(expected: &[DeviceCall], seen: &Outcome) -> Judged {
    let calls = seen.device_calls.as_slice();
    if calls == expected {
        return Ok(());
    }
    let first_wrong = calls.iter().zip(expected).take_while(|(seen, expected)| seen == expected).count();
    Err(Verdict::diverge_at(&DEVICE_CALLS, "device_calls", first_wrong as u64))
}

pub(super) fn expect_untouched(length: TransferLength, seen: &Outcome) -> Judged {
    match poison::changed_in_buffer(seen, length) {
        None => Ok(()),
        Some(offset) => Err(Verdict::diverge_at(&ERROR_CHANGES_NOTHING, "buffer", offset)),
    }
}

/// The bytes after the caller's buffer keep their poison, whatever became of the op.
#[inline]
pub(super) fn expect_nothing_beyond(length: TransferLength, seen: &Outcome) -> Judged {
    match poison::changed_beyond_buffer(seen, length) {
        None => Ok(()),
        Some(offset) => Err(Verdict::diverge_at(&BUFFER_BOUNDS, "buffer", offset)),
    }
}
