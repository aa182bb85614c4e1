//! Page walks that are broken in a way that the catalogue does not have.

mod bounds;

use memtwin_models::Row;
use memtwin_models::page_walk::PageWalk;
use memtwin_subjects::page_walk::subject::Host;

/// All of them.
pub(crate) static ROWS: &[Row<PageWalk>] =
    &[Row::of::<Host<bounds::EndOfBackingRefused>>(), Row::of::<Host<bounds::EmptyElementsRefused>>()];
