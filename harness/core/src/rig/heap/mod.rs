//! The rig of heaps.

mod belief;
mod c_program;
mod diagnosis;
mod export;
mod generate;
mod join;
mod scene;
mod setups;
mod simplify;
mod sizes;
mod small;
#[cfg(test)]
mod tests;
mod wire;
mod words;

pub use generate::HeapGenerator;

use crate::rig::Rig;
use memtwin_models::heap::Heap;

impl Rig for Heap {
    type Generator = HeapGenerator;
}
