//! What an explanation asks of the model: which block a byte belongs to, and what lies around an address. Nothing is
//! judged by it.

use super::super::contents::STAMP_BYTES;
use super::super::operands::Slot;
use super::super::shown::Shown;
use super::HeapModel;
use super::blocks::Block;

/// A live block, as a person may want to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldBlock {
    /// How many blocks the trace made before it.
    pub number: u64,
    /// The slot that holds it.
    pub slot: Slot,
    /// Where it begins.
    pub address: u64,
    /// The size that was asked for.
    pub size: u64,
    /// The size that the program was told to have, if that is more.
    pub granted: u64,
}

impl HeapModel {
    /// Whether blocks lie in the system's memory, so that their addresses say nothing.
    #[must_use]
    pub fn has_own_memory(&self) -> bool {
        self.contract.own_memory
    }

    /// The regions that an arena has, from their first addresses to the first ones beyond.
    pub fn regions(&self) -> impl Iterator<Item = (u64, u64)> {
        self.regions.ranges().filter(|_| !self.contract.own_memory)
    }

    /// The live blocks in the order of their addresses.
    #[must_use]
    pub fn live_blocks(&self) -> Vec<ToldBlock> {
        let mut blocks: Vec<ToldBlock> = self.blocks.iter().map(|(slot, block)| told(slot, block)).collect();
        blocks.sort_by_key(|block| (block.address, block.number));
        blocks
    }

    /// The block in a slot.
    #[must_use]
    pub fn block_of(&self, slot: Slot) -> Option<ToldBlock> {
        self.blocks.get(slot).map(|block| told(slot, block))
    }

    /// The first byte that is shown and is not what the program wrote there: its block and its offset.
    #[must_use]
    pub fn first_other(&self, shown: &Shown) -> Option<(ToldBlock, u64)> {
        shown.iter().find_map(|(window, bytes)| {
            let block = self.blocks.get(window.slot)?;
            Some((told(window.slot, block), block.first_difference(window, bytes)?))
        })
    }

    /// The block that begins with these bytes, which the program wrote.
    #[must_use]
    pub fn beginning_with(&self, bytes: [u8; STAMP_BYTES]) -> Option<ToldBlock> {
        let bits = u64::from_le_bytes(bytes);
        let mut blocks = self.blocks.iter().filter(|(_, block)| block.leading_stamp() == Some(bits));
        blocks.next().map(|(slot, block)| told(slot, block))
    }

    /// The largest gap between live blocks that an arena has.
    #[must_use]
    pub fn largest_gap(&self) -> Option<u64> {
        let mut model = self.clone();
        (!self.contract.own_memory).then(|| model.regions.largest_gap(&self.contract, &self.blocks))
    }
}

fn told(slot: Slot, block: &Block) -> ToldBlock {
    let Block { number, address, size, granted, .. } = *block;
    ToldBlock { number, slot, address, size, granted: granted.max(size) }
}
