//! The rig of the brk heap.

mod bump;
mod diagnosis;
mod export;
mod generate;
mod scene;
mod simplify;
mod small;
mod wire;
mod words;

pub use generate::BrkHeapGenerator;

use crate::rig::{Join, Rig};
use memtwin_models::brk_heap::BrkHeap;

impl Rig for BrkHeap {
    type Generator = BrkHeapGenerator;
}

impl Join for BrkHeap {}
