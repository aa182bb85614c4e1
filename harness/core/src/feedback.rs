//! What is new about a trace: features of the state map in classes of magnitude, and the traces that reached them
//! first. The classes are those of AFL and libFuzzer (1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more). Does not look
//! at what a feature means.

use memtwin_models::StateMap;

/// A feature in a class of magnitude: `feature * 8 + class`.
pub type Reached = u16;
const _: () = assert!(StateMap::SIZE * 8 <= 1 << 16);

/// The class of a count that is not zero.
const fn class_of(count: u8) -> u8 {
    match count {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4..=7 => 3,
        8..=15 => 4,
        16..=31 => 5,
        32..=127 => 6,
        128..=255 => 7,
    }
}

/// Which features were reached in which classes, and how many traces reached each feature.
#[derive(Debug, Clone)]
pub struct Reach {
    /// A bit for each class.
    classes: Box<[u8; StateMap::SIZE]>,
    traces: Box<[u32; StateMap::SIZE]>,
}

impl Default for Reach {
    fn default() -> Self {
        Reach { classes: Box::new([0; StateMap::SIZE]), traces: Box::new([0; StateMap::SIZE]) }
    }
}

impl Reach {
    /// Notes what one trace reached, clears its map for the next, and lists what is new. Says whether anything is.
    pub fn note(&mut self, map: &mut [u8; StateMap::SIZE], new: &mut Vec<Reached>) -> bool {
        const STRIDE: usize = 16;
        new.clear();
        for (stride, chunk) in map.chunks_exact_mut(STRIDE).enumerate() {
            let Some(chunk) = chunk.as_mut_array::<STRIDE>() else { continue };
            if *chunk == [0; STRIDE] {
                continue;
            }
            for (offset, count) in chunk.iter().enumerate().filter(|(_, count)| **count != 0) {
                let feature = stride * STRIDE + offset;
                self.traces[feature] = self.traces[feature].saturating_add(1);
                let class = class_of(*count);
                if self.classes[feature] >> class & 1 == 0 {
                    self.classes[feature] |= 1 << class;
                    new.push(reached(feature, class));
                }
            }
            *chunk = [0; STRIDE];
        }
        !new.is_empty()
    }

    /// Notes what a trace of another worker reached; says whether any of it is new.
    pub fn adopt(&mut self, reached: &[Reached]) -> bool {
        let mut is_new = false;
        for pair in reached {
            let (feature, class) = (usize::from(pair >> 3), pair & 7);
            self.traces[feature] = self.traces[feature].saturating_add(1);
            is_new |= self.classes[feature] >> class & 1 == 0;
            self.classes[feature] |= 1 << class;
        }
        is_new
    }

    /// How many traces reached the rarest of these features.
    #[must_use]
    pub fn rarest(&self, reached: &[Reached]) -> u32 {
        reached.iter().map(|pair| self.traces[usize::from(pair >> 3)]).min().unwrap_or(u32::MAX)
    }

    /// The number of features that were reached.
    #[must_use]
    pub fn features(&self) -> usize {
        self.classes.iter().filter(|&&classes| classes != 0).count()
    }
}

#[allow(clippy::cast_possible_truncation)] // the map is small: see above
const fn reached(feature: usize, class: u8) -> Reached {
    (feature * 8) as u16 | class as u16
}

/// Every feature of a map in its class; the map is cleared.
pub(crate) fn take_reached(map: &mut [u8; StateMap::SIZE]) -> impl Iterator<Item = Reached> + '_ {
    let hit = map.iter_mut().enumerate().filter(|(_, count)| **count != 0);
    hit.map(|(feature, count)| reached(feature, class_of(std::mem::take(count))))
}

/// A trace that reached something first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The wire bytes.
    pub wire: Vec<u8>,
    /// What it reached first.
    pub reached: Vec<Reached>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_new_once() {
        let mut reach = Reach::default();
        let mut new = Vec::new();
        let mut map = [0; StateMap::SIZE];
        map[17] = 1;
        map[StateMap::SIZE - 1] = 200;
        assert!(reach.note(&mut map, &mut new));
        assert_eq!(new, [17 * 8, (8191 << 3) | 7]);
        assert_eq!(map, [0; StateMap::SIZE]);
        map[17] = 1;
        assert!(!reach.note(&mut map, &mut new));
        map[17] = 5;
        assert!(reach.note(&mut map, &mut new));
        assert_eq!((reach.rarest(&[17 * 8, 8191 << 3]), reach.features()), (1, 2));
        assert!(!reach.adopt(&[17 * 8 + 3]));
        assert!(reach.adopt(&[17 * 8 + 4]));
    }
}
