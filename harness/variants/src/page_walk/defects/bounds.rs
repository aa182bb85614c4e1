//! A bound that is one off, at one of the places where there is such a bound.

use memtwin_models::Health;
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
