//! HP-12: blocks that another thread freed are never collected.
//!
//! They stay in their span, which is never empty again (mimalloc, issue 1117).

use super::super::paged::Heap;
use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp12;

impl Deviation for Hp12 {
    const HEALTH: Health = Health::defect("HP-12", "blocks that another thread freed are never collected");

    fn collect(_heap: &mut Heap<Self>, _span: usize) {}
}
