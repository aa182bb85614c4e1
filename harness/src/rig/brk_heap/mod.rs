//! The rig of the brk heap.

mod bump;
mod export;
mod generate;
mod scene;
mod simplify;
mod small;
mod wire;
mod words;

pub use generate::BrkHeapGenerator;

use crate::export::TestBody;
use crate::rig::{Incident, Rig, Scene, Small};
use crate::trace::wire::{Edges, Reader, Steps, Writer};
use memtwin_models::brk_heap::{BrkHeap, EDGES, Op, Outcome, PAGE_BYTES, Setup};

impl Rig for BrkHeap {
    type Frame = Edges<EDGES>;
    type Generator = BrkHeapGenerator;

    fn frame(setup: &Setup) -> Edges<EDGES> {
        // Small sizes are distances from 0; only larger ones are looked up.
        Edges::new(setup.edges(), Steps { first: 0, count: 1, length: PAGE_BYTES })
    }

    fn read_setup(reader: &mut Reader<'_>) -> Setup {
        wire::read_setup(reader)
    }

    fn write_setup(setup: &Setup, writer: &mut Writer<'_>) {
        wire::write_setup(setup, writer);
    }

    #[inline]
    fn read_op(frame: &Edges<EDGES>, reader: &mut Reader<'_>) -> Option<Op> {
        wire::read_op(frame, reader)
    }

    #[inline]
    fn write_op(frame: &Edges<EDGES>, op: &Op, writer: &mut Writer<'_>) {
        wire::write_op(frame, op, writer);
    }

    fn check_setup(setup: &Setup) -> Result<(), &'static str> {
        setup.check()
    }

    fn simpler_setups(setup: &Setup) -> Vec<Setup> {
        simplify::setups(setup)
    }

    fn simpler_ops(_setup: &Setup, op: &Op) -> Vec<Op> {
        simplify::ops(op)
    }

    fn simpler_together(setup: &Setup, ops: &[Op]) -> Vec<(Setup, Vec<Op>)> {
        simplify::together(ops).into_iter().map(|ops| (setup.clone(), ops)).collect()
    }

    fn small() -> Small<Self> {
        small::small()
    }

    fn setup_words(setup: &Setup) -> String {
        words::setup(setup)
    }

    fn op_words(op: &Op) -> String {
        words::op(op)
    }

    fn seen_words(op: &Op, seen: &Outcome) -> String {
        words::seen(op, seen)
    }

    fn scene(scene: &Scene<'_, Self>) -> Vec<String> {
        scene::lines(scene)
    }

    fn state_words(scene: &Scene<'_, Self>) -> String {
        scene::state_words(scene)
    }

    fn diagnose(incident: &Incident<'_, Self>) -> Option<String> {
        scene::diagnose(incident)
    }

    fn rust_test(_setup: &Setup, ops: &[Op]) -> Result<TestBody, &'static str> {
        export::rust_test(ops)
    }
}
