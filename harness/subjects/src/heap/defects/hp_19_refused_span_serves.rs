//! HP-19: a span whose memory the system refused is registered all the same.
//!
//! The next request of its class is served from memory that is not there (kinds of jemalloc and hardened_malloc).

use super::super::paged::deviation::Deviation;
use super::super::paged::{Heap, Span};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp19;

impl Deviation for Hp19 {
    const HEALTH: Health = Health::defect("HP-19", "a span whose memory the system refused is registered all the same");

    fn refused(heap: &mut Heap<Self>, span: Span) {
        heap.register_without_memory(span);
    }
}
