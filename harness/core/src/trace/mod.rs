//! The trace: a setup and ops, each on a thread, in three forms. Typed for models and subjects, wire bytes for engines,
//! JSON lines for people and for ever. Typed to wire or JSON and back is the identity; wire to typed to wire is
//! idempotent.

mod join;
mod jsonl;
mod wire;

pub use jsonl::{Header, JSON_PREFIX, TraceError};
pub(crate) use jsonl::{parse, parse_header, print};
pub use wire::Head;
pub(crate) use wire::{Ops, came_later, copy_op, copy_op_of, read_head, read_op, write_op};

use crate::rig::Rig;
use memtwin_models::Lane;
use memtwin_models::wire::{Reader, Version, Writer};
use std::fmt;

/// A setup and the ops that follow.
pub struct Trace<C: Rig> {
    /// What is fixed before the first op.
    pub setup: C::Setup,
    ops: Vec<C::Op>,
    /// The lane of each op; empty where all lie on the first.
    lanes: Vec<Lane>,
}

impl<C: Rig> Clone for Trace<C> {
    fn clone(&self) -> Self {
        Trace { setup: self.setup.clone(), ops: self.ops.clone(), lanes: self.lanes.clone() }
    }
}

impl<C: Rig> fmt::Debug for Trace<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut trace = formatter.debug_struct("Trace");
        trace.field("setup", &self.setup).field("ops", &self.ops);
        if self.has_lanes() {
            trace.field("lanes", &self.lanes);
        }
        trace.finish()
    }
}

impl<C: Rig> PartialEq for Trace<C> {
    fn eq(&self, other: &Self) -> bool {
        self.setup == other.setup && self.ops == other.ops && self.lanes == other.lanes
    }
}

impl<C: Rig> Trace<C> {
    /// A trace of one thread.
    #[must_use]
    pub fn new(setup: C::Setup, ops: Vec<C::Op>) -> Self {
        Trace { setup, ops, lanes: Vec::new() }
    }

    /// A trace whose ops lie on these lanes.
    #[must_use]
    pub fn of_threads(setup: C::Setup, ops: impl IntoIterator<Item = (Lane, C::Op)>) -> Self {
        let (lanes, ops) = ops.into_iter().unzip();
        Self::with_lanes(setup, ops, lanes)
    }

    /// Lanes that say nothing are not kept: equal traces are equal in their parts.
    fn with_lanes(setup: C::Setup, ops: Vec<C::Op>, mut lanes: Vec<Lane>) -> Self {
        if lanes.iter().all(|lane| *lane == Lane::FIRST) {
            lanes.clear();
        }
        Trace { setup, ops, lanes }
    }

    /// The ops, in order.
    #[must_use]
    pub fn ops(&self) -> &[C::Op] {
        &self.ops
    }

    /// Whether an op lies on another thread than the first.
    #[must_use]
    pub fn has_lanes(&self) -> bool {
        !self.lanes.is_empty()
    }

    /// The thread of the op with this index.
    #[inline]
    #[must_use]
    pub fn lane(&self, index: usize) -> Lane {
        self.lanes.get(index).copied().unwrap_or(Lane::FIRST)
    }

    /// The ops with their lanes.
    pub fn steps(&self) -> impl Iterator<Item = (Lane, &C::Op)> {
        self.ops.iter().enumerate().map(|(index, op)| (self.lane(index), op))
    }

    /// The first ops.
    #[must_use]
    pub(crate) fn prefix(&self, length: usize) -> Self {
        self.without(length..self.ops.len())
    }

    /// All ops but these.
    #[must_use]
    pub(crate) fn without(&self, range: std::ops::Range<usize>) -> Self {
        let left = || (0..self.ops.len()).filter(|index| !range.contains(index));
        let ops = left().map(|index| self.ops[index].clone()).collect();
        let lanes = if self.has_lanes() { left().map(|index| self.lane(index)).collect() } else { Vec::new() };
        Self::with_lanes(self.setup.clone(), ops, lanes)
    }

    /// The same threads under another setup, with other ops in the places of these.
    #[must_use]
    pub(crate) fn with(&self, setup: C::Setup, ops: Vec<C::Op>) -> Self {
        let lanes = self.lanes.iter().copied().take(ops.len()).collect();
        Self::with_lanes(setup, ops, lanes)
    }

    /// The same ops on other lanes.
    #[must_use]
    pub(crate) fn on_lanes(&self, lane: impl Fn(usize, Lane) -> Lane) -> Self {
        let lanes = (0..self.ops.len()).map(|index| lane(index, self.lane(index))).collect();
        Self::with_lanes(self.setup.clone(), self.ops.clone(), lanes)
    }

    /// Decodes any bytes.
    #[must_use]
    pub fn from_wire(bytes: &[u8]) -> Self {
        let mut reader = Reader::new(bytes);
        let (version, setup, _) = read_head::<C>(&mut reader);
        let edges = C::edges(&setup);
        let steps = Ops::<C>::new(version, &edges, reader);
        match version {
            Version::One => Trace::new(setup, steps.map(|(_, op)| op).collect()),
            Version::Two => Trace::of_threads(setup, steps),
        }
    }

    /// Whether its ops need version 2: for their lanes, or because version 1 does not know them.
    pub(crate) fn needs_two(&self) -> bool {
        self.has_lanes() || self.ops.iter().any(C::is_later)
    }

    /// The canonical wire bytes.
    #[must_use]
    pub fn to_wire(&self) -> Vec<u8> {
        let head = Head::of::<C>(&self.setup);
        self.to_wire_in(head.version(self.needs_two()))
    }

    /// The wire bytes in a version that has room for it.
    pub(crate) fn to_wire_in(&self, version: Version) -> Vec<u8> {
        let edges = C::edges(&self.setup);
        let mut wire = Vec::new();
        Head::of::<C>(&self.setup).write(version, &mut wire);
        let mut writer = Writer::of(version, &mut wire);
        self.steps().for_each(|(lane, op)| write_op::<C>(&edges, lane, op, version, &mut writer));
        writer.finish();
        wire
    }
}
