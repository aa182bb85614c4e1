//! What other users of `brk` got, by address. Does not know what they put there.

/// Ranges of addresses, in their order, none of which meets another.
#[derive(Debug, Clone)]
pub(super) struct Neighbours {
    ranges: Vec<(u64, u64)>,
}

/// Room for what traces do; more is possible and costs an allocation.
const USUAL_RANGES: usize = 64;

impl Neighbours {
    pub(super) fn new() -> Self {
        Neighbours { ranges: Vec::with_capacity(USUAL_RANGES) }
    }

    /// Forgets everything and keeps the room.
    pub(super) fn clear(&mut self) {
        self.ranges.clear();
    }

    /// Somebody moved the break from one address to a higher one.
    pub(super) fn add(&mut self, low: u64, high: u64) {
        match self.ranges.last_mut() {
            Some((_, end)) if *end == low => *end = high,
            Some(_) | None => self.ranges.push((low, high)),
        }
    }

    /// Nothing of them lies beyond the break.
    pub(super) fn end_at(&mut self, program_break: u64) {
        while let Some((low, high)) = self.ranges.last_mut() {
            *high = program_break.min(*high);
            if *low < *high {
                break;
            }
            self.ranges.pop();
        }
    }

    /// The end of the highest of them, 0 where there is none.
    pub(super) fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |(_, high)| *high)
    }

    /// The first address of theirs in a block.
    #[inline]
    pub(super) fn first_in(&self, address: u64, size: u64) -> Option<u64> {
        let end = address.saturating_add(size);
        let meets = |(low, high): &&(u64, u64)| *low < end && address < *high && size != 0;
        self.ranges.iter().find(meets).map(|(low, _)| address.max(*low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_got_is_known_until_it_is_given_back() {
        let mut neighbours = Neighbours::new();
        neighbours.add(100, 200);
        neighbours.add(200, 300);
        neighbours.add(400, 500);
        assert_eq!(neighbours.first_in(0, 100), None);
        assert_eq!(neighbours.first_in(0, 101), Some(100));
        assert_eq!(neighbours.first_in(299, 1), Some(299));
        assert_eq!(neighbours.first_in(300, 100), None);
        assert_eq!((neighbours.first_in(450, 0), neighbours.first_in(u64::MAX, 9)), (None, None));
        neighbours.end_at(250);
        assert_eq!((neighbours.end(), neighbours.first_in(240, u64::MAX)), (250, Some(240)));
        neighbours.end_at(100);
        assert_eq!((neighbours.end(), neighbours.first_in(0, u64::MAX)), (0, None));
    }
}
