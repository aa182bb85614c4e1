//! The rig of guest memory.

mod diagnosis;
mod export;
mod generate;
mod scene;
mod setups;
mod simplify;
mod small;
mod wire;
mod words;
mod written;

pub use generate::{GuestMemoryGenerator, Mix};

use crate::rig::{Join, Rig};
use memtwin_models::guest_memory::GuestMemory;

impl Rig for GuestMemory {
    type Generator = GuestMemoryGenerator;
}

impl Join for GuestMemory {}
