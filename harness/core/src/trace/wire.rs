//! Wire bytes of whole traces, in both versions: heads, and ops with their lanes. What a component's setup and ops look
//! like is its rig's affair.

use crate::rig::Rig;
use memtwin_models::Lane;
use memtwin_models::wire::{LATER_TAG, LONG_TAG, Parts, Reader, Version, Writer, read_tagged};
use std::fmt;

/// The bits of a lane byte that are the lane.
const LANE_BITS: u8 = 3;
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

    /// The version that a trace is written in: the first that has room for it. `needs_two` says whether its ops need
    /// version 2, for their lanes or for their tags.
    pub(crate) fn version(&self, needs_two: bool) -> Version {
        if needs_two || !self.parts.is_empty() { Version::Two } else { Version::One }
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
#[inline]
pub(crate) fn write_op<C: Rig>(edges: &C::Edges, lane: Lane, op: &C::Op, version: Version, writer: &mut Writer<'_>) {
    if version == Version::Two {
        writer.byte(lane.into());
    }
    C::write_op(edges, op, writer);
}

/// Appends an op whose bytes are those of version 2 without its lane. For version 1, it is none that came later.
pub(crate) fn copy_op(version: Version, lane: Lane, op: &[u8], wire: &mut Vec<u8>) {
    match (version, op) {
        (Version::One, [LONG_TAG, second, rest @ ..]) => {
            wire.push(LONG_TAG | second);
            wire.extend_from_slice(rest);
        }
        (Version::One, op) => wire.extend_from_slice(op),
        (Version::Two, op) => {
            wire.push(lane.into());
            wire.extend_from_slice(op);
        }
    }
}

/// Whether an op whose bytes are those of version 2 without its lane came later than version 1.
pub(crate) fn came_later(op: &[u8]) -> bool {
    matches!(op, [LONG_TAG, second, ..] if LATER_TAG <= u16::from(LONG_TAG) + u16::from(*second))
}

/// Appends the bytes of an op in version 2 without its lane, written or read where these are. `None` where they are to
/// be written anew: no other form of a tag is the same in both versions.
pub(crate) fn copy_op_of(version: Version, op: &[u8], wire: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader::new(op);
    if version == Version::Two {
        read_lane(&mut reader);
    }
    let op = reader.rest();
    op.first().is_some_and(|first| *first < LONG_TAG).then(|| wire.extend_from_slice(op))
}

/// Reads an op that is written in this version, without its lane.
#[inline]
pub(crate) fn read_op<C: Rig>(version: Version, edges: &C::Edges, reader: &mut Reader<'_>) -> Option<C::Op> {
    read_tagged(version, reader, |tag, reader| C::read_op(tag, edges, reader))
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
        Some((lane, read_op::<C>(Version::Two, self.edges, &mut self.reader)?))
    }
}

impl<C: Rig> Iterator for Ops<'_, C> {
    type Item = (Lane, C::Op);

    #[inline]
    fn next(&mut self) -> Option<(Lane, C::Op)> {
        match self.version {
            Version::One => Some((Lane::FIRST, read_op::<C>(Version::One, self.edges, &mut self.reader)?)),
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
