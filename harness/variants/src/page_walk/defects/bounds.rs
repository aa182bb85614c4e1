//! A bound that is one off, at one of the places where there is such a bound.

use memtwin_models::Health;
use memtwin_models::page_walk::WorkBounds;
use memtwin_models::page_walk::translate::{ADDRESS, shift};
use memtwin_subjects::page_walk::deviation::Deviation;

/// A host access that ends where its backing ends is refused.
#[derive(Debug)]
pub(crate) struct EndOfBackingRefused;

impl Deviation for EndOfBackingRefused {
    const NAME: &'static str = "end_of_backing_refused";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a host read that ends where its backing ends is refused: the end is taken for an offset that must lie \
                inside",
    };

    fn fits(offset: u64, length: u64, size: u64) -> bool {
        offset.checked_add(length).is_some_and(|end| end < size)
    }
}

/// An element of no bytes cannot be popped.
#[derive(Debug)]
pub(crate) struct EmptyElementsRefused;

impl Deviation for EmptyElementsRefused {
    const NAME: &'static str = "empty_elements_refused";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "an element of no bytes can be pushed and not popped: its start must lie before its end",
    };

    fn is_back_pointer(start: u64, end: u64) -> bool {
        8 <= start && start < end
    }
}

/// The last leaf that is allowed is too much; table visits are counted right.
#[derive(Debug)]
pub(crate) struct LastLeafTooMuch;

impl Deviation for LastLeafTooMuch {
    const NAME: &'static str = "last_leaf_too_much";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a walk of as many leaves as the bound allows is refused: the bound is taken for the first that is too \
                many",
    };

    fn is_within_bounds(bounds: WorkBounds, visits: u64, leaves: u64) -> bool {
        visits <= bounds.table_visits() && leaves < bounds.leaves()
    }
}

/// Bit 12 of a large leaf counts as reserved.
#[derive(Debug)]
pub(crate) struct PatIsReserved;

impl Deviation for PatIsReserved {
    const NAME: &'static str = "pat_is_reserved";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a large page with bit 12 is missing: it is PAT there, and taken for a reserved bit of the address",
    };

    fn is_valid_large(entry: u64, level: u32) -> bool {
        level < 3 && entry & ADDRESS & ((1 << shift(level)) - 1) == 0
    }
}
