//! One shrinker for every engine: on ops, on operands and on the setup. It offers candidates one at a time, and whoever
//! asks says whether a candidate still fails in the same way; the shrinker knows no subject, but what its contract
//! excludes: no candidate leads there.

use crate::rig::Rig;
use crate::trace::Trace;
use memtwin_models::Lane;
use std::collections::BTreeSet;

/// The smallest trace found that still fails. The trace itself is known to fail. `still_fails` may say no for ever once
/// its budget is used up.
pub(crate) fn shrink<C: Rig>(
    trace: &Trace<C>,
    contract: &C::Contract,
    still_fails: &mut dyn FnMut(&Trace<C>) -> bool,
) -> Trace<C> {
    let mut shrinker = Shrinker::new(trace.clone(), contract);
    while let Some(candidate) = shrinker.next_candidate() {
        let fails = still_fails(&candidate);
        shrinker.answer(candidate, fails);
    }
    shrinker.best().clone()
}

/// A shrinking under way. Ends because each accepted candidate is smaller in an order without cycles.
pub(crate) struct Shrinker<C: Rig> {
    contract: C::Contract,
    best: Trace<C>,
    pass: Pass<C>,
    /// Whether a candidate was accepted since the passes last began anew.
    changed: bool,
}

/// What is being tried.
enum Pass<C: Rig> {
    /// The shortest failing prefix, by bisection: a deterministic subject fails at one op, and what follows is no
    /// cause.
    CutTail { low: usize, high: usize },
    /// On fewer threads.
    Lanes(std::vec::IntoIter<Trace<C>>),
    /// The op before `end` on the first thread.
    OneLane { end: usize },
    /// Without runs of ops, longer ones first (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
    /// Input", 2002), from the end on: the op at fault is last, its causes tend to be near.
    RemoveOps { length: usize, end: usize },
    /// Simpler setups.
    Setup(std::vec::IntoIter<C::Setup>),
    /// Simpler setups and ops at once.
    Together(std::vec::IntoIter<(C::Setup, Vec<C::Op>)>),
    /// Simpler forms of the op before `end`.
    Ops { end: usize, simpler: std::vec::IntoIter<C::Op> },
    /// Nothing smaller fails.
    Done,
}

impl<C: Rig> Shrinker<C> {
    /// Begins with a trace that is known to fail.
    pub(crate) fn new(trace: Trace<C>, contract: &C::Contract) -> Self {
        let pass = Pass::CutTail { low: 0, high: trace.ops().len() };
        Shrinker { contract: *contract, best: trace, pass, changed: false }
    }

    /// The smallest trace so far that is known to fail.
    pub(crate) fn best(&self) -> &Trace<C> {
        &self.best
    }

    /// The next trace to try; `None` when nothing smaller is left. Each must be answered before the next is asked for.
    pub(crate) fn next_candidate(&mut self) -> Option<Trace<C>> {
        loop {
            let best = &self.best;
            match &mut self.pass {
                Pass::CutTail { low, high } if *low < *high => return Some(best.prefix(low.midpoint(*high))),
                Pass::RemoveOps { length, end } if 0 < *end => {
                    return Some(best.without(end.saturating_sub(*length)..*end));
                }
                Pass::RemoveOps { length, end } if 1 < *length => {
                    *length /= 2;
                    *end = best.ops().len();
                }
                Pass::Lanes(fewer) => match fewer.next() {
                    Some(candidate) => return Some(candidate),
                    None => self.begin_next_pass(),
                },
                Pass::OneLane { end } if 0 < *end => {
                    let index = *end - 1;
                    if best.lane(index) != Lane::FIRST {
                        return Some(best.on_lanes(|place, lane| if place == index { Lane::FIRST } else { lane }));
                    }
                    *end = index;
                }
                Pass::Setup(simpler) => match simpler.next() {
                    Some(setup) => return Some(best.with(setup, best.ops().to_vec())),
                    None => self.begin_next_pass(),
                },
                Pass::Together(simpler) => match simpler.next() {
                    Some((setup, ops)) => return Some(best.with(setup, ops)),
                    None => self.begin_next_pass(),
                },
                Pass::Ops { end, simpler } => match simpler.next() {
                    Some(op) => {
                        let mut ops = best.ops().to_vec();
                        ops[*end - 1] = op;
                        return Some(best.with(best.setup.clone(), ops));
                    }
                    None if 1 < *end => {
                        let end = *end - 1;
                        self.pass = Pass::Ops { end, simpler: self.simpler_ops(end) };
                    }
                    None => self.begin_next_pass(),
                },
                Pass::CutTail { .. } | Pass::RemoveOps { .. } | Pass::OneLane { .. } => self.begin_next_pass(),
                Pass::Done => return None,
            }
        }
    }

    /// Takes the answer for the candidate that was given last.
    pub(crate) fn answer(&mut self, candidate: Trace<C>, fails: bool) {
        match &mut self.pass {
            // The trace is cut when the bisection is over: a prefix that fails says nothing about longer ones.
            Pass::CutTail { low, high } => {
                let middle = low.midpoint(*high);
                if fails {
                    *high = middle;
                } else {
                    *low = middle + 1;
                }
                return;
            }
            Pass::RemoveOps { length, end } => *end = end.saturating_sub(*length),
            Pass::OneLane { end } => *end -= 1,
            Pass::Lanes(_) | Pass::Setup(_) | Pass::Together(_) | Pass::Ops { .. } | Pass::Done => {}
        }
        if !fails {
            return;
        }
        self.best = candidate;
        self.changed = true;
        match self.pass {
            Pass::Lanes(_) => self.pass = Pass::Lanes(self.fewer_lanes()),
            Pass::Setup(_) => self.pass = Pass::Setup(self.simpler_setups()),
            Pass::Together(_) => self.pass = Pass::Together(self.simpler_together()),
            Pass::Ops { end, .. } => self.pass = Pass::Ops { end, simpler: self.simpler_ops(end) },
            Pass::CutTail { .. } | Pass::RemoveOps { .. } | Pass::OneLane { .. } | Pass::Done => {}
        }
    }

    fn begin_next_pass(&mut self) {
        self.pass = match &self.pass {
            Pass::CutTail { high, .. } => {
                self.best = self.best.prefix(*high);
                Pass::Lanes(self.fewer_lanes())
            }
            Pass::Lanes(_) => {
                let end = self.best.ops().len();
                Pass::RemoveOps { length: (end / 2).max(1), end }
            }
            Pass::RemoveOps { .. } if self.best.has_lanes() => Pass::OneLane { end: self.best.ops().len() },
            Pass::RemoveOps { .. } | Pass::OneLane { .. } => Pass::Setup(self.simpler_setups()),
            Pass::Setup(_) => Pass::Together(self.simpler_together()),
            Pass::Together(_) if !self.best.ops().is_empty() => {
                let end = self.best.ops().len();
                Pass::Ops { end, simpler: self.simpler_ops(end) }
            }
            Pass::Together(_) | Pass::Ops { .. } if self.changed => {
                self.changed = false;
                Pass::Lanes(self.fewer_lanes())
            }
            Pass::Together(_) | Pass::Ops { .. } | Pass::Done => Pass::Done,
        };
    }

    /// All ops on the first thread; then those of one thread on an earlier one.
    fn fewer_lanes(&self) -> std::vec::IntoIter<Trace<C>> {
        let best = &self.best;
        let mut candidates = Vec::new();
        if best.has_lanes() {
            candidates.push(best.on_lanes(|_, _| Lane::FIRST));
            let used: BTreeSet<Lane> = best.steps().map(|(lane, _)| lane).chain([Lane::FIRST]).collect();
            for &from in used.iter().rev().filter(|_| 2 < used.len()) {
                let merged = |to: &Lane| best.on_lanes(|_, lane| if lane == from { *to } else { lane });
                candidates.extend(used.iter().take_while(|to| **to < from).map(merged));
            }
        }
        candidates.into_iter()
    }

    fn simpler_setups(&self) -> std::vec::IntoIter<C::Setup> {
        let mut setups = C::simpler_setups(&self.best.setup);
        setups.retain(|setup| C::serves(&self.contract, setup).is_ok());
        setups.into_iter()
    }

    fn simpler_together(&self) -> std::vec::IntoIter<(C::Setup, Vec<C::Op>)> {
        let mut together = C::simpler_together(&self.best.setup, self.best.ops());
        together
            .retain(|(setup, ops)| C::serves(&self.contract, setup).is_ok() && ops.iter().all(|op| self.may_ask(op)));
        together.into_iter()
    }

    /// Simpler forms of the op before `end`.
    fn simpler_ops(&self, end: usize) -> std::vec::IntoIter<C::Op> {
        let mut simpler = C::simpler_ops(&self.best.setup, &self.best.ops()[end - 1]);
        simpler.retain(|op| self.may_ask(op));
        simpler.into_iter()
    }

    /// What was there from the start may stay: it came from a person, and was skipped.
    fn may_ask(&self, op: &C::Op) -> bool {
        C::asks(&self.contract, op) || self.best.ops().contains(op)
    }
}
