//! The live blocks by their addresses: an open table that lives in memory of the recorder's own. It holds what a block
//! was asked for, and judges nothing.
//!
//! A block's home is its address in steps of 16 bytes, without mixing: neighbours in memory are neighbours in the
//! table, so that a small program touches few of its pages.

use crate::words::Words;

/// The places of the table, as a power of two.
const EXPONENT: u32 = 22;
/// The most places that are looked at for one block. Blocks further from their home are not known.
const MOST_PROBES: usize = 1 << 14;
const EMPTY: u64 = 0;
/// Where a block was: those behind it are still found. No block begins at this address.
const GONE: u64 = 1;

/// A live block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) address: u64,
    pub(crate) number: u32,
    pub(crate) size: u64,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// Addresses and numbers, in turn.
    entries: Words,
    /// The sizes asked for: apart, because only the judge asks.
    sizes: Option<Words>,
}

impl Blocks {
    pub(crate) fn reserve(with_sizes: bool) -> Option<Self> {
        let sizes = if with_sizes { Some(Words::reserve(EXPONENT)?) } else { None };
        Some(Blocks { entries: Words::reserve(EXPONENT + 1)?, sizes })
    }

    #[allow(clippy::cast_possible_truncation)] // addresses have the size of a pointer
    const fn home(address: u64) -> usize {
        (address >> 4) as usize
    }

    fn place(&self, address: u64) -> Option<usize> {
        if address <= GONE {
            return None;
        }
        for place in Self::home(address)..Self::home(address) + MOST_PROBES {
            match self.entries.get(2 * place) {
                EMPTY => return None,
                known if known == address => return Some(place),
                _ => {}
            }
        }
        None
    }

    #[allow(clippy::cast_possible_truncation)] // the word was a number
    fn at(&self, place: usize) -> Block {
        Block {
            address: self.entries.get(2 * place),
            number: self.entries.get(2 * place + 1) as u32,
            size: self.sizes.as_ref().map_or(0, |sizes| sizes.get(place)),
        }
    }

    /// The live block that begins at this address.
    #[inline]
    pub(crate) fn find(&self, address: u64) -> Option<Block> {
        self.place(address).map(|place| self.at(place))
    }

    /// The block is live; one that began at the same address is so no more. Whether there was room.
    #[inline]
    pub(crate) fn put(&mut self, block: Block) -> bool {
        let home = Self::home(block.address);
        let found = (home..home + MOST_PROBES).find(|place| {
            let known = self.entries.get(2 * place);
            known <= GONE || known == block.address
        });
        let Some(place) = found else { return false };
        self.entries.set(2 * place, block.address);
        self.entries.set(2 * place + 1, block.number.into());
        if let Some(sizes) = &mut self.sizes {
            sizes.set(place, block.size);
        }
        true
    }

    /// The block that begins at this address is live no more.
    #[inline]
    pub(crate) fn take(&mut self, address: u64) -> Option<Block> {
        let mut place = self.place(address)?;
        let block = self.at(place);
        if self.entries.get(2 * (place + 1)) != EMPTY {
            self.entries.set(2 * place, GONE);
            return Some(block);
        }
        // Nobody is looked for beyond an empty place, so those that blocks have left before it are empty, too.
        loop {
            self.entries.set(2 * place, EMPTY);
            place = place.wrapping_sub(1);
            if self.entries.get(2 * place) != GONE {
                return Some(block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::collections::hash_map::Entry;

    fn block(address: u64, number: u32) -> Block {
        Block { address, number, size: u64::from(number) + 1 }
    }

    #[test]
    fn what_was_put_is_found_until_it_is_taken() {
        // Few homes, many addresses for each: table length apart, and in the same 16 bytes.
        let mut blocks = Blocks::reserve(true).unwrap();
        let mut twin: HashMap<u64, Block> = HashMap::new();
        let mut state = 1_u64;
        for number in 0..200_000 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let draw = state >> 33;
            let address = 0x5000_0000 + (draw % 64) * 8 + ((draw >> 8) % 4) * (16 << EXPONENT);
            assert_eq!(blocks.find(address), twin.get(&address).copied());
            if draw & (1 << 20) == 0 {
                assert_eq!(blocks.take(address), twin.remove(&address));
            } else if let Entry::Vacant(place) = twin.entry(address) {
                assert!(blocks.put(*place.insert(block(address, number))));
            }
        }
        for address in twin.keys() {
            assert_eq!(blocks.take(*address), twin.get(address).copied());
        }
        // Nothing is left, not even places where blocks were.
        let home = Blocks::home(0x5000_0000);
        assert!((home - 64..home + 4096).all(|place| blocks.entries.get(2 * place) <= GONE));
    }

    #[test]
    fn a_block_at_the_end_of_the_table_goes_round() {
        let mut blocks = Blocks::reserve(false).unwrap();
        let last = (16 << EXPONENT) - 16;
        for number in 0..4 {
            assert!(blocks.put(block(last + u64::from(number) * (16 << EXPONENT), number)));
        }
        for number in 0..4 {
            let found = blocks.take(last + u64::from(number) * (16 << EXPONENT)).unwrap();
            assert_eq!(found.number, number);
        }
    }

    #[test]
    fn a_block_for_which_there_is_no_room_is_refused() {
        let mut blocks = Blocks::reserve(false).unwrap();
        let address = |number: u32| 0x1000 + u64::from(number) * (16 << EXPONENT);
        let most = u32::try_from(MOST_PROBES).unwrap();
        assert!((0..most).all(|number| blocks.put(block(address(number), number))));
        assert!(!blocks.put(block(address(most), most)));
        assert_eq!(blocks.find(address(most)), None);
        assert_eq!(blocks.take(address(most - 1)).unwrap().number, most - 1);
    }
}
