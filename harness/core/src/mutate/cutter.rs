//! Cutters: what the mutator asks a component through. They know borders of ops, and what a contract serves and asks for; they
//! change nothing.

use super::MAX_OPS;
use crate::rig::Rig;
use crate::trace::{read_setup, write_setup};
use memtwin_models::wire::{Reader, Writer};

/// Knows where the ops of a component's traces begin and end, and which setups and ops are within a contract.
pub trait Cutter {
    /// Reads the setup of a trace, under which ops are read from now on; returns where the ops begin and writes the
    /// setup's canonical bytes.
    fn set_setup(&mut self, wire: &[u8], setup: &mut Vec<u8>) -> usize;
    /// Whether the setup that was read last is served.
    fn serves(&self) -> bool;
    /// Reads the ops of a trace, appends their bytes to `ops`, and notes where each of them ends there.
    fn cut(&self, wire: &[u8], start: usize, ops: &mut Vec<u8>, ends: &mut Vec<u32>);
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
}

impl<C: Rig> ComponentCutter<C> {
    pub(crate) fn new(contract: &C::Contract) -> Self {
        ComponentCutter { contract: *contract, edges: None, serves: true }
    }

    fn read(&self, op: &[u8]) -> Option<C::Op> {
        C::read_op(self.edges.as_ref()?, &mut Reader::new(op))
    }
}

impl<C: Rig> Cutter for ComponentCutter<C> {
    fn set_setup(&mut self, wire: &[u8], setup_wire: &mut Vec<u8>) -> usize {
        let mut reader = Reader::new(wire);
        let setup = read_setup::<C>(&mut reader);
        self.edges = Some(C::edges(&setup));
        self.serves = C::serves(&self.contract, &setup).is_ok();
        setup_wire.clear();
        write_setup::<C>(&setup, setup_wire);
        reader.position()
    }

    fn serves(&self) -> bool {
        self.serves
    }

    #[allow(clippy::cast_possible_truncation)] // an input is shorter than 4 GiB
    fn cut(&self, wire: &[u8], start: usize, ops: &mut Vec<u8>, ends: &mut Vec<u32>) {
        ops.clear();
        ends.clear();
        let Some(edges) = &self.edges else { return };
        let mut reader = Reader::at(wire, start);
        let mut from = start;
        while ends.len() < MAX_OPS
            && let Some(op) = C::read_op(edges, &mut reader)
        {
            let to = reader.position();
            if to < wire.len() {
                ops.extend_from_slice(&wire[from..to]);
            } else {
                // What the end of the input cut off read as zero: the next op must not be taken for it.
                write_op::<C>(edges, &op, ops);
            }
            ends.push(ops.len() as u32);
            from = to;
        }
    }

    fn asks(&self, op: &[u8]) -> bool {
        self.read(op).is_some_and(|op| C::asks(&self.contract, &op))
    }

    fn recode(&self, op: &[u8], wire: &mut Vec<u8>) {
        if let (Some(edges), Some(op)) = (&self.edges, self.read(op)) {
            write_op::<C>(edges, &op, wire);
        }
    }
}

fn write_op<C: Rig>(edges: &C::Edges, op: &C::Op, wire: &mut Vec<u8>) {
    let mut writer = Writer::new(wire);
    C::write_op(edges, op, &mut writer);
    writer.finish();
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

struct AnyOf(Vec<Box<dyn Cutter>>);

impl Cutter for AnyOf {
    fn set_setup(&mut self, wire: &[u8], setup: &mut Vec<u8>) -> usize {
        // They differ in their contracts, and read the same.
        self.0.iter_mut().map(|cutter| cutter.set_setup(wire, setup)).last().unwrap_or(0)
    }

    fn serves(&self) -> bool {
        self.0.iter().any(|cutter| cutter.serves())
    }

    fn cut(&self, wire: &[u8], start: usize, ops: &mut Vec<u8>, ends: &mut Vec<u32>) {
        self.0[0].cut(wire, start, ops, ends);
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
