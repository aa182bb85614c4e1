//! The rig of tallies: its wire form has a second setup part, an op whose tag takes two bytes, and room for everything
//! else.

use super::{Op, Setup, Tally};
use memtwin::models::wire::{Parts, Reader, Writer};
use memtwin::random::Random;
use memtwin::rig::{Explain, Export, Generator, Join, Rig, Simplify, Small, SmallWorld, Start, Wire, Words};

/// The optional part that says where counting begins.
const START: u8 = 0;

impl Rig for Tally {
    type Generator = TallyGenerator;
}

impl Wire for Tally {
    type Edges = ();

    fn edges(_setup: &Setup) {}

    fn check_setup(setup: &Setup) -> Result<(), &'static str> {
        if (1..=4).contains(&setup.threads) { Ok(()) } else { Err("there are one to four threads") }
    }

    fn read_setup(reader: &mut Reader<'_>) -> Setup {
        Setup { threads: 1 + reader.byte() % 4, start: 0 }
    }

    fn write_setup(setup: &Setup, writer: &mut Writer<'_>) {
        writer.byte(setup.threads - 1);
    }

    fn read_part(setup: &mut Setup, name: u8, part: &mut Reader<'_>) {
        if name == START {
            setup.start = part.byte();
        }
    }

    fn write_parts(setup: &Setup, parts: &mut Parts) {
        if setup.start != 0 {
            parts.add(START, |writer| writer.byte(setup.start));
        }
    }

    fn read_op(tag: u16, _edges: &(), reader: &mut Reader<'_>) -> Option<Op> {
        Some(match tag {
            0..64 => Op::Count,
            64..128 => Op::Exit,
            128..192 => Op::Add { number: reader.byte() },
            192..240 => Op::Misbehave { how: reader.byte() },
            240..256 => Op::Long { number: (tag & 15).to_le_bytes()[0] << 4 | reader.byte() & 15 },
            256..260 => Op::Later { number: (tag & 3).to_le_bytes()[0] << 6 | reader.byte() & 63 },
            _ => return None,
        })
    }

    fn is_later(op: &Op) -> bool {
        matches!(op, Op::Later { .. })
    }

    fn write_op(_edges: &(), op: &Op, writer: &mut Writer<'_>) {
        match op {
            Op::Count => writer.tag(0),
            Op::Exit => writer.tag(64),
            Op::Add { number } => {
                writer.tag(128);
                writer.byte(*number);
            }
            Op::Misbehave { how } => {
                writer.tag(192);
                writer.byte(*how);
            }
            Op::Long { number } => {
                writer.tag((240 | number >> 4).into());
                writer.byte(number & 15);
            }
            Op::Later { number } => {
                writer.tag(256 + u16::from(number >> 6));
                writer.byte(number & 63);
            }
        }
    }
}

impl Simplify for Tally {
    fn simpler_ops(_setup: &Setup, op: &Op) -> Vec<Op> {
        match op {
            Op::Add { number: 1.. } => vec![Op::Add { number: 0 }],
            Op::Long { number: 1.. } => vec![Op::Long { number: 0 }],
            Op::Count | Op::Add { .. } | Op::Exit | Op::Misbehave { .. } | Op::Long { .. } | Op::Later { .. } => {
                Vec::new()
            }
        }
    }
}

impl SmallWorld for Tally {
    fn small() -> Small<Self> {
        let start = |setup| Start { setup, opening: vec![Op::Count] };
        let setups = [Setup { threads: 2, start: 0 }, Setup { threads: 1, start: 3 }];
        Small { starts: setups.map(start).into(), ops: vec![Op::Count, Op::Exit, Op::Long { number: 255 }] }
    }
}

impl Words for Tally {}

impl Explain for Tally {}

impl Export for Tally {}

impl Join for Tally {}

pub(crate) struct TallyGenerator;

impl Generator<Tally> for TallyGenerator {
    fn new(_contract: &super::NoFreedom) -> Self {
        TallyGenerator
    }

    fn setup(&mut self, random: &mut Random) -> Setup {
        let start = if random.one_in(2) { 0 } else { random.below(9).to_le_bytes()[0] };
        Setup { threads: 1 + random.below(4).to_le_bytes()[0], start }
    }

    fn lanes(setup: &Setup) -> u8 {
        setup.threads
    }

    fn begin(&mut self, _setup: &Setup, _random: &mut Random) {}

    fn op(&mut self, random: &mut Random) -> Op {
        let number = random.below(256).to_le_bytes()[0];
        match random.below(16) {
            0..8 => Op::Count,
            8..10 => Op::Exit,
            10..13 => Op::Add { number },
            13 => Op::Misbehave { how: number },
            _ => Op::Long { number },
        }
    }
}
