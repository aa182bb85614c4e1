//! The random engine: fresh traces from a seed. Traces come in groups of one setup, because building a subject costs as
//! much as many ops; everything else is drawn anew for each trace.

use super::TraceSource;
use crate::random::{Random, mix};
use crate::rig::{Generator as _, Rig};
use crate::trace::write_setup;
use memtwin_models::wire::Writer;

/// Traces of one setup in a row.
pub const GROUP_TRACES: u64 = 64;
/// The upper limits that a trace's number of ops is drawn under.
const LENGTH_LIMITS: [u32; 4] = [64, 256, 512, 1024];

/// The random traces of a component under one contract.
pub struct Generated<C: Rig> {
    generator: C::Generator,
    lengths: [u32; 4],
    /// Instead of drawn setups.
    setup: Option<C::Setup>,
    group: Option<Group<C>>,
}

struct Group<C: Rig> {
    stream: u64,
    number: u64,
    setup: C::Setup,
    edges: C::Edges,
    setup_wire: Vec<u8>,
}

impl<C: Rig> Generated<C> {
    /// A source that respects the contract.
    #[must_use]
    pub fn new(contract: &C::Contract) -> Self {
        Generated { generator: C::Generator::new(contract), lengths: LENGTH_LIMITS, setup: None, group: None }
    }

    /// A source of traces with this generator, all with this setup and this number of ops.
    #[must_use]
    pub fn uniform(generator: C::Generator, setup: C::Setup, ops: u32) -> Self {
        Generated { generator, lengths: [ops; 4], setup: Some(setup), group: None }
    }

    fn group(&mut self, stream: u64, number: u64) -> &Group<C> {
        let generator = &mut self.generator;
        let group = match self.group.take() {
            Some(group) if group.stream == stream && group.number == number => group,
            _ => {
                // Odd numbers seed groups, even ones traces.
                let drawn = || generator.setup(&mut Random::new(mix(stream, 2 * number + 1)));
                let setup = self.setup.clone().unwrap_or_else(drawn);
                let mut setup_wire = Vec::new();
                write_setup::<C>(&setup, &mut setup_wire);
                Group { stream, number, edges: C::edges(&setup), setup, setup_wire }
            }
        };
        self.group.insert(group)
    }
}

impl<C: Rig> TraceSource for Generated<C> {
    fn write(&mut self, stream: u64, index: u64, wire: &mut Vec<u8>) {
        self.group(stream, index / GROUP_TRACES);
        let Generated { generator, lengths, setup, group: Some(group) } = self else { return };
        let mut random = Random::new(mix(stream, 2 * index));
        wire.clear();
        wire.extend_from_slice(&group.setup_wire);
        let limit = random.choose(lengths);
        let ops = if setup.is_some() { limit } else { 1 + random.below(limit) };
        generator.begin(&group.setup, &mut random);
        let mut writer = Writer::new(wire);
        for _ in 0..ops {
            C::write_op(&group.edges, &generator.op(&mut random), &mut writer);
        }
        writer.finish();
    }
}
