//! Wire bytes of whole traces, in both versions: heads, and ops with their lanes. What a component's setup and ops look
//! like is its rig's affair.

use crate::rig::Rig;
use memtwin_models::Lane;
use memtwin_models::wire::{Parts, Reader, Version, Writer};
use std::fmt;

/// The bits of a lane byte that are the lane.
const LANE_BITS: u8 = 3;
/// From this tag on, in version 2, a second tag byte follows.
const LONG_TAG: u8 = 240;
/// No op with such a tag is longer, in bytes.
const LONGEST_OP_BYTES: usize = 256;

/// All of a trace before its ops, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    setup: Vec<u8>,
    parts: Parts,
}

impl Head {
    pub(crate) fn of<C: Rig>(setup: &C::Setup) -> Self {
        let mut head = Head::default();
        head.set::<C>(setup);
        head
    }

    /// The head of another trace takes the place of this one.
    pub(crate) fn set<C: Rig>(&mut self, setup: &C::Setup) {
        self.setup.clear();
        let mut writer = Writer::new(&mut self.setup);
        C::write_setup(setup, &mut writer);
        writer.finish();
        self.parts = Parts::default();
        C::write_parts(setup, &mut self.parts);
    }

    /// The version that a trace is written in: the first that has room for it.
    pub(crate) fn version(&self, has_lanes: bool) -> Version {
        if has_lanes || !self.parts.is_empty() { Version::Two } else { Version::One }
    }

    pub(crate) fn write(&self, version: Version, wire: &mut Vec<u8>) {
        wire.push(version as u8);
        wire.extend_from_slice(&self.setup);
        if version == Version::Two {
            self.parts.write(wire);
        }
    }
}

/// Reads the version and the setup with its parts; also says where those begin.
pub(crate) fn read_head<C: Rig>(reader: &mut Reader<'_>) -> (Version, C::Setup, usize) {
    let version = Version::of(reader.byte());
    let mut setup = C::read_setup(reader);
    let end = reader.position();
    if version == Version::Two {
        Parts::read(reader, |name, part| C::read_part(&mut setup, name, part));
    }
    (version, setup, end)
}

/// Appends one op. Version 1 has no room for its lane.
pub(crate) fn write_op<C: Rig>(version: Version, edges: &C::Edges, lane: Lane, op: &C::Op, wire: &mut Vec<u8>) {
    begin_op(version, lane, wire);
    let tag = wire.len();
    let mut writer = Writer::new(wire);
    C::write_op(edges, op, &mut writer);
    writer.finish();
    finish_op(version, tag, wire);
}

/// Appends an op whose bytes in version 1 are these.
pub(crate) fn copy_op(version: Version, lane: Lane, op: &[u8], wire: &mut Vec<u8>) {
    begin_op(version, lane, wire);
    let tag = wire.len();
    wire.extend_from_slice(op);
    finish_op(version, tag, wire);
}

fn begin_op(version: Version, lane: Lane, wire: &mut Vec<u8>) {
    if version == Version::Two {
        wire.push(lane.into());
    }
}

/// What one tag says in version 1, two do in version 2.
fn finish_op(version: Version, tag: usize, wire: &mut Vec<u8>) {
    if let (Version::Two, Some(long @ LONG_TAG..)) = (version, wire.get(tag).copied()) {
        wire[tag] = LONG_TAG;
        wire.insert(tag + 1, long - LONG_TAG);
    }
}

/// Appends what these bytes of one op are in version 1: without its lane and its preemptions.
pub(crate) fn copy_op_of(version: Version, op: &[u8], wire: &mut Vec<u8>) {
    if version == Version::One {
        return wire.extend_from_slice(op);
    }
    let mut reader = Reader::new(op);
    read_lane(&mut reader);
    let tag = wire.len();
    wire.extend_from_slice(reader.rest());
    if wire.get(tag).is_some_and(|first| LONG_TAG <= *first) {
        wire.remove(tag);
        match wire.get_mut(tag) {
            Some(second) => *second = short_tag(*second),
            None => wire.push(LONG_TAG),
        }
    }
}

/// Reads a lane byte and what belongs to it; `None` at the end. Preemptions are read, and nothing comes of them.
#[inline]
fn read_lane(reader: &mut Reader<'_>) -> Option<u8> {
    let byte = reader.next_byte()?;
    for _ in 0..byte >> 2 & 3 {
        reader.varint();
        reader.byte();
    }
    Some(byte & LANE_BITS)
}

/// The tag of version 1 that a second tag byte stands for. Those that nobody has been given read as their low bits.
const fn short_tag(second: u8) -> u8 {
    LONG_TAG | second & 15
}

/// The ops of a trace with their lanes, straight from its bytes.
pub(crate) struct Ops<'a, C: Rig> {
    version: Version,
    edges: &'a C::Edges,
    reader: Reader<'a>,
}

impl<'a, C: Rig> Ops<'a, C> {
    /// The ops that begin where the reader is.
    #[inline]
    pub(crate) fn new(version: Version, edges: &'a C::Edges, reader: Reader<'a>) -> Self {
        Ops { version, edges, reader }
    }

    /// How many bytes have been read.
    pub(crate) fn position(&self) -> usize {
        self.reader.position()
    }

    fn next_of_two(&mut self) -> Option<(Lane, C::Op)> {
        let lane = Lane::new_folded(read_lane(&mut self.reader)?, C::LANES);
        let op = match self.reader.peek()? {
            LONG_TAG.. => self.read_long(),
            _ => C::read_op(self.edges, &mut self.reader),
        };
        Some((lane, op?))
    }

    /// Reads an op with two tag bytes: as what it is in version 1.
    fn read_long(&mut self) -> Option<C::Op> {
        let after = self.reader.rest().get(1..).unwrap_or_default();
        let mut op = [0; LONGEST_OP_BYTES];
        let length = after.len().clamp(1, LONGEST_OP_BYTES);
        op[..after.len().min(length)].copy_from_slice(&after[..after.len().min(length)]);
        op[0] = short_tag(op[0]);
        let mut reader = Reader::new(&op[..length]);
        let read = C::read_op(self.edges, &mut reader);
        self.reader.take(1 + reader.position());
        read
    }
}

impl<C: Rig> Iterator for Ops<'_, C> {
    type Item = (Lane, C::Op);

    #[inline]
    fn next(&mut self) -> Option<(Lane, C::Op)> {
        match self.version {
            Version::One => Some((Lane::FIRST, C::read_op(self.edges, &mut self.reader)?)),
            Version::Two => self.next_of_two(),
        }
    }
}

impl<C: Rig> fmt::Debug for Ops<'_, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Ops")
            .field("version", &self.version)
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}
