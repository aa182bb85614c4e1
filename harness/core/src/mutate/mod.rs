//! Mutation of traces op by op, one for every engine. It works on wire bytes that it knows the borders of: an op is a
//! slice, and because addresses on the wire are relative to the edges of the setup, an op of one trace means the like
//! in another, and a byte a little larger is an operand a little further from the same edge. Does not know any
//! component. What no subject serves and what none is asked for comes into no mutant.

mod cutter;

pub(crate) use cutter::ComponentCutter;
pub use cutter::{Cutter, Start, any_of};

use crate::random::Random;
use crate::trace::{Head, came_later, copy_op};
use memtwin_models::Lane;
use memtwin_models::wire::{MAX_WIRE_BYTES, Version};

/// The most ops of a mutant.
pub const MAX_OPS: usize = 1024;
/// The most bytes that campaigns let a mutant have.
pub const MAX_MUTANT_BYTES: usize = MAX_WIRE_BYTES / 2;
/// The most times that one op is repeated.
const MAX_REPEATS: u32 = 300;

/// Of the changes of a mutant whose ops may lie on several threads, one in this many is one of lanes.
const LANE_CHANGE_ONE_IN: u32 = 8;

/// Where an op of the mutant lies, and its thread.
#[derive(Debug, Clone, Copy)]
struct Piece {
    source: Buffer,
    lane: Lane,
    start: u32,
    end: u32,
}

impl Piece {
    fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    /// The same op where there are so many threads.
    fn folded(self, lanes: u8) -> Self {
        Piece { lane: Lane::new_folded(self.lane.into(), lanes), ..self }
    }
}

#[derive(Debug, Clone, Copy)]
enum Buffer {
    Parent,
    Donor,
    Edited,
}

/// The ops of a trace.
#[derive(Debug, Default)]
struct Cut {
    ops: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Cut {
    /// Takes the ops of a trace, whose setup the cutter knows.
    fn take(&mut self, source: Buffer, wire: &[u8], start: Start, cutter: &dyn Cutter, cuts: &mut Vec<(Lane, u32)>) {
        cutter.cut(wire, start, &mut self.ops, cuts);
        self.pieces.clear();
        let mut start = 0;
        for &(lane, end) in &*cuts {
            self.pieces.push(Piece { source, lane, start, end });
            start = end;
        }
    }
}

/// Makes mutants of one trace, with ops of another.
pub struct Mutator {
    cutter: Box<dyn Cutter>,
    head: Head,
    parent: Cut,
    donor: Cut,
    edited: Vec<u8>,
    mutant: Vec<Piece>,
    cuts: Vec<(Lane, u32)>,
    other_head: Head,
    scratch: Vec<u8>,
}

impl std::fmt::Debug for Mutator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mutator").field("parent", &self.parent).finish_non_exhaustive()
    }
}

impl Mutator {
    /// A mutator without a parent: its mutants are empty traces.
    #[must_use]
    pub fn new(cutter: Box<dyn Cutter>) -> Self {
        Mutator {
            cutter,
            head: Head::default(),
            parent: Cut::default(),
            donor: Cut::default(),
            edited: Vec::new(),
            mutant: Vec::new(),
            cuts: Vec::new(),
            other_head: Head::default(),
            scratch: Vec::new(),
        }
    }

    /// The trace whose ops are lent. Only then comes the parent: what is read last is the setup of both.
    pub fn set_donor(&mut self, wire: &[u8]) {
        let start = self.cutter.set_head(wire, &mut self.other_head);
        self.donor.take(Buffer::Donor, wire, start, &*self.cutter, &mut self.cuts);
        self.resume();
    }

    /// The trace that mutants are made of. Says whether its setup is served: where it is not, mutants need that of
    /// another.
    #[must_use]
    pub fn set_parent(&mut self, wire: &[u8]) -> bool {
        let start = self.cutter.set_head(wire, &mut self.head);
        self.parent.take(Buffer::Parent, wire, start, &*self.cutter, &mut self.cuts);
        self.leave_out_unasked();
        self.cutter.serves()
    }

    /// The setup of another trace takes the place of the parent's, if a subject serves it; the ops stay and mean the
    /// like.
    pub fn set_setup_of(&mut self, wire: &[u8]) {
        self.cutter.set_head(wire, &mut self.other_head);
        if self.cutter.serves() {
            std::mem::swap(&mut self.head, &mut self.other_head);
            self.leave_out_unasked();
        } else {
            self.resume();
        }
    }

    /// The cutter reads under the mutant's setup again.
    fn resume(&mut self) {
        self.scratch.clear();
        // Version 2 has room for every head.
        self.head.write(Version::Two, &mut self.scratch);
        self.cutter.set_head(&self.scratch, &mut self.other_head);
    }

    /// The parent's ops that no subject is asked for go, and those of threads that there are not become others'.
    fn leave_out_unasked(&mut self) {
        let Mutator { parent: Cut { ops, pieces, .. }, cutter, .. } = self;
        pieces.retain(|piece| cutter.asks(piece.of(ops)));
        pieces.iter_mut().for_each(|piece| *piece = piece.folded(cutter.lanes()));
    }

    /// Writes a mutant of at most so many bytes: a few changes, of which each takes, gives or moves ops, or edits one.
    pub fn mutate(&mut self, random: &mut Random, most_bytes: usize, wire: &mut Vec<u8>) {
        self.mutant.clone_from(&self.parent.pieces);
        self.edited.clear();
        let changes = 1 + random.magnitude(3);
        for _ in 0..changes {
            self.change(random);
        }
        self.write(most_bytes, wire);
    }

    /// Writes a child of parent and donor of at most so many bytes: a part of one, then a part of the other.
    pub fn cross(&mut self, random: &mut Random, most_bytes: usize, wire: &mut Vec<u8>) {
        self.mutant.clone_from(&self.parent.pieces);
        self.edited.clear();
        self.splice(random);
        self.write(most_bytes, wire);
    }

    fn write(&mut self, most_bytes: usize, wire: &mut Vec<u8>) {
        self.mutant.truncate(MAX_OPS);
        let version = self.head.version(self.need_two(&self.mutant));
        let written = self.write_in(version, most_bytes, wire);
        // The ops that needed version 2 may be those that there was no room for.
        let needed = self.head.version(self.need_two(&self.mutant[..written]));
        if needed != version {
            self.write_in(needed, most_bytes, wire);
        }
    }

    fn need_two(&self, pieces: &[Piece]) -> bool {
        pieces.iter().any(|piece| piece.lane != Lane::FIRST || came_later(self.bytes(*piece)))
    }

    /// Writes as many ops as there is room for; says how many.
    fn write_in(&self, version: Version, most_bytes: usize, wire: &mut Vec<u8>) -> usize {
        wire.clear();
        self.head.write(version, wire);
        for (index, piece) in self.mutant.iter().enumerate() {
            let end = wire.len();
            copy_op(version, piece.lane, self.bytes(*piece), wire);
            if most_bytes < wire.len() {
                wire.truncate(end);
                return index;
            }
        }
        self.mutant.len()
    }

    fn bytes(&self, piece: Piece) -> &[u8] {
        piece.of(match piece.source {
            Buffer::Parent => &self.parent.ops,
            Buffer::Donor => &self.donor.ops,
            Buffer::Edited => &self.edited,
        })
    }

    /// Appends the bytes of an op of the mutant to what is being edited.
    fn copy(&mut self, index: usize) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.extend_from_slice(self.bytes(self.mutant[index]));
        self.scratch = scratch;
    }

    fn change(&mut self, random: &mut Random) {
        if self.mutant.is_empty() {
            self.lend(0..self.donor.pieces.len(), 0);
            return;
        }
        if 1 < self.cutter.lanes() && random.one_in(LANE_CHANGE_ONE_IN) {
            return self.change_lane(random);
        }
        match random.below(16) {
            0 | 1 => self.delete(random),
            2 => self.repeat_range(random),
            3 => self.repeat_op(random),
            4 => self.swap(random),
            5 => self.splice(random),
            6 | 7 => self.insert(random),
            8..=13 => self.nudge(random),
            _ => self.borrow_operand(random),
        }
    }

    fn delete(&mut self, random: &mut Random) {
        let range = range_of(random, self.mutant.len());
        self.mutant.drain(range);
    }

    fn repeat_range(&mut self, random: &mut Random) {
        let range = range_of(random, self.mutant.len());
        if self.mutant.len() + range.len() <= MAX_OPS {
            let place = position(random, self.mutant.len() + 1);
            let copy = self.mutant[range].to_vec();
            self.mutant.splice(place..place, copy);
        }
    }

    fn repeat_op(&mut self, random: &mut Random) {
        let index = position(random, self.mutant.len());
        let most = if random.one_in(4) { MAX_REPEATS } else { 8 };
        let times = 1 + random.below(most) as usize;
        let times = times.min(MAX_OPS.saturating_sub(self.mutant.len()));
        let copies = vec![self.mutant[index]; times];
        self.mutant.splice(index..index, copies);
    }

    fn swap(&mut self, random: &mut Random) {
        let (one, other) = (position(random, self.mutant.len()), position(random, self.mutant.len()));
        self.mutant.swap(one, other);
    }

    /// The start of the mutant, then the end of the donor.
    fn splice(&mut self, random: &mut Random) {
        if self.donor.pieces.is_empty() {
            return;
        }
        self.mutant.truncate(position(random, self.mutant.len() + 1));
        let from = position(random, self.donor.pieces.len());
        self.lend(from..self.donor.pieces.len(), self.mutant.len());
    }

    fn insert(&mut self, random: &mut Random) {
        if self.donor.pieces.is_empty() {
            return;
        }
        let range = range_of(random, self.donor.pieces.len());
        let place = position(random, self.mutant.len() + 1);
        self.lend(range, place);
    }

    /// Puts these ops of the donor into the mutant, those of them that a subject is asked for.
    fn lend(&mut self, range: std::ops::Range<usize>, place: usize) {
        let Mutator { donor: Cut { ops, pieces, .. }, cutter, mutant, .. } = self;
        let lent = pieces[range].iter().filter(|piece| cutter.asks(piece.of(ops)));
        mutant.splice(place..place, lent.map(|piece| piece.folded(cutter.lanes())));
    }

    /// Another thread carries out some ops in a row.
    fn change_lane(&mut self, random: &mut Random) {
        let lanes = self.cutter.lanes();
        let lane = Lane::new_folded(random.below(u32::from(lanes)).to_le_bytes()[0], lanes);
        let range = range_of(random, self.mutant.len());
        self.mutant[range].iter_mut().for_each(|piece| piece.lane = lane);
    }

    /// One byte of one op a little larger or smaller, with a bit turned, or anything.
    fn nudge(&mut self, random: &mut Random) {
        let index = position(random, self.mutant.len());
        self.scratch.clear();
        self.copy(index);
        let place = position(random, self.scratch.len());
        let byte = &mut self.scratch[place];
        #[allow(clippy::cast_possible_truncation)] // random bits are cut to what is asked for
        let drawn = random.bits() as u8;
        match random.below(8) {
            0..=2 => *byte = byte.wrapping_add(1 + drawn % 4),
            3..=5 => *byte = byte.wrapping_sub(1 + drawn % 4),
            6 => *byte ^= 1 << (drawn & 7),
            _ => *byte = drawn,
        }
        self.take_edited(index);
    }

    /// The operands of one op from another: the same slot, the same address.
    fn borrow_operand(&mut self, random: &mut Random) {
        let (index, lender) = (position(random, self.mutant.len()), position(random, self.mutant.len()));
        self.scratch.clear();
        self.copy(index);
        let own = self.scratch.len();
        self.copy(lender);
        let common = own.min(self.scratch.len() - own);
        let from = position(random, common);
        self.scratch.copy_within(own + from..own + common, from);
        self.scratch.truncate(own);
        self.take_edited(index);
    }

    /// The op stays as it was where no subject is asked for what became of it.
    #[allow(clippy::cast_possible_truncation)] // far below MAX_WIRE_BYTES
    fn take_edited(&mut self, index: usize) {
        if !self.cutter.asks(&self.scratch) {
            return;
        }
        let start = self.edited.len() as u32;
        self.cutter.recode(&self.scratch, &mut self.edited);
        let piece = &mut self.mutant[index];
        *piece = Piece { source: Buffer::Edited, start, end: self.edited.len() as u32, ..*piece };
    }
}

/// A place below `length`; 0 if there is none.
#[allow(clippy::cast_possible_truncation)] // lengths are small
fn position(random: &mut Random, length: usize) -> usize {
    random.below(length as u32) as usize
}

/// A range within `length`, mostly short.
fn range_of(random: &mut Random, length: usize) -> std::ops::Range<usize> {
    let start = position(random, length);
    let most = usize::try_from(1 + random.magnitude(6)).unwrap_or(1);
    start..(start + most).min(length)
}
