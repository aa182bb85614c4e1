//! Where the traces of a batch come from, in its worker; and where they come from again, when the worker is no more and
//! somebody asks what it had run. Runs nothing.

use super::shared::Shared;
use super::{Batch, Isolation, kept};
use crate::engines::guided::Guided;
use crate::engines::{Engine, TraceSource};
use crate::mutate::Mutator;
use crate::target::Target;
use memtwin_models::StateMap;
use memtwin_models::wire::MAX_WIRE_BYTES;
use std::collections::VecDeque;

/// So many traces are made again at most, those before them too. No batch is longer, but a subject may have written
/// over the number of its trace.
const MOST_MADE_AGAIN: u64 = 1 << 17;
/// So many of the traces before one are told at most: more would hardly fit into one trace.
const MOST_TOLD: usize = 4096;

/// The source of a batch's traces, and what it learns from them.
pub(super) enum Feed {
    Guided { guided: Box<Guided>, map: Box<[u8; StateMap::SIZE]>, stream: u64, first: u64 },
    Random { traces: Box<dyn TraceSource>, stream: u64 },
}

impl Feed {
    /// The source of the job in the shared memory.
    pub(super) fn start(shared: &mut Shared, target: &dyn Target, engine: Engine) -> Self {
        let (stream, first) = (shared.job.stream, shared.job.first_trace);
        if engine == Engine::Random {
            return Feed::Random { traces: target.traces(), stream };
        }
        let mut guided = guided(target);
        kept::from(shared, 0).into_iter().for_each(|kept| guided.adopt(kept));
        let choices = &mut shared.choices;
        choices.kept_before = u32::try_from(guided.kept().len()).unwrap_or(u32::MAX);
        choices.parents.clear();
        choices.kept.clear();
        Feed::Guided { guided: Box::new(guided), map: Box::new([0; StateMap::SIZE]), stream, first }
    }

    /// Writes a trace, and puts on record what was chosen for it.
    pub(super) fn write(&mut self, index: u64, wire: &mut Vec<u8>, shared: &mut Shared) {
        match self {
            Feed::Guided { guided, stream, .. } => {
                guided.write(*stream, index, wire);
                if let Some(parent) = guided.take_parent() {
                    shared.choices.parents.push(parent);
                }
            }
            Feed::Random { traces, stream } => traces.write(*stream, index, wire),
        }
    }

    /// The map that the next trace fills, if the source wants to know what each reaches.
    pub(super) fn map(&mut self) -> Option<&mut [u8; StateMap::SIZE]> {
        match self {
            Feed::Guided { map, .. } => Some(map),
            Feed::Random { .. } => None,
        }
    }

    /// What a trace reached that says nothing is not the next one's.
    pub(super) fn forget(&mut self) {
        if let Feed::Guided { map, .. } = self {
            map.fill(0);
        }
    }

    /// Keeps the trace if it reached something new.
    pub(super) fn learn(&mut self, index: u64, wire: &[u8], shared: &mut Shared) {
        let Feed::Guided { guided, map, first, .. } = self else { return };
        if let Some(kept) = guided.learn(wire, map) {
            for reached in &kept.reached {
                shared.features[usize::from(reached >> 3)] = 1;
            }
            // Without room the epoch keeps it for itself.
            kept::add(shared, kept);
            shared.choices.kept.push(u32::try_from(index - *first).unwrap_or(u32::MAX));
        }
    }
}

fn guided(target: &dyn Target) -> Guided {
    Guided::new(target.traces(), Mutator::new(target.cutter()))
}

impl Isolation {
    /// The traces that the worker of the last batch had run before this one, in their order: the last ones, no more
    /// bytes than a trace may have. They are made again, and no word of the worker is taken for it: where that does not
    /// lead to the trace itself, there are none.
    #[must_use]
    pub fn traces_before(&self, target: &dyn Target, batch: &Batch, trace: u64, wire: &[u8]) -> Vec<Vec<u8>> {
        if MOST_MADE_AGAIN < trace.saturating_sub(batch.first_trace) {
            return Vec::new();
        }
        let mut again = Again::of(self.shared.get(), target, batch);
        let mut before: VecDeque<Vec<u8>> = VecDeque::new();
        let (mut bytes, mut next) = (0, Vec::new());
        for index in batch.first_trace..trace {
            again.write(index, &mut next);
            bytes += next.len();
            before.push_back(std::mem::take(&mut next));
            while MAX_WIRE_BYTES < bytes || MOST_TOLD < before.len() {
                next = before.pop_front().unwrap_or_default();
                bytes -= next.len();
            }
        }
        again.write(trace, &mut next);
        if next == wire { before.into() } else { Vec::new() }
    }
}

/// The traces of a batch that has run.
struct Again {
    source: Source,
    stream: u64,
}

enum Source {
    /// With the traces that are kept, by their numbers.
    Guided(Box<Guided>, VecDeque<u64>),
    Random(Box<dyn TraceSource>),
}

impl Again {
    fn of(shared: &Shared, target: &dyn Target, batch: &Batch) -> Self {
        let source = match batch.engine {
            Engine::Random => Source::Random(target.traces()),
            Engine::Guided => {
                let mut guided = guided(target);
                let choices = &shared.choices;
                let before = kept::from(shared, 0).into_iter().take(choices.kept_before as usize);
                before.for_each(|kept| guided.adopt(kept));
                guided.follow(choices.parents.get().iter().copied());
                let kept = choices.kept.get().iter().map(|distance| batch.first_trace + u64::from(*distance));
                Source::Guided(Box::new(guided), kept.collect())
            }
        };
        Again { source, stream: batch.stream }
    }

    fn write(&mut self, index: u64, wire: &mut Vec<u8>) {
        match &mut self.source {
            Source::Random(traces) => traces.write(self.stream, index, wire),
            Source::Guided(guided, kept) => {
                guided.write(self.stream, index, wire);
                if kept.pop_front_if(|number| *number == index).is_some() {
                    guided.keep(wire);
                }
            }
        }
    }
}
