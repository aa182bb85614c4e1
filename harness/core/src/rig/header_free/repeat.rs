//! Ops over and over, a slot further each time, so that counts and tables come to their end: tombstones of the
//! registry, free lists, mappings that the kernel does not take back. Does not draw what is repeated.

use memtwin_models::header_free::{Op, Slot};

/// The most ops that are repeated together.
pub(super) const MOST_OPS: usize = 4;

/// Some ops, each as often as the others, and where they stand.
#[derive(Debug, Clone, Default)]
pub(super) struct Repeat {
    ops: [Option<Op>; MOST_OPS],
    count: usize,
    /// How many slots the trace uses.
    slots: u32,
    /// How many ops are still to come.
    left: u32,
    /// How often each was given out.
    round: u32,
    at: usize,
}

impl Repeat {
    /// Nothing is repeated from here on.
    pub(super) fn begin_trace(&mut self, slots: u32) {
        (self.slots, self.count, self.left, self.round, self.at) = (slots, 0, 0, 0, 0);
    }

    /// One more op that is to be repeated.
    pub(super) fn add(&mut self, op: Op) {
        self.ops[self.count % MOST_OPS] = Some(op);
        self.count = (self.count + 1).min(MOST_OPS);
    }

    /// How often each is repeated.
    pub(super) fn begin(&mut self, rounds: u32) {
        self.left = rounds * u32::try_from(self.count).unwrap_or(0);
    }

    /// The next op, as many slots further as there were rounds.
    pub(super) fn next(&mut self) -> Option<Op> {
        self.left = self.left.checked_sub(1)?;
        let mut op = self.ops[self.at].clone()?;
        if let Some(slot) = op.slot_mut() {
            let index = (u32::from(u8::from(*slot)) + self.round) % self.slots.max(1);
            *slot = Slot::new_folded(index.to_le_bytes()[0]);
        }
        self.at += 1;
        if self.at == self.count {
            (self.at, self.round) = (0, self.round + 1);
        }
        Some(op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_op_is_repeated_as_often_as_the_others_a_slot_further() {
        let verify = |slot| Op::Verify { slot: Slot::new_folded(slot) };
        let mut repeat = Repeat::default();
        repeat.begin_trace(6);
        assert_eq!(repeat.next(), None);
        repeat.add(Op::Stats);
        repeat.add(verify(5));
        repeat.begin(2);
        let all: Vec<Op> = std::iter::from_fn(|| repeat.next()).collect();
        assert_eq!(all, [Op::Stats, verify(5), Op::Stats, verify(0)]);
        repeat.begin_trace(6);
        assert_eq!(repeat.next(), None);
    }
}
