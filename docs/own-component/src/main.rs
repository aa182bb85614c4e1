//! A component of one's own, as small as one can be: a ring buffer of bytes. From the top: its words (setup, ops,
//! outcomes), its laws and its contract, the model that judges, what memtwin needs to draw, write and shrink traces, an
//! implementation, the same with a planted mistake, and the program. Each part says what it is for;
//! docs/own-component.md goes through them.

use memtwin::Registry;
use memtwin::Target;
use memtwin::models::picture::{ByteRows, Picture};
use memtwin::models::vocabulary::{Described, Vocabulary};
use memtwin::models::wire::{Reader, Writer};
use memtwin::models::{
    Component, Contract, Depth, Effect, Freedom, Health, Law, Model, OutcomeClass, Row, StateMap, Subject, Unsupported,
    Verdict, vocabulary,
};
use memtwin::random::Random;
use memtwin::registry::Listed;
use memtwin::rig::{Drawn, Explain, Export, Generator, Join, Rig, Simplify, Small, SmallWorld, Start, Wire, Words};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::marker::PhantomData;

memtwin::main!(
    Registry::new().with(Row::<Ring>::of::<Array<Right>>()).with(Row::<Ring>::of::<Array<ForgetsTheStart>>())
);

// ---- The words: what is fixed before the first op, what can be called, what a caller sees. ----

/// The component.
#[derive(Debug)]
struct Ring;

/// The largest capacity of a setup, in bytes.
const MOST_BYTES: u8 = 32;

/// The setup of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Described)]
#[serde(deny_unknown_fields)]
struct Setup {
    /// How many bytes the ring holds, 1 to [`MOST_BYTES`].
    capacity: u8,
}

/// One call. Every op is legal in every state: what cannot be done is answered so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Described)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    /// Adds a byte behind the newest.
    Push { byte: u8 },
    /// Takes the oldest byte away.
    Pop,
    /// How many bytes there are.
    Length,
    /// Takes all bytes away.
    Clear,
}

/// The names of the kinds of ops, in run files and signatures.
const KINDS: [&str; 4] = ["push", "pop", "length", "clear"];

impl Op {
    fn kind(&self) -> usize {
        match self {
            Op::Push { .. } => 0,
            Op::Pop => 1,
            Op::Length => 2,
            Op::Clear => 3,
        }
    }
}

/// The answer of a call.
#[derive(Debug, Clone, Copy, PartialEq, Default, Described)]
enum Answer {
    /// It is done.
    #[default]
    Done,
    /// A number: the byte that was taken, or how many there are.
    Number(u8),
    /// The ring is full, or empty.
    Refused,
}

/// What a caller could see of one call. It is used again for each op.
#[derive(Debug, Default, Described)]
struct Outcome {
    /// The answer.
    answer: Answer,
}

// ---- The contract and the laws: sentences that somebody who knows neither program would accept. ----

/// What an implementation's documentation may claim.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RingContract {
    overwrites: bool,
}

impl Contract for RingContract {
    const STRICT: Self = RingContract { overwrites: false };
    const FREEDOMS: &'static [Freedom] = &[Freedom {
        name: "overwrites",
        sentence: "A push to a full ring takes the oldest byte away; strictly it is refused.",
    }];

    fn claimed(&self) -> Vec<&'static str> {
        if self.overwrites { vec!["overwrites"] } else { Vec::new() }
    }
}

const ORDER: Law = Law::new("order", "A pop takes the byte that was pushed first of those that are there.");
const ROOM: Law = Law::new("room", "A push is refused exactly when the ring is full, a pop exactly when it is empty.");
const LENGTH: Law = Law::new("length", "The length is how many bytes were pushed and not taken away.");
const FORM: Law = Law::new("form", "Each call is answered in its own form.");

impl Component for Ring {
    const NAME: &'static str = "ring";
    const LAWS: &'static [Law] = &[FORM, ROOM, ORDER, LENGTH];
    const OP_KINDS: &'static [&'static str] = &KINDS;
    const OUTCOME_CLASSES: &'static [OutcomeClass] = &[
        OutcomeClass { name: "done", effect: Effect::Success },
        OutcomeClass { name: "refused", effect: Effect::Failure },
    ];
    // `list --json` prints it: the comments of the types that derive `Described`.
    const VOCABULARY: Vocabulary = vocabulary!(Ring);

    type Setup = Setup;
    type Op = Op;
    type Outcome = Outcome;
    type Contract = RingContract;
    type View = ();
    type Model = RingModel;

    fn op_kind(op: &Op) -> usize {
        op.kind()
    }

    fn outcome_class(seen: &Outcome) -> usize {
        usize::from(seen.answer == Answer::Refused)
    }

    /// A campaign is not a pass unless each outcome that is possible was seen often enough.
    fn permits(contract: &RingContract, op_kind: usize, outcome_class: usize) -> bool {
        match (op_kind, outcome_class) {
            (0, 1) => !contract.overwrites,
            (1, 1) | (_, 0) => true,
            _ => false,
        }
    }
}

// ---- The model: the simple twin. It sees each op with its answer, and says whether the contract allows it. ----

/// Each op has one right answer, or under the contract's freedom another: the answer is compared with it.
#[derive(Debug, Clone, Described)]
struct RingModel {
    contract: RingContract,
    capacity: usize,
    bytes: VecDeque<u8>,
}

impl Model<Ring> for RingModel {
    fn new(setup: &Setup, contract: &RingContract) -> Self {
        RingModel { contract: *contract, capacity: setup.capacity.into(), bytes: VecDeque::new() }
    }

    fn reset(&mut self, setup: &Setup) {
        self.capacity = setup.capacity.into();
        self.bytes.clear();
    }

    fn judge(&mut self, op: &Op, seen: &Outcome) -> Verdict {
        let is_full = self.bytes.len() == self.capacity;
        let expected = match op {
            Op::Push { byte } if !is_full || self.contract.overwrites => {
                if is_full {
                    self.bytes.pop_front();
                }
                self.bytes.push_back(*byte);
                Answer::Done
            }
            Op::Push { .. } => Answer::Refused,
            Op::Pop => self.bytes.pop_front().map_or(Answer::Refused, Answer::Number),
            Op::Length => Answer::Number(u8::try_from(self.bytes.len()).unwrap_or(u8::MAX)),
            Op::Clear => {
                self.bytes.clear();
                Answer::Done
            }
        };
        let law = match (expected, seen.answer) {
            (expected, seen) if expected == seen => return Verdict::Agree,
            (Answer::Number(_), Answer::Number(_)) if *op == Op::Length => &LENGTH,
            (Answer::Number(_), Answer::Number(_)) => &ORDER,
            (Answer::Refused, _) | (_, Answer::Refused) => &ROOM,
            _ => &FORM,
        };
        Verdict::diverge(law, "answer")
    }

    fn allowed(&self, op: &Op) -> String {
        let mut after = self.clone();
        let answers = [Answer::Done, Answer::Refused].into_iter().chain((0..=u8::MAX).map(Answer::Number));
        let mut allowed = answers.filter(|answer| {
            after.clone_from(self);
            after.judge(op, &Outcome { answer: *answer }) == Verdict::Agree
        });
        allowed.next().map_or_else(|| "nothing".to_owned(), |answer| format!("{answer:?}"))
    }

    fn picture(&self, _op: Option<&Op>) -> Picture {
        Picture::default()
    }

    fn byte_rows(&self, _op: &Op, _seen: &Outcome) -> Option<ByteRows> {
        None
    }

    fn survey(&self, _depth: Depth, _view: &mut ()) {}

    fn audit(&self, _view: &()) -> Verdict {
        Verdict::Agree
    }

    /// What the guided engine steers by: how full the ring was at which kind of op.
    fn features(&self, op: &Op, seen: &Outcome, sink: &mut StateMap<'_>) {
        let fullness = if self.bytes.len() == self.capacity { 7 } else { self.bytes.len().min(6) };
        sink.hit((op.kind() * 2 + Ring::outcome_class(seen)) * 8 + fullness);
    }
}

// ---- The rig: how traces are drawn, written as bytes, made simpler and told. Most of it has defaults. ----

impl Rig for Ring {
    type Generator = Draws;
}

/// Any bytes are a trace: fuzzers change them as they like.
impl Wire for Ring {
    type Edges = ();

    fn edges(_setup: &Setup) {}

    fn check_setup(setup: &Setup) -> Result<(), &'static str> {
        if (1..=MOST_BYTES).contains(&setup.capacity) { Ok(()) } else { Err("capacity is not between 1 and 32") }
    }

    fn read_setup(reader: &mut Reader<'_>) -> Setup {
        Setup { capacity: 1 + reader.byte() % MOST_BYTES }
    }

    fn write_setup(setup: &Setup, writer: &mut Writer<'_>) {
        writer.byte(setup.capacity - 1);
    }

    fn read_op(tag: u16, _edges: &(), reader: &mut Reader<'_>) -> Option<Op> {
        Some(match tag {
            0..128 => Op::Push { byte: reader.byte() },
            128..192 => Op::Pop,
            192..224 => Op::Length,
            224..256 => Op::Clear,
            _ => return None,
        })
    }

    fn write_op(_edges: &(), op: &Op, writer: &mut Writer<'_>) {
        match op {
            Op::Push { byte } => {
                writer.tag(0);
                writer.byte(*byte);
            }
            Op::Pop => writer.tag(128),
            Op::Length => writer.tag(192),
            Op::Clear => writer.tag(224),
        }
    }
}

impl Simplify for Ring {
    fn simpler_setups(setup: &Setup) -> Vec<Setup> {
        (1..setup.capacity).map(|capacity| Setup { capacity }).collect()
    }

    fn simpler_ops(_setup: &Setup, op: &Op) -> Vec<Op> {
        match op {
            Op::Push { byte: byte @ 1.. } => vec![Op::Push { byte: byte / 2 }],
            Op::Push { .. } | Op::Pop | Op::Length | Op::Clear => Vec::new(),
        }
    }
}

/// What `exhaustive` runs: every short trace over these.
impl SmallWorld for Ring {
    fn small() -> Small<Self> {
        let starts = [1, 2].map(|capacity| Start { setup: Setup { capacity }, opening: Vec::new() });
        let ops = vec![Op::Push { byte: 1 }, Op::Push { byte: 2 }, Op::Pop, Op::Length, Op::Clear];
        Small { starts: starts.into(), ops }
    }
}

impl Words for Ring {}
impl Explain for Ring {}
impl Export for Ring {}
impl Join for Ring {}

impl Listed for Ring {
    fn target(row: &'static Row<Self>) -> &'static dyn Target {
        row
    }
}

/// Draws setups and ops. Each trace has weights of its own, so that some fill the ring and others keep it empty.
struct Draws {
    pushes: u32,
    rare: u32,
}

impl Generator<Ring> for Draws {
    // For those who want to know what a campaign tries; `list --json` prints it, too.
    const DRAWN: Drawn = Drawn {
        weights: &[],
        sentences: &[
            (&["setup"], "Each capacity alike."),
            (&["trace"], "A quarter, a half or three quarters of the ops push; one in 4, 16 or 64 does neither."),
            (&["byte"], "Each alike."),
        ],
    };

    fn new(_contract: &RingContract) -> Self {
        Draws { pushes: 8, rare: 8 }
    }

    fn setup(&mut self, random: &mut Random) -> Setup {
        let [capacity, ..] = random.below(u32::from(MOST_BYTES)).to_le_bytes();
        Setup { capacity: 1 + capacity }
    }

    fn begin(&mut self, _setup: &Setup, random: &mut Random) {
        self.pushes = random.choose(&[4, 8, 12]);
        self.rare = random.choose(&[4, 16, 64]);
    }

    fn op(&mut self, random: &mut Random) -> Op {
        let [byte, ..] = random.bits().to_le_bytes();
        if random.one_in(self.rare) {
            return if random.one_in(3) { Op::Clear } else { Op::Length };
        }
        if random.below(16) < self.pushes { Op::Push { byte } } else { Op::Pop }
    }
}

// ---- The implementation under test, and the same code with a planted mistake. ----

/// A ring in an array: `length` bytes from `start` on, round the end.
struct Array<M> {
    bytes: Box<[u8]>,
    start: usize,
    length: usize,
    mistake: PhantomData<M>,
}

/// The one place where the right and the broken ring differ.
trait Mistake: 'static {
    const NAME: &'static str;
    const HEALTH: Health;
    /// Where the next byte goes.
    fn next(start: usize, length: usize, capacity: usize) -> usize;
}

struct Right;

impl Mistake for Right {
    const NAME: &'static str = "array";
    const HEALTH: Health = Health::Sound;

    fn next(start: usize, length: usize, capacity: usize) -> usize {
        (start + length) % capacity
    }
}

struct ForgetsTheStart;

impl Mistake for ForgetsTheStart {
    const NAME: &'static str = "forgets_the_start";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a push goes where it would go had nothing been popped" };

    fn next(_start: usize, length: usize, capacity: usize) -> usize {
        length % capacity
    }
}

impl<M: Mistake> Subject<Ring> for Array<M> {
    const NAME: &'static str = M::NAME;
    const HEALTH: Health = M::HEALTH;
    const CONTRACT: RingContract = RingContract::STRICT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let bytes = vec![0; setup.capacity.into()].into();
        Ok(Array { bytes, start: 0, length: 0, mistake: PhantomData })
    }

    /// A good reset is several times faster than a new subject for each trace.
    fn reset(&mut self, setup: &Setup) -> bool {
        (self.start, self.length) = (0, 0);
        self.bytes.len() == usize::from(setup.capacity)
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        let capacity = self.bytes.len();
        seen.answer = match op {
            Op::Push { .. } if self.length == capacity => Answer::Refused,
            Op::Push { byte } => {
                self.bytes[M::next(self.start, self.length, capacity)] = *byte;
                self.length += 1;
                Answer::Done
            }
            Op::Pop if self.length == 0 => Answer::Refused,
            Op::Pop => {
                let byte = self.bytes[self.start];
                self.start = (self.start + 1) % capacity;
                self.length -= 1;
                Answer::Number(byte)
            }
            Op::Length => Answer::Number(u8::try_from(self.length).unwrap_or(u8::MAX)),
            Op::Clear => {
                (self.start, self.length) = (0, 0);
                Answer::Done
            }
        };
    }
}
