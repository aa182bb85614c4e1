//! Ops over and over, each time with operands a step further, so that counts and tables come to their end. Does not
//! draw what is repeated, and does not know what a step is.

/// The most ops that are repeated together.
pub(crate) const MOST_OPS: u32 = 4;

/// Some ops, each as often as the others, and where they stand.
#[derive(Debug, Clone)]
pub(crate) struct Repeat<O> {
    ops: [Option<O>; MOST_OPS as usize],
    count: usize,
    /// How many ops are still to come.
    left: u32,
    /// How often each was given out.
    round: u32,
    at: usize,
}

impl<O> Default for Repeat<O> {
    fn default() -> Self {
        Repeat { ops: [const { None }; MOST_OPS as usize], count: 0, left: 0, round: 0, at: 0 }
    }
}

impl<O: Clone> Repeat<O> {
    /// Nothing is repeated from here on.
    pub(crate) fn clear(&mut self) {
        (self.count, self.left, self.round, self.at) = (0, 0, 0, 0);
    }

    /// One more op that is to be repeated.
    pub(crate) fn add(&mut self, op: O) {
        self.ops[self.count % self.ops.len()] = Some(op);
        self.count = (self.count + 1).min(self.ops.len());
    }

    /// How often each is repeated.
    pub(crate) fn begin(&mut self, rounds: u32) {
        self.left = rounds * u32::try_from(self.count).unwrap_or(0);
    }

    /// The next op, which `step` takes as many steps further as there were rounds.
    pub(crate) fn next(&mut self, step: impl FnOnce(&mut O, u32)) -> Option<O> {
        self.left = self.left.checked_sub(1)?;
        let mut op = self.ops[self.at].clone()?;
        step(&mut op, self.round);
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
    fn each_op_is_repeated_as_often_as_the_others_a_step_further() {
        let mut repeat = Repeat::default();
        let next = |repeat: &mut Repeat<u32>| repeat.next(|op, round| *op += 10 * round);
        assert_eq!(next(&mut repeat), None);
        repeat.add(1);
        repeat.add(2);
        repeat.begin(2);
        let all: Vec<u32> = std::iter::from_fn(|| next(&mut repeat)).collect();
        assert_eq!(all, [1, 2, 11, 12]);
        repeat.begin(1);
        repeat.clear();
        assert_eq!(next(&mut repeat), None);
    }
}
