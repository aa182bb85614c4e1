//! What a person reads of the model: sentences and nothing else. Only explaining runs come here; nothing is judged.

use super::super::{Op, Refusal, Region, RegionKind, Seen, Span};
use super::PageWalkModel;
use std::fmt::Write as _;

/// Spans and regions that are shown.
const SHOWN: usize = 8;

/// What the model allows: the answer of the step that it has just taken.
pub(super) fn allowed(model: &PageWalkModel, op: &Op) -> String {
    let want = &model.want;
    match want.result {
        Seen::Refused(Refusal::TooMuchWork) => return "an error: too much work".to_owned(),
        Seen::Refused(refusal) => return format!("an error ({}) that changes nothing", reason(refusal)),
        Seen::Table(address) => return format!("a table at {address:#x}"),
        Seen::Entry(entry) => return format!("the entry {entry:#x}"),
        Seen::Generation(generation) => return format!("generation {generation}"),
        Seen::Handles { .. } => return "two handles, of which the host's has an abort buffer".to_owned(),
        Seen::Skipped | Seen::Done => {}
    }
    match op {
        Op::Walk { .. } => list("no page", &want.spans, span),
        Op::Regions => list("no region", &want.regions, region),
        Op::Translate { .. } => list("no page", &want.spans, span),
        Op::Read { .. } | Op::ReadAsUser { .. } | Op::SharedRead { .. } | Op::Pop | Op::PopPrefixed => {
            let mut text = format!("{} bytes", want.data.len());
            for (index, byte) in want.data.iter().take(SHOWN).enumerate() {
                let _ = write!(text, "{} {byte:02x}", if index == 0 { ":" } else { "" });
            }
            text
        }
        Op::Map { .. }
        | Op::AllocTable
        | Op::SetRoot { .. }
        | Op::ReadEntry { .. }
        | Op::WriteEntry { .. }
        | Op::FillEntries { .. }
        | Op::GuestWrite { .. }
        | Op::GuestWord { .. }
        | Op::Push { .. }
        | Op::Clear
        | Op::Snapshot { .. }
        | Op::Restore { .. }
        | Op::Build
        | Op::AddFileMapping { .. }
        | Op::MapFile { .. }
        | Op::UnmapFile { .. } => "done".to_owned(),
    }
}

fn list<T>(nothing: &str, items: &[T], words: impl Fn(&T) -> String) -> String {
    if items.is_empty() {
        return nothing.to_owned();
    }
    let mut text = items.iter().take(SHOWN).map(words).collect::<Vec<_>>().join("; ");
    if SHOWN < items.len() {
        let _ = write!(text, "; and {} more", items.len() - SHOWN);
    }
    text
}

impl std::fmt::Display for Span {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&span(self))
    }
}

impl std::fmt::Display for Region {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&region(self))
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(reason(*self))
    }
}

fn span(span: &Span) -> String {
    let access = &span.access;
    format!(
        "{:#x} bytes at {:#x} → physical {:#x}, r{}{}{}{}",
        span.bytes,
        span.start,
        span.phys,
        if access.writable { "w" } else { "-" },
        if access.executable { "x" } else { "-" },
        if access.user { " user" } else { "" },
        if access.copy_on_write { " copy-on-write" } else { "" }
    )
}

fn region(region: &Region) -> String {
    let host = &region.host;
    let place = match host.backing {
        Some(backing) => format!("{backing} from {:#x} on", host.offset),
        None => format!("no backing ({:#x})", host.offset),
    };
    let length = if host.bytes == region.bytes { String::new() } else { format!(", {:#x} host bytes", host.bytes) };
    format!(
        "{:#x} bytes at {:#x} in {place}{length}, r{}{}{}, of type {}",
        region.bytes,
        region.start,
        if region.writable { "w" } else { "-" },
        if region.executable { "x" } else { "-" },
        if region.user { " user" } else { "" },
        match region.kind {
            RegionKind::Snapshot => "snapshot",
            RegionKind::Scratch => "scratch",
            RegionKind::Mapped => "file mapping",
        }
    )
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::BadRange => "bad range",
        Refusal::TooMuchWork => "too much work",
        Refusal::Gap => "a byte is not there",
        Refusal::NoRoom => "no room",
        Refusal::Corrupt => "corrupt",
        Refusal::Empty => "nothing there",
    }
}
