//! The reference model: a flat sparse array of bytes, a set of reservations, a device log.

use super::{GuestMemory, GuestMemoryContract, Op, Outcome, Setup, View};
use crate::{Depth, Model, StateMap, Verdict};

/// The model of guest memory.
#[derive(Debug)]
pub struct GuestMemoryModel {}

impl Model<GuestMemory> for GuestMemoryModel {
    fn new(_setup: &Setup, _contract: &GuestMemoryContract) -> Self {
        GuestMemoryModel {}
    }
    fn reset(&mut self, _setup: &Setup) {}
    fn judge(&mut self, _op: &Op, _seen: &Outcome) -> Verdict {
        Verdict::Agree
    }
    fn allowed(&self, _op: &Op) -> String {
        String::new()
    }
    fn survey(&self, _depth: Depth, _view: &mut View) {}
    fn audit(&self, _view: &View) -> Verdict {
        Verdict::Agree
    }
    fn features(&self, _op: &Op, _seen: &Outcome, _sink: &mut StateMap<'_>) {}
}
