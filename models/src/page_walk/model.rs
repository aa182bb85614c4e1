//! The reference model. [`PageWalkModel`] says what it holds outcomes against. It knows no subject.

mod compare;
mod looks;
mod memory;
mod open;
mod picture;
mod tables;
#[cfg(test)]
mod tests;
mod words;

use super::laws::ANSWER;
use super::{
    Backing, MAX_FILLED, MAX_READ_BYTES, MAX_TABLES, Op, Outcome, PageWalk, PageWalkContract, Refusal, Region, Seen,
    Setup, Span, View,
};
use crate::picture::{ByteRows, Picture};
use crate::vocabulary::DescribedHere;
use crate::{Depth, Divergence, Model, Payload, StateMap, Verdict};
use memory::{Memory, Run};
use tables::Tables;

type Judged = Result<(), Verdict>;

/// The reference model: tables as an array, memory as bytes, and for each op the one answer that the contract leaves.
///
/// Nearly everything in this component is determined by what went before, so the model takes each step itself and
/// compares. What is not it follows: bits and bytes that nothing fixes are what the subject shows them to be, and stay
/// so. What the contract fixes beyond the sentences of its [laws](super::laws):
///
/// - The reason of a refusal is the subject's own, but for `TooMuchWork`, which is given exactly where it is due.
/// - A walk gives whole pages, cut to the pages of its range. A large leaf counts as one leaf.
/// - A mapping goes page by page, and makes tables from the root downwards: what was mapped before an error stays.
///   Tables on the way to a page for which there is no room are made or not. Through tables outside of the buffer, and
///   through large leaves, nothing is mapped. Taking pages away makes no tables.
/// - Of an entry that a mapping writes all bits are fixed but accessed, dirty, those left to software (10, 11 and 52 to
///   58), and in the entry of a table bit 9 and the user bit, which all of these tables have or none. A page's entry
///   has no user bit. Of the entry of a page that was taken away only the present bit is fixed.
/// - Without paging a guest virtual address is a guest-physical one. A page that is resolved in two backings belongs to
///   both, byte by byte; regions then end where a backing ends.
/// - A snapshot's guest-visible part never changes: the guest writes to scratch and to writable file mappings.
/// - A build or a restore clears scratch; a snapshot only writes the bookkeeping again.
/// - What pop took out of the buffer stays there or is zeroed, as the subject likes, until something is written there.
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
    /// Where the data of a read lies.
    sources: Vec<Run>,
    /// The bytes that the op really covered: no allocation is larger.
    covered: u64,
}

impl Model<PageWalk> for PageWalkModel {
    fn new(setup: &Setup, contract: &PageWalkContract) -> Self {
        PageWalkModel {
            contract: *contract,
            paging: setup.paging,
            tables: Tables::new(setup, contract),
            memory: Memory::new(setup),
            want: Wanted {
                result: Seen::Done,
                spans: Vec::with_capacity(4096),
                regions: Vec::with_capacity(4096),
                data: Vec::with_capacity(usize::try_from(MAX_READ_BYTES).unwrap_or(0)),
                sources: Vec::with_capacity(4096),
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
    fn arrange(&self, op: &Op, seen: &mut Outcome) {
        seen.clear();
        if self.contract.no_bounds {
            seen.is_beyond = self.is_beyond(op);
        }
    }

    #[inline]
    fn judge(&mut self, op: &Op, seen: &Outcome) -> Verdict {
        if seen.result == Seen::Skipped {
            let may_skip = seen.is_beyond || !self.contract.asks(op);
            return if may_skip { Verdict::Agree } else { Verdict::diverge(&ANSWER, "result") };
        }
        // What only looks changes nothing, and what it found is the subject's affair.
        if seen.is_beyond {
            return Verdict::Agree;
        }
        self.step(op, Some(seen));
        match self.compare(op, seen).or_else(|verdict| self.compare_for_users(op, seen).ok_or(verdict)) {
            Ok(()) => Verdict::Agree,
            Err(verdict) => verdict,
        }
    }

    fn accept(&mut self, op: &Op, _seen: &Outcome, _divergence: &Divergence) -> bool {
        op.kind().only_looks()
    }

    fn allowed(&self, op: &Op) -> String {
        let mut next = self.clone();
        next.step(op, None);
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
        view.mapped = None;
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
            let bits = [access.writable, access.executable, access.copy_on_write, access.user].map(usize::from);
            let rights = bits[0] + 2 * bits[1] + 4 * bits[2] + 8 * bits[3];
            sink.hit(5632 + rights * 64 + span.bytes.trailing_zeros() as usize % 64);
        }
    }
}

impl PageWalkModel {
    /// Takes a step without judging it: for explanations, which know the ops and not what was seen.
    pub fn follow(&mut self, op: &Op) {
        self.step(op, None);
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

    /// The first backing of which an audit saw another byte.
    #[must_use]
    pub fn first_difference(&self, view: &View) -> Option<Backing> {
        let mut shown = self.memory.held.iter().zip(&view.backings).filter(|(_, seen)| !seen.is_empty());
        shown.find(|(held, seen)| held.first_difference(seen).is_some()).map(|(held, _)| held.backing)
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

    /// Takes a step beside a subject that showed this, if one did: what nothing fixes is as it was shown.
    fn step(&mut self, op: &Op, shown: Option<&Outcome>) {
        self.want.spans.clear();
        self.want.regions.clear();
        self.want.data.clear();
        self.want.covered = 0;
        self.want.result = self.carry_out(op, shown).unwrap_or_else(Seen::Refused);
    }

    fn carry_out(&mut self, op: &Op, shown: Option<&Outcome>) -> Result<Seen, Refusal> {
        match *op {
            Op::Map { phys, virt, length, kind } => {
                self.tables.map((phys, virt, length), kind, shown.and_then(|seen| seen.tables))?;
            }
            Op::AllocTable => return self.tables.alloc().map(Seen::Table).ok_or(Refusal::NoRoom),
            Op::SetRoot { root } => self.tables.root = root,
            Op::ReadEntry { address } => {
                if let Some(Seen::Entry(seen)) = shown.map(|seen| seen.result) {
                    self.tables.follow(address, seen);
                }
                return Ok(Seen::Entry(self.tables.expected(address)));
            }
            Op::WriteEntry { address, value } => self.tables.write(address, value),
            Op::FillEntries { address, count, value } => {
                for index in 0..u64::from(count.min(MAX_FILLED)) {
                    if let Some(address) = address.checked_add(8 * index) {
                        self.tables.write(address, value);
                    }
                }
            }
            Op::Walk { address, length } => self.walk(address, length)?,
            Op::Read { address, length } => self.read((address, length), false, shown)?,
            Op::ReadAsUser { address, length } => self.read((address, length), true, shown)?,
            Op::Translate { address } => self.translate(address)?,
            Op::MapFile { file } => self.memory.map_file(file)?,
            Op::UnmapFile { file } => self.memory.unmap_file(file)?,
            Op::Regions if self.paging => self.paged_regions()?,
            Op::Regions => self.unpaged_regions(),
            Op::GuestWrite { address, seed, length } => {
                let payload = Payload { seed, length: length.into() };
                self.memory.guest_write(address, payload.bytes().unwrap_or_default())?;
            }
            Op::GuestWord { address, value } => self.memory.guest_write(address, &value.to_le_bytes())?,
            Op::SharedRead { backing, offset, length } => {
                let held = self.memory.held_mut(backing).filter(|held| held.is_there).ok_or(Refusal::Gap)?;
                let end = offset.checked_add(length).filter(|end| *end <= held.bytes.len() as u64);
                let range = usize::try_from(offset).ok().zip(end.and_then(|end| usize::try_from(end).ok()));
                let (start, end) = range.ok_or(Refusal::Gap)?;
                if let Some(seen) = shown.filter(|seen| seen.data.len() == end - start) {
                    held.follow(offset, &seen.data);
                }
                self.want.data.extend_from_slice(&held.bytes[start..end]);
            }
            Op::Push { seed, length, prefix } => {
                self.memory.push(Payload { seed, length: length.into() }, prefix, length)?;
            }
            Op::Pop => self.memory.pop(false, shown, &mut self.want.data)?,
            Op::PopPrefixed => self.memory.pop(true, shown, &mut self.want.data)?,
            Op::Clear => self.memory.clear()?,
            Op::Snapshot { slot } => return self.memory.snapshot(slot, &self.tables).map(Seen::Generation),
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
}
