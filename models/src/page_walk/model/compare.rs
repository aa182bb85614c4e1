//! Verdicts: the one right outcome beside the one that was seen, and the state that an audit was shown beside the
//! model's. It takes no step.

use super::super::laws::{
    ACCESS, ALLOCATION, BOOKKEEPING, BUFFER, FILE_MAPPING, GENERATION, GUEST_WRITE, HANDLES, HOST, MAP, MAPPED, MEMORY,
    PRIVILEGE, RANGE, READ, REGIONS, SHARED_READ, TABLES, TAIL, WALK, WORK,
};
use super::super::{Backing, Op, OpKind, Outcome, Refusal, Region, Seen, Span, View};
use super::{Judged, PageWalkModel};
use crate::{Law, Verdict};

impl PageWalkModel {
    /// Whether what was seen is right if the tables that mappings make carry the user bit. If so they do from now on.
    pub(super) fn compare_for_users(&mut self, op: &Op, seen: &Outcome) -> Option<()> {
        if !op.kind().only_looks() || !self.tables.decide_users() {
            return None;
        }
        self.step(op, Some(seen));
        let is_right = self.compare(op, seen).is_ok();
        if !is_right {
            self.tables.forget_users();
            self.step(op, Some(seen));
        }
        is_right.then_some(())
    }

    pub(super) fn compare(&self, op: &Op, seen: &Outcome) -> Judged {
        let want = &self.want;
        let law = law_of(op.kind());
        if seen.runaway {
            return Err(Verdict::diverge(&WORK, "runaway"));
        }
        let is_bad_range = want.result == Seen::Refused(Refusal::BadRange) && op.kind() != OpKind::Map;
        let is_refused = matches!(seen.result, Seen::Refused(refusal) if refusal != Refusal::TooMuchWork);
        if is_bad_range && !is_refused {
            return Err(Verdict::diverge(&RANGE, "result"));
        }
        let wants_work = want.result == Seen::Refused(Refusal::TooMuchWork);
        if wants_work != (seen.result == Seen::Refused(Refusal::TooMuchWork)) {
            return Err(Verdict::diverge(&WORK, "result"));
        }
        match (want.result, seen.result) {
            (Seen::Refused(_), Seen::Refused(_)) => {
                if seen.tables.is_some_and(|tables| tables != self.tables.count()) {
                    return Err(Verdict::diverge(&TABLES, "count"));
                }
                let gave_nothing = seen.data.is_empty() && seen.spans.is_empty() && seen.regions.is_empty();
                return if gave_nothing { self.compare_allocation(seen) } else { Err(Verdict::diverge(law, "output")) };
            }
            (want, seen) if want == seen => {}
            (_, Seen::Refused(_)) if is_empty_range(op) => return Err(Verdict::diverge(&RANGE, "empty")),
            _ => return Err(Verdict::diverge(law, "result")),
        }
        if is_empty_range(op) && !(seen.spans.is_empty() && seen.data.is_empty()) {
            return Err(Verdict::diverge(&RANGE, "empty_output"));
        }
        self.compare_allocation(seen)?;
        compare_spans(&want.spans, &seen.spans)?;
        compare_regions(&want.regions, &seen.regions)?;
        if want.data == seen.data {
            return Ok(());
        }
        let differs = want.data.iter().zip(&seen.data).position(|(want, seen)| want != seen);
        let place = differs.unwrap_or(want.data.len().min(seen.data.len())) as u64;
        // The host looked where it was asked to: what it saw there is another law's affair.
        let mut law = law;
        if let Op::SharedRead { backing, offset, .. } = *op
            && want.data.len() == seen.data.len()
        {
            law = self.law_of_place(backing, offset + place);
        }
        if let Op::ReadAsUser { .. } = op {
            law = &READ;
        }
        Err(Verdict::diverge_at(law, "bytes", place))
    }

    /// The law that the byte at an offset of a backing stands under.
    fn law_of_place(&self, backing: Backing, offset: u64) -> &'static Law {
        match self.memory.layout() {
            Some((start, end, _)) if backing == Backing::Scratch && (start..end).contains(&offset) => &TAIL,
            Some((_, _, words)) if backing == Backing::Scratch && words <= offset => &BOOKKEEPING,
            Some(_) | None => &MEMORY,
        }
    }

    fn compare_allocation(&self, seen: &Outcome) -> Judged {
        if self.want.covered < seen.reserved_bytes {
            return Err(Verdict::diverge_at(&ALLOCATION, "reserved", seen.reserved_bytes));
        }
        Ok(())
    }

    pub(super) fn judge_state(&self, view: &View) -> Judged {
        let size = u64::from(u32::try_from(self.memory.held[0].bytes.len()).unwrap_or(u32::MAX));
        if let (Some(seen), Some((_, _, offset))) = (view.bookkeeping, self.memory.layout()) {
            for (index, word) in (0..).zip(seen) {
                let place = offset + 8 * index;
                let start = usize::try_from(place).unwrap_or(usize::MAX);
                let want = self.memory.held[0].bytes.get(start..).and_then(|rest| rest.first_chunk::<8>());
                if want.is_some_and(|want| *want != word.to_le_bytes()) {
                    return Err(Verdict::diverge_at(&BOOKKEEPING, "state", size - place));
                }
            }
        }
        if view.mapped.is_some_and(|mapped| mapped != self.memory.mapped()) {
            return Err(Verdict::diverge(&MAPPED, "state"));
        }
        for (held, seen) in self.memory.held.iter().zip(&view.backings) {
            if seen.is_empty() {
                continue;
            }
            let Some(place) = held.first_difference(seen) else { continue };
            let place = place as u64;
            return Err(Verdict::diverge_at(self.law_of_place(held.backing, place), "state", place));
        }
        if let Some((_, distance)) = view.stray {
            return Err(Verdict::diverge_at(&MEMORY, "stray", distance));
        }
        let entries = self.tables.entries();
        if !view.entries.is_empty() && view.entries != entries {
            let mut both = view.entries.iter().enumerate();
            let differs = both.position(|(index, seen)| !self.tables.is_right(index, *seen));
            let differs = differs.or((view.entries.len() != entries.len()).then_some(0));
            if let Some(place) = differs {
                return Err(Verdict::diverge_at(&TABLES, "state", place as u64));
            }
        }
        Ok(())
    }
}

/// The law that an op of this kind stands under, where no other is more exact.
const fn law_of(kind: OpKind) -> &'static Law {
    match kind {
        OpKind::Map => &MAP,
        OpKind::AllocTable | OpKind::SetRoot | OpKind::ReadEntry | OpKind::WriteEntry | OpKind::FillEntries => &TABLES,
        OpKind::Walk | OpKind::Translate => &WALK,
        OpKind::ReadAsUser => &PRIVILEGE,
        OpKind::MapFile | OpKind::UnmapFile => &MAPPED,
        OpKind::Read => &READ,
        OpKind::Regions => &REGIONS,
        OpKind::GuestWrite | OpKind::GuestWord => &GUEST_WRITE,
        OpKind::SharedRead => &SHARED_READ,
        OpKind::Push | OpKind::Pop | OpKind::PopPrefixed | OpKind::Clear => &BUFFER,
        OpKind::Snapshot | OpKind::Restore => &GENERATION,
        OpKind::Build => &HANDLES,
        OpKind::AddFileMapping => &FILE_MAPPING,
    }
}

/// Whether the op asks for a range of no bytes.
fn is_empty_range(op: &Op) -> bool {
    matches!(op, Op::Walk { length: 0, .. } | Op::Read { length: 0, .. } | Op::ReadAsUser { length: 0, .. })
}

fn compare_spans(want: &[Span], seen: &[Span]) -> Judged {
    if want == seen {
        return Ok(());
    }
    // Where pages and their places agree, only what may be done with them differs.
    let place = |span: &Span| (span.start, span.phys);
    let differs = (0_u64..).zip(want.iter().zip(seen)).find(|(_, (want, seen))| want != seen);
    match differs {
        Some((index, (want, seen))) if place(want) == place(seen) && want.access != seen.access => {
            Err(Verdict::diverge_at(&ACCESS, want.access.first_difference(seen.access), index))
        }
        Some((index, _)) => Err(Verdict::diverge_at(&WALK, "pages", index)),
        None => Err(Verdict::diverge_at(&WALK, "pages", want.len().min(seen.len()) as u64)),
    }
}

fn compare_regions(want: &[Region], seen: &[Region]) -> Judged {
    if want == seen {
        return Ok(());
    }
    for (index, region) in (0..).zip(seen) {
        if region.bytes != region.host.bytes || region.host.backing.is_none() {
            return Err(Verdict::diverge_at(&HOST, "host", index));
        }
    }
    let differs = (0_u64..).zip(want.iter().zip(seen)).find(|(_, (want, seen))| want != seen);
    let (law, field, place) = match differs {
        Some((index, (want, seen))) if want.start == seen.start && want.bytes == seen.bytes => {
            if want.host != seen.host {
                (&HOST, "host", index)
            } else if want.kind != seen.kind {
                (&REGIONS, "kind", index)
            } else {
                (&ACCESS, "flags", index)
            }
        }
        Some((index, _)) => (&REGIONS, "ranges", index),
        None => (&REGIONS, "ranges", want.len().min(seen.len()) as u64),
    };
    Err(Verdict::diverge_at(law, field, place))
}
