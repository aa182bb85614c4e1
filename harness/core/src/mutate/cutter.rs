//! Cutters: what the mutator asks a component through. They know borders of ops, and what a contract serves and asks
//! for; they change nothing.

use super::MAX_OPS;
use crate::rig::{Generator as _, Rig};
use crate::trace::{Head, Ops, copy_op_of, read_head, read_op};
use memtwin_models::Lane;
use memtwin_models::wire::{Reader, Version, Writer};

/// Where the ops of a trace begin, and how they are written.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    version: Version,
    position: usize,
}

/// Knows where the ops of a component's traces begin and end, and which setups and ops are within a contract. The bytes
/// of one op are those of version 2, whatever the trace is written in: its lane stands beside them.
pub trait Cutter {
    /// Reads the head of a trace, under whose setup ops are read from now on, and returns where the ops begin.
    fn set_head(&mut self, wire: &[u8], head: &mut Head) -> Start;
    /// Whether the setup that was read last is served.
    fn serves(&self) -> bool;
    /// How many threads traces with that setup have.
    fn lanes(&self) -> u8;
    /// Reads the ops of a trace, appends their bytes to `ops`, and notes the lane of each and where it ends there.
    fn cut(&self, wire: &[u8], start: Start, ops: &mut Vec<u8>, cuts: &mut Vec<(Lane, u32)>);
    /// Whether a subject is asked for the op that these bytes stand for.
    fn asks(&self, op: &[u8]) -> bool;
    /// Reads one op from any bytes and appends its canonical bytes.
    fn recode(&self, op: &[u8], wire: &mut Vec<u8>);
}

/// The cutter of a component, for one contract.
pub(crate) struct ComponentCutter<C: Rig> {
    contract: C::Contract,
    edges: Option<C::Edges>,
    serves: bool,
    lanes: u8,
}

impl<C: Rig> ComponentCutter<C> {
    pub(crate) fn new(contract: &C::Contract) -> Self {
        ComponentCutter { contract: *contract, edges: None, serves: true, lanes: 1 }
    }

    fn read(&self, op: &[u8]) -> Option<C::Op> {
        read_op::<C>(Version::Two, self.edges.as_ref()?, &mut Reader::new(op))
    }

    fn write(edges: &C::Edges, op: &C::Op, wire: &mut Vec<u8>) {
        let mut writer = Writer::of(Version::Two, wire);
        C::write_op(edges, op, &mut writer);
        writer.finish();
    }
}

impl<C: Rig> Cutter for ComponentCutter<C> {
    fn set_head(&mut self, wire: &[u8], head: &mut Head) -> Start {
        let mut reader = Reader::new(wire);
        let (version, setup, _) = read_head::<C>(&mut reader);
        self.edges = Some(C::edges(&setup));
        self.serves = C::serves(&self.contract, &setup).is_ok();
        self.lanes = C::Generator::lanes(&setup).min(C::LANES);
        head.set::<C>(&setup);
        Start { version, position: reader.position() }
    }

    fn serves(&self) -> bool {
        self.serves
    }

    fn lanes(&self) -> u8 {
        self.lanes
    }

    #[allow(clippy::cast_possible_truncation)] // an input is shorter than 4 GiB
    fn cut(&self, wire: &[u8], start: Start, ops: &mut Vec<u8>, cuts: &mut Vec<(Lane, u32)>) {
        ops.clear();
        cuts.clear();
        let Some(edges) = &self.edges else { return };
        let mut from = start.position;
        let mut steps = Ops::<C>::new(start.version, edges, Reader::at(wire, from));
        while cuts.len() < MAX_OPS
            && let Some((lane, op)) = steps.next()
        {
            let to = steps.position();
            // What the end of the input cut off read as zero: the next op must not be taken for it.
            let is_whole = to < wire.len();
            if !is_whole || copy_op_of(start.version, &wire[from..to], ops).is_none() {
                Self::write(edges, &op, ops);
            }
            cuts.push((lane, ops.len() as u32));
            from = to;
        }
    }

    fn asks(&self, op: &[u8]) -> bool {
        self.read(op).is_some_and(|op| C::asks(&self.contract, &op))
    }

    fn recode(&self, op: &[u8], wire: &mut Vec<u8>) {
        if let (Some(edges), Some(op)) = (&self.edges, self.read(op)) {
            Self::write(edges, &op, wire);
        }
    }
}

/// A cutter for a run on several subjects of one component: it takes what one of them serves and is asked for. Nothing
/// where there is none.
#[must_use]
pub fn any_of(mut cutters: Vec<Box<dyn Cutter>>) -> Option<Box<dyn Cutter>> {
    match cutters.len() {
        0 | 1 => cutters.pop(),
        _ => Some(Box::new(AnyOf(cutters))),
    }
}

/// At least one. They differ in their contracts, and read the same.
struct AnyOf(Vec<Box<dyn Cutter>>);

impl Cutter for AnyOf {
    fn set_head(&mut self, wire: &[u8], head: &mut Head) -> Start {
        let mut start = self.0[0].set_head(wire, head);
        for other in &mut self.0[1..] {
            start = other.set_head(wire, head);
        }
        start
    }

    fn serves(&self) -> bool {
        self.0.iter().any(|cutter| cutter.serves())
    }

    fn lanes(&self) -> u8 {
        self.0[0].lanes()
    }

    fn cut(&self, wire: &[u8], start: Start, ops: &mut Vec<u8>, cuts: &mut Vec<(Lane, u32)>) {
        self.0[0].cut(wire, start, ops, cuts);
    }

    /// Who does not serve the setup sees no op of it, unless nobody does: then it is not the mutant's.
    fn asks(&self, op: &[u8]) -> bool {
        let is_served = self.serves();
        self.0.iter().any(|cutter| (cutter.serves() || !is_served) && cutter.asks(op))
    }

    fn recode(&self, op: &[u8], wire: &mut Vec<u8>) {
        self.0[0].recode(op, wire);
    }
}
