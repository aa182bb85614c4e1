//! One shrinker for every engine: on ops, on operands and on the setup. It offers candidates one at a time, and whoever asks
//! says whether a candidate still fails in the same way; the shrinker knows no subject.

use crate::rig::Rig;
use crate::trace::Trace;

/// The smallest trace found that still fails. The trace itself is known to fail. `still_fails` may say no for ever once its
/// budget is used up.
pub(crate) fn shrink<C: Rig>(trace: &Trace<C>, still_fails: &mut dyn FnMut(&Trace<C>) -> bool) -> Trace<C> {
    let mut shrinker = Shrinker::new(trace.clone());
    while let Some(candidate) = shrinker.next_candidate() {
        let fails = still_fails(&candidate);
        shrinker.answer(candidate, fails);
    }
    shrinker.best().clone()
}

/// A shrinking under way. Ends because each accepted candidate is smaller in an order without cycles.
pub(crate) struct Shrinker<C: Rig> {
    best: Trace<C>,
    pass: Pass<C>,
    /// Whether a candidate was accepted since the passes last began anew.
    changed: bool,
}

/// What is being tried.
enum Pass<C: Rig> {
    /// The shortest failing prefix, by bisection: a deterministic subject fails at one op, and what follows is no cause.
    CutTail { low: usize, high: usize },
    /// Without runs of ops, longer ones first (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
    /// 2002), from the end on: the op at fault is last, its causes tend to be near.
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
    pub(crate) fn new(trace: Trace<C>) -> Self {
        let pass = Pass::CutTail { low: 0, high: trace.ops.len() };
        Shrinker { best: trace, pass, changed: false }
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
                Pass::CutTail { low, high } if *low < *high => return Some(prefix(best, low.midpoint(*high))),
                Pass::RemoveOps { length, end } if 0 < *end => {
                    let mut ops = best.ops[..end.saturating_sub(*length)].to_vec();
                    ops.extend_from_slice(&best.ops[*end..]);
                    return Some(Trace { setup: best.setup.clone(), ops });
                }
                Pass::RemoveOps { length, end } if 1 < *length => {
                    *length /= 2;
                    *end = best.ops.len();
                }
                Pass::Setup(simpler) => match simpler.next() {
                    Some(setup) => return Some(Trace { setup, ops: best.ops.clone() }),
                    None => self.begin_next_pass(),
                },
                Pass::Together(simpler) => match simpler.next() {
                    Some((setup, ops)) => return Some(Trace { setup, ops }),
                    None => self.begin_next_pass(),
                },
                Pass::Ops { end, simpler } => match simpler.next() {
                    Some(op) => {
                        let mut candidate = best.clone();
                        candidate.ops[*end - 1] = op;
                        return Some(candidate);
                    }
                    None if 1 < *end => self.pass = ops_pass(best, *end - 1),
                    None => self.begin_next_pass(),
                },
                Pass::CutTail { .. } | Pass::RemoveOps { .. } => self.begin_next_pass(),
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
            Pass::Setup(_) | Pass::Together(_) | Pass::Ops { .. } | Pass::Done => {}
        }
        if !fails {
            return;
        }
        self.best = candidate;
        self.changed = true;
        let best = &self.best;
        match &mut self.pass {
            Pass::Setup(simpler) => *simpler = C::simpler_setups(&best.setup).into_iter(),
            Pass::Together(simpler) => *simpler = C::simpler_together(&best.setup, &best.ops).into_iter(),
            Pass::Ops { end, simpler } => *simpler = C::simpler_ops(&best.setup, &best.ops[*end - 1]).into_iter(),
            Pass::CutTail { .. } | Pass::RemoveOps { .. } | Pass::Done => {}
        }
    }

    fn begin_next_pass(&mut self) {
        let best = &mut self.best;
        self.pass = match &self.pass {
            Pass::CutTail { high, .. } => {
                best.ops.truncate(*high);
                remove_pass(best)
            }
            Pass::RemoveOps { .. } => Pass::Setup(C::simpler_setups(&best.setup).into_iter()),
            Pass::Setup(_) => Pass::Together(C::simpler_together(&best.setup, &best.ops).into_iter()),
            Pass::Together(_) if !best.ops.is_empty() => ops_pass(best, best.ops.len()),
            Pass::Together(_) | Pass::Ops { .. } if self.changed => {
                self.changed = false;
                remove_pass(best)
            }
            Pass::Together(_) | Pass::Ops { .. } | Pass::Done => Pass::Done,
        };
    }
}

fn prefix<C: Rig>(trace: &Trace<C>, length: usize) -> Trace<C> {
    Trace { setup: trace.setup.clone(), ops: trace.ops[..length].to_vec() }
}

fn remove_pass<C: Rig>(best: &Trace<C>) -> Pass<C> {
    Pass::RemoveOps { length: (best.ops.len() / 2).max(1), end: best.ops.len() }
}

fn ops_pass<C: Rig>(best: &Trace<C>, end: usize) -> Pass<C> {
    Pass::Ops { end, simpler: C::simpler_ops(&best.setup, &best.ops[end - 1]).into_iter() }
}
