//! The narrator: inside a worker, tells the story of one trace step by step into shared memory, so that what was told
//! before a fault survives it.

use crate::finding::Step;
use crate::lockstep::{audit, place_of};
use crate::rig::{Rig, Scene};
use crate::trace::Trace;
use memtwin_models::{Component, Depth, Divergence, Effect, Model as _, Subject, Verdict};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering};

/// One thing that the narrator told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub(super) enum Told {
    /// What the model allows for the next op.
    Allowed { words: String },
    /// What the subject showed, and that the model agreed.
    Agreed { words: String },
    /// What the subject showed, and which law that broke.
    Diverged { words: String, law: String, field: String, place: Option<u64>, scene: Vec<String> },
    /// From here on the contract says nothing.
    Moot { words: String, reason: String },
    /// The subject cannot serve the setup.
    Unsupported { reason: String },
    /// The audit of the final state agreed.
    Audited,
}

/// Writes the story to the slot.
#[derive(Debug)]
pub struct Narrator<'a> {
    place: &'a AtomicU32,
    output: &'a mut [u8],
    length: &'a AtomicU32,
}

impl<'a> Narrator<'a> {
    pub(crate) fn new(place: &'a AtomicU32, output: &'a mut [u8], length: &'a AtomicU32) -> Self {
        Narrator { place, output, length }
    }

    fn at(&self, step: Step) {
        self.place.store(place_of(step), Ordering::Relaxed);
    }

    /// Appends a line. When the room is used up the rest stays untold; the supervisor says so.
    fn tell(&mut self, told: &Told) {
        let Ok(mut line) = serde_json::to_vec(told) else { return };
        line.push(b'\n');
        let start = self.length.load(Ordering::Relaxed) as usize;
        if let Some(room) = self.output.get_mut(start..start + line.len()) {
            room.copy_from_slice(&line);
            #[allow(clippy::cast_possible_truncation)] // the output is shorter than 4 GiB
            self.length.store((start + line.len()) as u32, Ordering::Release);
        }
    }
}

/// Runs a trace on subject `S` and tells its story.
pub(crate) fn narrate<C: Rig, S: Subject<C>>(wire: &[u8], narrator: &mut Narrator<'_>) {
    let trace = Trace::<C>::from_wire(wire);
    let mut model = C::Model::new(&trace.setup, &S::CONTRACT);
    narrator.at(Step::Construct);
    let mut subject = match S::new(&trace.setup) {
        Ok(subject) => subject,
        Err(unsupported) => return narrator.tell(&Told::Unsupported { reason: unsupported.0.to_owned() }),
    };
    let mut seen = C::Outcome::default();
    let mut view = C::View::default();
    let mut succeeded = Vec::new();
    for (index, op) in trace.ops.iter().enumerate() {
        narrator.tell(&Told::Allowed { words: model.allowed(op) });
        model.arrange(op, &mut seen);
        #[allow(clippy::cast_possible_truncation)] // a trace has fewer ops than wire bytes
        narrator.at(Step::Op(index as u32));
        subject.apply(op, &mut seen);
        let words = C::seen_words(op, &seen);
        match model.judge(op, &seen) {
            Verdict::Agree => narrator.tell(&Told::Agreed { words }),
            Verdict::Diverge(divergence) => {
                let ops = &trace.ops[..=index];
                let scene = Scene {
                    setup: &trace.setup,
                    ops,
                    succeeded: &succeeded,
                    seen: &seen,
                    view: None,
                    divergence: &divergence,
                };
                return narrator.tell(&diverged(words, &divergence, C::scene(&scene)));
            }
            Verdict::Moot(reason) => return narrator.tell(&Told::Moot { words, reason: reason.to_owned() }),
        }
        succeeded.push(<C as Component>::OUTCOME_CLASSES[C::outcome_class(&seen)].effect == Effect::Success);
    }
    narrator.at(Step::Audit);
    match audit::<C, S>(&model, &mut subject, &mut view, Depth::Full) {
        Verdict::Agree | Verdict::Moot(_) => narrator.tell(&Told::Audited),
        Verdict::Diverge(divergence) => {
            let scene = Scene {
                setup: &trace.setup,
                ops: &trace.ops,
                succeeded: &succeeded,
                seen: &seen,
                view: Some(&view),
                divergence: &divergence,
            };
            return narrator.tell(&diverged("the state shown at the audit".to_owned(), &divergence, C::scene(&scene)));
        }
    }
    narrator.at(Step::Teardown);
}

fn diverged(words: String, divergence: &Divergence, scene: Vec<String>) -> Told {
    let Divergence { law, field, place } = *divergence;
    Told::Diverged { words, law: law.to_owned(), field: field.to_owned(), place, scene }
}
