//! HF-25: a thread that ends takes with it what others had freed of its SuperSlabs.
//!
//! The list was for the owner to collect, and nobody is the owner any more.

use super::super::deviation::Deviation;
use super::super::tiny::Lists;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf25;

impl Deviation for Hf25 {
    const HEALTH: Health =
        Health::defect("HF-25", "what other threads had freed of a SuperSlab is lost when its owner ends");

    fn leave(lists: &mut Lists) {
        lists.remote.clear();
    }
}
