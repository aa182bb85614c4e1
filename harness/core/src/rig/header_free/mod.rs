//! The rig of header_free.

mod diagnosis;
mod export;
mod generate;
mod moves;
mod scene;
mod simplify;
mod small;
mod wire;
mod words;

pub use generate::HeaderFreeGenerator;

use crate::rig::{Join, Rig};
use memtwin_models::header_free::HeaderFree;

impl Rig for HeaderFree {
    type Generator = HeaderFreeGenerator;
}

impl Join for HeaderFree {}
