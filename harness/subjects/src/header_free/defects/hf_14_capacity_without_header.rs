//! HF-14: a slab's capacity is computed without the byte before each block.
//!
//! The last blocks of a full slab lie beyond its end.

use super::super::deviation::Deviation;
use super::super::tiny::Shape;
use memtwin_models::Health;
use memtwin_models::header_free::SLAB_BYTES;

/// The deviation.
#[derive(Debug)]
pub struct Hf14;

impl Deviation for Hf14 {
    const HEALTH: Health = Health::defect(
        "HF-14",
        "a slab is taken to hold as many blocks as without the byte before each, and the last ones run over its end",
    );

    fn capacity(shape: &Shape) -> u64 {
        SLAB_BYTES / shape.class_bytes
    }
}
