//! What the model finds when an op looks: walks, reads by guest virtual address, region lists. It changes no state, but
//! for what it learns of bytes that nothing fixes.

use super::super::{Access, Backing, HostRange, MAX_READ_BYTES, Op, Outcome, Refusal, Region, RegionKind, Span};
use super::PageWalkModel;
use super::tables::Range;

impl PageWalkModel {
    pub(super) fn walk(&mut self, address: u64, length: u64) -> Result<(), Refusal> {
        if length == 0 {
            return Ok(());
        }
        let spans = &mut self.want.spans;
        self.tables.leaves(Range::new(address, length)?, &mut |span| Span::append(spans, span))
    }

    /// Whether what an op looks for is beyond the setup's bounds of work.
    pub(super) fn is_beyond(&self, op: &Op) -> bool {
        let is_beyond = |range| self.tables.leaves(range, &mut |_| {}).is_err();
        match *op {
            Op::Regions => self.paging && is_beyond(Range::ALL),
            Op::Walk { address, length } => length != 0 && Range::new(address, length).is_ok_and(is_beyond),
            Op::Read { address, length } | Op::ReadAsUser { address, length } => {
                let is_long = MAX_READ_BYTES < length;
                is_long || self.paging && length != 0 && Range::new(address, length).is_ok_and(is_beyond)
            }
            Op::Map { .. }
            | Op::AllocTable
            | Op::SetRoot { .. }
            | Op::ReadEntry { .. }
            | Op::WriteEntry { .. }
            | Op::FillEntries { .. }
            | Op::GuestWrite { .. }
            | Op::GuestWord { .. }
            | Op::SharedRead { .. }
            | Op::Push { .. }
            | Op::Pop
            | Op::PopPrefixed
            | Op::Clear
            | Op::Snapshot { .. }
            | Op::Restore { .. }
            | Op::Build
            | Op::AddFileMapping { .. }
            | Op::Translate { .. }
            | Op::MapFile { .. }
            | Op::UnmapFile { .. } => false,
        }
    }

    /// Where one address leads, as one byte.
    pub(super) fn translate(&mut self, address: u64) -> Result<(), Refusal> {
        let spans = &mut self.want.spans;
        self.tables.leaves(Range::new(address, 1)?, &mut |page| {
            let before = address - page.start;
            spans.push(Span { start: address, phys: page.phys + before, bytes: 1, ..page });
        })?;
        if self.want.spans.is_empty() { Err(Refusal::Gap) } else { Ok(()) }
    }

    pub(super) fn read(
        &mut self,
        (address, length): (u64, u64),
        as_user: bool,
        shown: Option<&Outcome>,
    ) -> Result<(), Refusal> {
        if length == 0 {
            return Ok(());
        }
        if self.paging {
            let range = Range::new(address, length)?;
            if MAX_READ_BYTES < length {
                return Err(Refusal::TooMuchWork);
            }
            // The spans are those of whole pages; the range begins in the first and ends in the last one.
            let (spans, last) = (&mut self.want.spans, range.last);
            let walked = self.tables.leaves(range, &mut |span| {
                let before = address.saturating_sub(span.start);
                let span_last = (span.start + (span.bytes - 1)).min(last);
                let start = span.start + before;
                spans.push(Span { start, phys: span.phys + before, bytes: span_last - start + 1, ..span });
            });
            walked?;
        } else {
            address.checked_add(length - 1).ok_or(Refusal::BadRange)?;
            if MAX_READ_BYTES < length {
                return Err(Refusal::TooMuchWork);
            }
            let access = Access { user: true, ..Access::default() };
            self.want.spans.push(Span { start: address, phys: address, bytes: length, access });
        }
        self.want.sources.clear();
        let mut found = 0;
        let is_allowed = !as_user || self.want.spans.iter().all(|span| span.access.user);
        for span in &self.want.spans {
            for (distance, run) in self.memory.runs(span.phys, span.bytes) {
                if (span.start - address) + distance == self.want.covered {
                    found += run.bytes;
                    self.want.sources.push(run);
                }
                self.want.covered += run.bytes;
            }
        }
        self.want.spans.clear();
        if found != length || !is_allowed {
            return Err(Refusal::Gap);
        }
        let mut seen = shown.map_or(&[][..], |seen| &seen.data);
        for run in &self.want.sources {
            if let Some((piece, rest)) = usize::try_from(run.bytes).ok().and_then(|bytes| seen.split_at_checked(bytes))
            {
                self.memory.held[run.index].follow(run.offset, piece);
                seen = rest;
            }
            self.want.data.extend_from_slice(self.memory.bytes(run));
        }
        Ok(())
    }

    pub(super) fn paged_regions(&mut self) -> Result<(), Refusal> {
        let (memory, regions) = (&self.memory, &mut self.want.regions);
        let walked = self.tables.leaves(Range::ALL, &mut |span| {
            let kind = if span.access.copy_on_write { RegionKind::Scratch } else { RegionKind::Snapshot };
            for (distance, run) in memory.runs(span.phys, span.bytes) {
                let host =
                    HostRange { backing: Some(memory.held[run.index].backing), offset: run.offset, bytes: run.bytes };
                let region = Region {
                    start: span.start + distance,
                    bytes: run.bytes,
                    host,
                    writable: span.access.writable && !span.access.copy_on_write,
                    executable: span.access.executable,
                    user: span.access.user,
                    kind,
                };
                match regions.last_mut().filter(|last| continues(last, &region)) {
                    Some(last) => {
                        last.bytes += region.bytes;
                        last.host.bytes += region.bytes;
                    }
                    None => regions.push(region),
                }
            }
        });
        if walked.is_err() {
            regions.clear();
        }
        walked
    }

    /// The snapshot, scratch, and the file mappings as they are.
    pub(super) fn unpaged_regions(&mut self) {
        let (scratch, rest) = (&self.memory.held[..1], &self.memory.held[1..]);
        for held in rest.iter().take(1).chain(scratch).chain(rest.iter().skip(1)).filter(|held| held.is_there) {
            let kind = match held.backing {
                Backing::Scratch => RegionKind::Scratch,
                Backing::Snapshot => RegionKind::Snapshot,
                Backing::Mapped(_) => RegionKind::Mapped,
            };
            self.want.regions.push(Region {
                start: held.gpa,
                bytes: held.visible,
                host: HostRange { backing: Some(held.backing), offset: 0, bytes: held.visible },
                writable: held.writable,
                executable: held.executable,
                user: true,
                kind,
            });
        }
    }
}

/// Whether a region goes on where the last one ends, for guest and host, and is of its kind.
fn continues(last: &Region, next: &Region) -> bool {
    last.start.wrapping_add(last.bytes) == next.start
        && last.host.backing == next.host.backing
        && last.host.offset + last.host.bytes == next.host.offset
        && (last.writable, last.executable, last.user, last.kind)
            == (next.writable, next.executable, next.user, next.kind)
}
