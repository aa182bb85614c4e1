//! The reference model. [`PageWalkModel`] says what it holds outcomes against. It knows no subject.

mod memory;
mod picture;
mod tables;
#[cfg(test)]
mod tests;
mod words;

use super::laws::{
    ACCESS, ALLOCATION, ANSWER, BOOKKEEPING, BUFFER, FILE_MAPPING, GENERATION, GUEST_WRITE, HANDLES, HOST, MAP, MEMORY,
    RANGE, READ, REGIONS, SHARED_READ, TABLES, TAIL, WALK, WORK,
};
use super::{
    Backing, HostRange, MAX_FILLED, MAX_READ_BYTES, MAX_TABLES, Op, OpKind, Outcome, PageWalk, PageWalkContract,
    Refusal, Region, RegionKind, Seen, Setup, Span, View,
};
use crate::picture::{ByteRows, Picture};
use crate::vocabulary::DescribedHere;
use crate::{Depth, Divergence, Law, Model, Payload, StateMap, Verdict};
use memory::Memory;
use tables::{Range, Tables};

type Judged = Result<(), Verdict>;

/// The reference model: tables as an array, memory as bytes, and for each op the one answer that the contract leaves.
///
/// Everything in this component is determined by what went before, so the model takes each step itself and compares.
/// What the contract fixes beyond the sentences of its [laws](super::laws):
///
/// - The reason of a refusal is the subject's own, but for `TooMuchWork`, which is given exactly where it is due.
/// - A walk gives whole pages, cut to the pages of its range. A large leaf counts as one leaf.
/// - A mapping goes page by page: what was mapped before an error stays. Through tables outside of the buffer, and
///   through large leaves, nothing is mapped. Taking pages away makes no tables.
/// - Without paging a guest virtual address is a guest-physical one. A page that is resolved in two backings belongs to
///   both, byte by byte; regions then end where a backing ends.
/// - A snapshot's guest-visible part never changes: the guest writes to scratch and to writable file mappings.
/// - A build or a restore clears scratch; a snapshot only writes the bookkeeping again.
///
/// The place of a divergence is the index of a span or region, the offset of a byte, an address, or a number of bytes.
#[derive(Debug, Clone, DescribedHere)]
pub struct PageWalkModel {
    contract: PageWalkContract,
    paging: bool,
    tables: Tables,
    memory: Memory,
    want: Wanted,
}

/// The one right outcome of an op.
#[derive(Debug, Clone)]
struct Wanted {
    result: Seen,
    spans: Vec<Span>,
    regions: Vec<Region>,
    data: Vec<u8>,
    /// The bytes that the op really covered: no allocation is larger.
    covered: u64,
}

impl Model<PageWalk> for PageWalkModel {
    fn new(setup: &Setup, contract: &PageWalkContract) -> Self {
        PageWalkModel {
            contract: *contract,
            paging: setup.paging,
            tables: Tables::new(setup),
            memory: Memory::new(setup),
            want: Wanted {
                result: Seen::Done,
                spans: Vec::with_capacity(4096),
                regions: Vec::with_capacity(4096),
                data: Vec::with_capacity(usize::try_from(MAX_READ_BYTES).unwrap_or(0)),
                covered: 0,
            },
        }
    }

    fn reset(&mut self, setup: &Setup) {
        self.paging = setup.paging;
        self.tables.reset(setup);
        self.memory.reset(setup);
    }

    #[inline]
    fn arrange(&self, _op: &Op, seen: &mut Outcome) {
        seen.clear();
    }

    #[inline]
    fn judge(&mut self, op: &Op, seen: &Outcome) -> Verdict {
        if seen.result == Seen::Skipped {
            let may_skip = self.contract.no_memory && op.kind().needs_memory();
            return if may_skip { Verdict::Agree } else { Verdict::diverge(&ANSWER, "result") };
        }
        self.step(op);
        match self.compare(op, seen) {
            Ok(()) => Verdict::Agree,
            Err(verdict) => verdict,
        }
    }

    fn accept(&mut self, op: &Op, _seen: &Outcome, _divergence: &Divergence) -> bool {
        op.kind().only_looks()
    }

    fn allowed(&self, op: &Op) -> String {
        let mut next = self.clone();
        next.step(op);
        words::allowed(&next, op)
    }

    fn picture(&self, op: Option<&Op>) -> Picture {
        picture::picture(self, op)
    }

    fn byte_rows(&self, op: &Op, seen: &Outcome) -> Option<ByteRows> {
        picture::byte_rows(self, op, seen)
    }

    fn state_rows(&self, view: &View) -> Option<ByteRows> {
        picture::state_rows(self, view)
    }

    fn survey(&self, depth: Depth, view: &mut View) {
        view.wants_bytes = depth == Depth::Full;
        view.bookkeeping = None;
        view.stray = None;
        view.entries.clear();
        for bytes in &mut view.backings {
            bytes.clear();
        }
    }

    fn audit(&self, view: &View) -> Verdict {
        match self.judge_state(view) {
            Ok(()) => Verdict::Agree,
            Err(verdict) => verdict,
        }
    }

    fn features(&self, op: &Op, seen: &Outcome, sink: &mut StateMap<'_>) {
        let this = op.kind() as usize * 8 + seen.result.class();
        let width = |number: usize| (usize::BITS - number.leading_zeros()) as usize;
        sink.hit(this);
        sink.hit(256 + this * 16 + width(seen.spans.len() + seen.regions.len()).min(15));
        sink.hit(4096 + (op.kind() as usize * 32 + width(seen.data.len()).min(31)));
        sink.hit(5120 + (self.tables.entries().len() / 512).min(MAX_TABLES) * 8 + seen.result.class());
        for span in seen.spans.iter().take(16) {
            let access = &span.access;
            let bits = [access.writable, access.executable, access.copy_on_write].map(usize::from);
            sink.hit(5632 + (bits[0] + 2 * bits[1] + 4 * bits[2]) * 64 + span.bytes.trailing_zeros() as usize % 64);
        }
    }
}

impl PageWalkModel {
    /// Takes a step without judging it: for explanations, which know the ops and not what was seen.
    pub fn follow(&mut self, op: &Op) {
        self.step(op);
    }

    /// The region list that the last step of kind `regions` should have given.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.want.regions
    }

    /// The bytes of a backing.
    #[must_use]
    pub fn backing_bytes(&self, backing: Backing) -> &[u8] {
        self.memory.held(backing).map_or(&[], |held| &held.bytes)
    }

    /// The root that walks begin at, with its low bits.
    #[must_use]
    pub fn root(&self) -> u64 {
        self.tables.root
    }

    /// An entry as `read_entry` gives it.
    #[must_use]
    pub fn entry(&self, address: u64) -> u64 {
        self.tables.read(address)
    }

    /// Whether a table of the table buffer can be reached from itself.
    #[must_use]
    pub fn has_table_cycle(&self) -> bool {
        self.tables.has_cycle()
    }

    fn step(&mut self, op: &Op) {
        self.want.spans.clear();
        self.want.regions.clear();
        self.want.data.clear();
        self.want.covered = 0;
        self.want.result = self.carry_out(op).unwrap_or_else(Seen::Refused);
    }

    fn carry_out(&mut self, op: &Op) -> Result<Seen, Refusal> {
        match *op {
            Op::Map { phys, virt, length, kind } => self.tables.map(phys, virt, length, kind)?,
            Op::AllocTable => return self.tables.alloc().map(Seen::Table).ok_or(Refusal::NoRoom),
            Op::SetRoot { root } => self.tables.root = root,
            Op::ReadEntry { address } => return Ok(Seen::Entry(self.tables.read(address))),
            Op::WriteEntry { address, value } => self.tables.write(address, value),
            Op::FillEntries { address, count, value } => {
                for index in 0..u64::from(count.min(MAX_FILLED)) {
                    if let Some(address) = address.checked_add(8 * index) {
                        self.tables.write(address, value);
                    }
                }
            }
            Op::Walk { address, length } => self.walk(address, length)?,
            Op::Read { address, length } => self.read(address, length)?,
            Op::Regions if self.paging => self.paged_regions()?,
            Op::Regions => self.unpaged_regions(),
            Op::GuestWrite { address, seed, length } => {
                let payload = Payload { seed, length: length.into() };
                self.memory.guest_write(address, payload.bytes().unwrap_or_default())?;
            }
            Op::GuestWord { address, value } => self.memory.guest_write(address, &value.to_le_bytes())?,
            Op::SharedRead { backing, offset, length } => {
                let range = usize::try_from(offset).ok().zip(offset.checked_add(length));
                let held = self.memory.held(backing).ok_or(Refusal::Gap)?;
                let bytes = range.and_then(|(start, end)| held.bytes.get(start..usize::try_from(end).ok()?));
                self.want.data.extend_from_slice(bytes.ok_or(Refusal::Gap)?);
            }
            Op::Push { seed, length, prefix } => {
                self.memory.push(Payload { seed, length: length.into() }, prefix, length)?;
            }
            Op::Pop => self.memory.pop(false, &mut self.want.data)?,
            Op::PopPrefixed => self.memory.pop(true, &mut self.want.data)?,
            Op::Clear => self.memory.clear()?,
            Op::Snapshot { slot } => return self.memory.snapshot(slot, self.tables.entries()).map(Seen::Generation),
            Op::Restore { slot } => return self.memory.restore(slot).map(Seen::Generation),
            Op::Build => {
                self.memory.build()?;
                return Ok(Seen::Handles { host_aborts: true, guest_aborts: false });
            }
            Op::AddFileMapping { address, length } => self.memory.add_file_mapping(address, length)?,
        }
        self.want.covered = self.want.covered.max(self.want.data.len() as u64);
        Ok(Seen::Done)
    }

    fn walk(&mut self, address: u64, length: u64) -> Result<(), Refusal> {
        if length == 0 {
            return Ok(());
        }
        let spans = &mut self.want.spans;
        self.tables.leaves(Range::new(address, length)?, &mut |span| Span::append(spans, span))
    }

    fn read(&mut self, address: u64, length: u64) -> Result<(), Refusal> {
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
            let access = super::Access::default();
            self.want.spans.push(Span { start: address, phys: address, bytes: length, access });
        }
        for span in &self.want.spans {
            for (distance, run) in self.memory.runs(span.phys, span.bytes) {
                if (span.start - address) + distance == self.want.covered {
                    self.want.data.extend_from_slice(self.memory.bytes(&run));
                }
                self.want.covered += run.bytes;
            }
        }
        self.want.spans.clear();
        if self.want.data.len() as u64 == length {
            return Ok(());
        }
        self.want.data.clear();
        Err(Refusal::Gap)
    }

    fn paged_regions(&mut self) -> Result<(), Refusal> {
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
    fn unpaged_regions(&mut self) {
        let (scratch, rest) = (&self.memory.held[..1], &self.memory.held[1..]);
        for held in rest.iter().take(1).chain(scratch).chain(rest.iter().skip(1)) {
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
                kind,
            });
        }
    }

    fn compare(&self, op: &Op, seen: &Outcome) -> Judged {
        let want = &self.want;
        let law = law_of(op.kind());
        if seen.runaway {
            return Err(Verdict::diverge(&WORK, "runaway"));
        }
        let wants_work = want.result == Seen::Refused(Refusal::TooMuchWork);
        if wants_work != (seen.result == Seen::Refused(Refusal::TooMuchWork)) {
            return Err(Verdict::diverge(&WORK, "result"));
        }
        match (want.result, seen.result) {
            (Seen::Refused(_), Seen::Refused(_)) => {
                let gave_nothing = seen.data.is_empty() && seen.spans.is_empty() && seen.regions.is_empty();
                return if gave_nothing { self.compare_allocation(seen) } else { Err(Verdict::diverge(law, "output")) };
            }
            (want, seen) if want == seen => {}
            (Seen::Refused(Refusal::BadRange), _) if op.kind() != OpKind::Map => {
                return Err(Verdict::diverge(&RANGE, "result"));
            }
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
        let place = differs.unwrap_or(want.data.len().min(seen.data.len()));
        Err(Verdict::diverge_at(law, "bytes", place as u64))
    }

    fn compare_allocation(&self, seen: &Outcome) -> Judged {
        if self.want.covered < seen.reserved_bytes {
            return Err(Verdict::diverge_at(&ALLOCATION, "reserved", seen.reserved_bytes));
        }
        Ok(())
    }

    fn judge_state(&self, view: &View) -> Judged {
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
        for (held, seen) in self.memory.held.iter().zip(&view.backings) {
            if seen.is_empty() || held.bytes == *seen {
                continue;
            }
            let differs = held.bytes.iter().zip(seen).position(|(want, seen)| want != seen);
            let place = differs.unwrap_or(held.bytes.len().min(seen.len())) as u64;
            let in_tail = |(start, end, _): (u64, u64, u64)| (start..end).contains(&place);
            let is_tail = held.backing == Backing::Scratch && self.memory.layout().is_some_and(in_tail);
            let law = if is_tail { &TAIL } else { &MEMORY };
            return Err(Verdict::diverge_at(law, "state", place));
        }
        if let Some((_, distance)) = view.stray {
            return Err(Verdict::diverge_at(&MEMORY, "stray", distance));
        }
        if !view.entries.is_empty() && view.entries != self.tables.entries() {
            let differs = view.entries.iter().zip(self.tables.entries()).position(|(seen, want)| seen != want);
            return Err(Verdict::diverge_at(&TABLES, "state", differs.unwrap_or(0) as u64));
        }
        Ok(())
    }
}

/// The law that an op of this kind stands under, where no other is more exact.
const fn law_of(kind: OpKind) -> &'static Law {
    match kind {
        OpKind::Map => &MAP,
        OpKind::AllocTable | OpKind::SetRoot | OpKind::ReadEntry | OpKind::WriteEntry | OpKind::FillEntries => &TABLES,
        OpKind::Walk => &WALK,
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
    matches!(op, Op::Walk { length: 0, .. } | Op::Read { length: 0, .. })
}

/// Whether a region goes on where the last one ends, for guest and host, and is of its kind.
fn continues(last: &Region, next: &Region) -> bool {
    last.start.wrapping_add(last.bytes) == next.start
        && last.host.backing == next.host.backing
        && last.host.offset + last.host.bytes == next.host.offset
        && (last.writable, last.executable, last.kind) == (next.writable, next.executable, next.kind)
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
