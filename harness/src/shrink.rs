//! One shrinker for every engine: on ops, on operands and on the setup. The caller says whether a candidate still fails in
//! the same way; the shrinker knows no subject.

use crate::rig::Rig;
use crate::trace::Trace;

/// The smallest trace found that still fails. The trace itself is known to fail. Ends because each accepted candidate is
/// smaller in an order without cycles; `still_fails` may say no for ever once its budget is used up.
pub(crate) fn shrink<C: Rig>(trace: &Trace<C>, still_fails: &mut dyn FnMut(&Trace<C>) -> bool) -> Trace<C> {
    let mut best = trace.clone();
    cut_tail(&mut best, still_fails);
    loop {
        let mut changed = remove_ops(&mut best, still_fails);
        changed |= simplify_setup(&mut best, still_fails);
        changed |= simplify_together(&mut best, still_fails);
        changed |= simplify_ops(&mut best, still_fails);
        if !changed {
            return best;
        }
    }
}

/// Finds the shortest failing prefix by bisection: a deterministic subject fails at one op, and what follows is no cause.
fn cut_tail<C: Rig>(best: &mut Trace<C>, still_fails: &mut dyn FnMut(&Trace<C>) -> bool) {
    let (mut low, mut high) = (0, best.ops.len());
    while low < high {
        let middle = low.midpoint(high);
        let candidate = Trace { setup: best.setup.clone(), ops: best.ops[..middle].to_vec() };
        if still_fails(&candidate) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if high < best.ops.len() {
        best.ops.truncate(high);
    }
}

/// Removes runs of ops, longer ones first (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
/// 2002), from the end on: the op at fault is last, its causes tend to be near.
fn remove_ops<C: Rig>(best: &mut Trace<C>, still_fails: &mut dyn FnMut(&Trace<C>) -> bool) -> bool {
    let mut changed = false;
    let mut length = (best.ops.len() / 2).max(1);
    loop {
        let mut end = best.ops.len();
        while 0 < end {
            let start = end.saturating_sub(length);
            let mut ops = best.ops[..start].to_vec();
            ops.extend_from_slice(&best.ops[end..]);
            let candidate = Trace { setup: best.setup.clone(), ops };
            if still_fails(&candidate) {
                *best = candidate;
                changed = true;
            }
            end = start;
        }
        if length == 1 {
            return changed;
        }
        length /= 2;
    }
}

fn simplify_setup<C: Rig>(best: &mut Trace<C>, still_fails: &mut dyn FnMut(&Trace<C>) -> bool) -> bool {
    let mut changed = false;
    'again: loop {
        for setup in C::simpler_setups(&best.setup) {
            let candidate = Trace { setup, ops: best.ops.clone() };
            if still_fails(&candidate) {
                *best = candidate;
                changed = true;
                continue 'again;
            }
        }
        return changed;
    }
}

fn simplify_together<C: Rig>(best: &mut Trace<C>, still_fails: &mut dyn FnMut(&Trace<C>) -> bool) -> bool {
    let mut changed = false;
    'again: loop {
        for (setup, ops) in C::simpler_together(&best.setup, &best.ops) {
            let candidate = Trace { setup, ops };
            if still_fails(&candidate) {
                *best = candidate;
                changed = true;
                continue 'again;
            }
        }
        return changed;
    }
}

fn simplify_ops<C: Rig>(best: &mut Trace<C>, still_fails: &mut dyn FnMut(&Trace<C>) -> bool) -> bool {
    let mut changed = false;
    for index in (0..best.ops.len()).rev() {
        'again: loop {
            for op in C::simpler_ops(&best.setup, &best.ops[index]) {
                let mut candidate = best.clone();
                candidate.ops[index] = op;
                if still_fails(&candidate) {
                    *best = candidate;
                    changed = true;
                    continue 'again;
                }
            }
            break;
        }
    }
    changed
}
