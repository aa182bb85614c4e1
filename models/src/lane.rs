//! Lanes: the threads of a trace, by their numbers. They take turns, so a lane says who carries out an op and nothing
//! of when.

/// The most threads that a trace of any component may have.
pub const MOST_LANES: u8 = 4;

/// A thread of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lane(u8);

impl Lane {
    /// The thread that a trace begins on, and the only one that never ends.
    pub const FIRST: Lane = Lane(0);

    /// The lane with this number, folded below `lanes`.
    #[inline]
    #[must_use]
    pub const fn new_folded(number: u8, lanes: u8) -> Self {
        let most = if lanes < MOST_LANES { lanes } else { MOST_LANES };
        Lane(if most == 0 { 0 } else { number % most })
    }

    /// The lane as an index.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<Lane> for u8 {
    fn from(lane: Lane) -> Self {
        lane.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_folded_below_the_lanes_that_there_are() {
        for number in 0..=u8::MAX {
            assert_eq!(Lane::new_folded(number, 1), Lane::FIRST);
            assert_eq!(Lane::new_folded(number, 0), Lane::FIRST);
            assert_eq!(u8::from(Lane::new_folded(number, 3)), number % 3);
            assert!(Lane::new_folded(number, u8::MAX).index() < usize::from(MOST_LANES));
        }
    }
}
