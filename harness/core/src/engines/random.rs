//! The random engine: fresh traces from a seed. Traces come in groups of one setup, because building a subject costs as
//! much as many ops; everything else is drawn anew for each trace.

use super::TraceSource;
use crate::random::{Random, mix};
use crate::rig::{Generator as _, Rig};
use crate::trace::{Head, Trace, write_op};
use memtwin_models::Lane;
use memtwin_models::wire::{Version, Writer};

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
    /// The lanes of the trace that is being written.
    lanes: Vec<Lane>,
}

struct Group<C: Rig> {
    stream: u64,
    number: u64,
    setup: C::Setup,
    edges: C::Edges,
    head: Head,
    /// How many threads the traces have.
    lanes: u8,
}

/// So many ops in a row, on average, are one thread's.
const TURN_OPS: u32 = 16;

impl<C: Rig> Generated<C> {
    /// A source that respects the contract.
    #[must_use]
    pub fn new(contract: &C::Contract) -> Self {
        Self::of(C::Generator::new(contract), LENGTH_LIMITS, None)
    }

    /// A source of traces with this generator, all with this setup and this number of ops.
    #[must_use]
    pub fn uniform(generator: C::Generator, setup: C::Setup, ops: u32) -> Self {
        Self::of(generator, [ops; 4], Some(setup))
    }

    fn of(generator: C::Generator, lengths: [u32; 4], setup: Option<C::Setup>) -> Self {
        Generated { generator, lengths, setup, group: None, lanes: Vec::new() }
    }

    fn group(&mut self, stream: u64, number: u64) -> &Group<C> {
        let generator = &mut self.generator;
        let group = match self.group.take() {
            Some(group) if group.stream == stream && group.number == number => group,
            _ => {
                // Odd numbers seed groups, even ones traces.
                let drawn = || generator.setup(&mut Random::new(mix(stream, 2 * number + 1)));
                let setup = self.setup.clone().unwrap_or_else(drawn);
                let lanes = C::Generator::lanes(&setup).min(C::LANES);
                Group { stream, number, edges: C::edges(&setup), head: Head::of::<C>(&setup), lanes, setup }
            }
        };
        self.group.insert(group)
    }
}

impl<C: Rig> TraceSource for Generated<C> {
    fn write(&mut self, stream: u64, index: u64, wire: &mut Vec<u8>) {
        self.group(stream, index / GROUP_TRACES);
        let Generated { generator, lengths, setup, group: Some(group), lanes } = self else { return };
        let mut random = Random::new(mix(stream, 2 * index));
        wire.clear();
        let limit = random.choose(lengths);
        let ops = if setup.is_some() { limit } else { 1 + random.below(limit) };
        generator.begin(&group.setup, &mut random);
        lanes.clear();
        if 1 < C::LANES && 1 < group.lanes {
            draw_lanes(group.lanes, ops, &mut random, lanes);
        }
        let has_lanes = lanes.iter().any(|lane| *lane != Lane::FIRST);
        let version = group.head.version(has_lanes || generator.draws_later());
        group.head.write(version, wire);
        let mut has_later = false;
        let mut writer = Writer::of(version, wire);
        if version == Version::One {
            for _ in 0..ops {
                C::write_op(&group.edges, &generator.op(&mut random), &mut writer);
            }
        } else {
            for index in 0..ops as usize {
                let lane = lanes.get(index).copied().unwrap_or(Lane::FIRST);
                let op = generator.op(&mut random);
                has_later |= C::is_later(&op);
                write_op::<C>(&group.edges, lane, &op, version, &mut writer);
            }
        }
        writer.finish();
        if version != group.head.version(has_lanes || has_later) {
            // None was drawn of those that might have been: version 1 suffices.
            *wire = Trace::<C>::from_wire(wire).to_wire();
        }
    }
}

/// Draws who carries out so many ops: one thread or several, each for some ops in a row.
fn draw_lanes(lanes: u8, ops: u32, random: &mut Random, drawn: &mut Vec<Lane>) {
    let used = 1 + random.below(u32::from(lanes));
    let mut lane = 0_u32;
    for _ in 0..ops {
        drawn.push(Lane::new_folded(lane.to_le_bytes()[0], lanes));
        if 1 < used && random.one_in(TURN_OPS) {
            lane = (lane + 1 + random.below(used - 1)) % used;
        }
    }
}
