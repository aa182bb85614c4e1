//! A table that kinds of ops are drawn from by weight, with one random byte. It draws nothing itself.

/// The places of a table: a byte names each of them.
const PLACES: usize = 256;

/// Choices, each in as many places as its weight says.
#[derive(Debug, Clone)]
pub(crate) struct WeightedTable<T> {
    places: [T; PLACES],
}

impl<T: Copy> WeightedTable<T> {
    /// A table of one choice.
    pub(crate) const fn of(only: T) -> Self {
        WeightedTable { places: [only; PLACES] }
    }

    /// Fills the table by the weights of the choices, in their order. If no choice has any, the table stays as it is.
    pub(crate) fn fill(&mut self, weights: &[u32], choices: &[T]) {
        let total: u32 = weights.iter().sum::<u32>().max(1);
        let mut index = 0;
        let mut upper = 0;
        for (weight, choice) in weights.iter().zip(choices) {
            upper += weight;
            // Rounding up keeps rare choices in the table.
            let end = (upper as usize * PLACES).div_ceil(total as usize).min(PLACES);
            if index < end {
                self.places[index..end].fill(*choice);
                index = end;
            }
        }
    }

    /// The choice at a place.
    #[inline]
    pub(crate) fn at(&self, place: u8) -> T {
        self.places[usize::from(place)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept_and_rare_choices_stay() {
        let mut table = WeightedTable::of('z');
        table.fill(&[0, 0], &['a', 'b']);
        assert_eq!(table.at(0), 'z');
        table.fill(&[3, 0, 1, 40_000], &['a', 'b', 'c', 'd']);
        let count = |choice| (0..=255).filter(|place| table.at(*place) == choice).count();
        assert_eq!(['a', 'b', 'c', 'd'].map(count), [1, 0, 0, 255]);
        table.fill(&[3, 0, 1], &['a', 'b', 'c']);
        assert_eq!(table.at(191), 'a');
        assert_eq!(table.at(192), 'c');
    }
}
