//! Random numbers with a stable stream: xoshiro256++ with reductions of our own, so that neither the platform nor a
//! newer version of a library changes what a seed means.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    stream: Xoshiro256PlusPlus,
}

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Random { stream: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// A number below `limit`, by multiply and shift (Lemire, "Fast Random Integer Generation in an Interval", 2019);
    /// the bias is below `limit / 2^32`. A limit of 0 gives 0.
    #[inline]
    pub fn below(&mut self, limit: u32) -> u32 {
        let high_half = self.bits() >> 32;
        ((high_half * u64::from(limit)) >> 32) as u32
    }

    /// True once in `n` times.
    #[inline]
    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// One of the choices, which are not empty.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // nobody lists four billion choices
    pub fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }

    /// A number of random magnitude: as many bits as chance says, up to `bits`.
    #[inline]
    pub fn magnitude(&mut self, bits: u32) -> u64 {
        let width = self.below(bits + 1);
        self.bits() & ((1_u64.checked_shl(width).unwrap_or(0)).wrapping_sub(1))
    }
}

/// A seed that nobody chose.
#[must_use]
pub fn random_seed() -> u64 {
    #[cfg(feature = "rand")]
    return rand::random();
    // The standard library keys its hash maps with numbers from the system.
    #[cfg(not(feature = "rand"))]
    return std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
}

/// Mixes two numbers into a seed (the finaliser of SplitMix64: Steele, Lea and Flood, 2014).
#[must_use]
pub fn mix(left: u64, right: u64) -> u64 {
    let mut z = left.rotate_left(32) ^ right.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number for a name (FNV-1a), to give each subject a stream of its own.
#[must_use]
pub fn hash_name(name: &str) -> u64 {
    hash_bytes(name.as_bytes())
}

/// A number for bytes (FNV-1a), which another single byte always changes.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this fails, every recorded seed has lost its meaning.
    #[test]
    fn the_stream_is_frozen() {
        let mut random = Random::new(7);
        let drawn: Vec<u32> = (0..8).map(|_| random.below(1000)).collect();
        assert_eq!(drawn, [55, 172, 717, 427, 963, 465, 723, 329]);
        assert_eq!((mix(1, 2), hash_name("guest_memory")), (0x37ad_5fdd_5756_bd3d, 0x2a29_1190_e136_d9e7));
    }
}
