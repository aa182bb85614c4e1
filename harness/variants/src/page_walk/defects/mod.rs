//! Page walks that are broken in a way that the catalogue does not have: each in one of several places that are alike.

mod bounds;
mod memory;
mod pages;

use memtwin_models::Row;
use memtwin_models::page_walk::PageWalk;
use memtwin_subjects::page_walk::subject::Host;

/// All of them.
pub(crate) static ROWS: &[Row<PageWalk>] = &[
    Row::of::<Host<bounds::EndOfBackingRefused>>(),
    Row::of::<Host<bounds::EmptyElementsRefused>>(),
    Row::of::<Host<bounds::LastLeafTooMuch>>(),
    Row::of::<Host<bounds::PatIsReserved>>(),
    Row::of::<Host<pages::FirstPageAlone>>(),
    Row::of::<Host<pages::UserBitOfLeaf>>(),
    Row::of::<Host<pages::HostOrderIgnored>>(),
    Row::of::<Host<pages::OnlyFilesListed>>(),
    Row::of::<Host<pages::UnmapWaits>>(),
    Row::of::<Host<pages::CowIsWritable>>(),
    Row::of::<Host<pages::TablesReadOnly>>(),
    Row::of::<Host<memory::GuestWritesSnapshot>>(),
    Row::of::<Host<memory::GenerationNeverFalls>>(),
    Row::of::<Host<memory::FilesNeverGo>>(),
    Row::of::<Host<memory::PopWipesTooMuch>>(),
    Row::of::<Host<memory::AbsentIsPresent>>(),
];
