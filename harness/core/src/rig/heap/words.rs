//! Heap setups and outcomes in words. Those of ops stand beside them in the models. Where a block of a heap with memory
//! of its own lies is not said: that differs from build to build.

use crate::rig::Words;
use memtwin_models::heap::{
    ARENA_BASE, ARENA_BYTES, Fault, Fill, Heap, Held, Op, Outcome, Request, SecondRegion, Seen, Setup, Size,
};
use std::fmt::Write as _;

/// Bytes of a window that are shown.
const SHOWN_BYTES: usize = 8;
/// Windows, and answers of a batch, that are shown.
const SHOWN_PARTS: usize = 4;

impl Words for Heap {
    fn setup_words(setup: &Setup) -> String {
        let Setup { threads, skew_bytes: _, first_bytes, extend_bytes, second, memory_holds, fault } = setup;
        let mut text = format!("for an arena {} at {:#x}", count((*first_bytes).into()), setup.first_start());
        if *extend_bytes != 0 {
            let _ = write!(text, ", and up to {} more", Size((*extend_bytes).into()));
        }
        if let (Some(SecondRegion { bytes, .. }), Some((start, _))) = (second, setup.second_range()) {
            let _ = write!(text, "; a second region of {} at {start:#x}", count((*bytes).into()));
        }
        match memory_holds {
            Fill::Zeros => {}
            Fill::Ones | Fill::Freed | Fill::Letters => {
                let _ = write!(text, "; fresh memory holds {:#04x}", memory_holds.byte());
            }
        }
        if *threads != 1 {
            let _ = write!(text, "; {threads} threads");
        }
        if let Some(Fault { request, after, lasts }) = fault {
            let what = match request {
                Request::Map => "memory",
                Request::Unmap => "to take memory back",
                Request::Advise => "to treat memory otherwise",
            };
            let how = if *lasts { "every later one is refused" } else { "the next one is refused" };
            let _ = write!(text, "; of the requests to the system for {what}, after {after} {how}");
        }
        text
    }

    fn op_words(op: &Op) -> String {
        op.to_string()
    }

    /// Small numbers as people count, others in hex.
    fn place_words(place: u64) -> String {
        Size(place).to_string()
    }

    fn seen_words(_op: &Op, seen: &Outcome) -> String {
        let mut text = match seen.result {
            Seen::Skipped => "skipped".to_owned(),
            Seen::Unaskable => "nothing was called: no layout has such a size and alignment".to_owned(),
            Seen::Block(address) => block(address),
            Seen::Null => "null".to_owned(),
            Seen::Invalid => "EINVAL".to_owned(),
            Seen::Done => "done".to_owned(),
            Seen::Vacant => "nothing: no block is there".to_owned(),
            Seen::Bytes(bytes) => count(bytes),
            Seen::Refused => "refused".to_owned(),
        };
        if !seen.batch.is_empty() {
            let answer = |address: &u64| if *address == 0 { "null".to_owned() } else { block(*address) };
            let answers: Vec<String> = seen.batch.iter().take(SHOWN_PARTS).map(answer).collect();
            let more = if SHOWN_PARTS < seen.batch.len() { ", …" } else { "" };
            let _ = write!(text, " ({} answers: {}{more})", seen.batch.len(), answers.join(", "));
        }
        if let Some(errno) = seen.errno.filter(|errno| *errno != 0) {
            let _ = write!(text, "; errno {}", error_number(errno));
        }
        if let Some(offset) = seen.nonzero {
            let _ = write!(text, "; not zero at offset {offset:#x}");
        }
        if let Some(address) = seen.stray_byte {
            let _ = write!(text, "; a byte outside of the arena's memory has changed at {address:#x}");
        }
        if let Some(Held { first, second }) = seen.held {
            let _ = write!(text, "; at most {} held at first, {} later", count(first), count(second));
        }
        if seen.system_refused {
            text.push_str("; the system refused a request");
        }
        let windows = seen.shown.iter().filter(|(window, _)| window.length != 0);
        for (window, bytes) in windows.take(SHOWN_PARTS) {
            let _ = write!(text, "; {} from byte {} on:", window.slot, Size(window.offset));
            for byte in bytes.iter().take(SHOWN_BYTES) {
                let _ = write!(text, " {byte:02x}");
            }
            text.push_str(if SHOWN_BYTES < bytes.len() { " …" } else { "" });
        }
        text
    }
}

/// So many bytes.
pub(super) fn count(bytes: u64) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{} bytes", Size(bytes)) }
}

/// Whether an address is one of an arena's nominal ones.
pub(super) fn is_nominal(address: u64) -> bool {
    (ARENA_BASE..ARENA_BASE + ARENA_BYTES).contains(&address)
}

fn block(address: u64) -> String {
    if is_nominal(address) { format!("a block at {address:#x}") } else { "a block".to_owned() }
}

fn error_number(errno: i32) -> String {
    match errno {
        12 => "ENOMEM".to_owned(),
        22 => "EINVAL".to_owned(),
        other => other.to_string(),
    }
}
