//! Guest memories that are broken in a way that the catalogue does not have.

mod calls;
mod edges;
mod ranges;

use memtwin_models::Row;
use memtwin_models::guest_memory::GuestMemory;
use memtwin_subjects::guest_memory::deviation::Deviating;
use memtwin_subjects::guest_memory::hardened::SoftMmu;
use memtwin_subjects::guest_memory::region_deviation::WrongRegions;
use memtwin_subjects::guest_memory::subject::Adapter;

/// All of them.
pub(crate) static ROWS: &[Row<GuestMemory>] = &[
    Row::of::<Adapter<Deviating<edges::LastByteIsKept>>>(),
    Row::of::<Adapter<Deviating<edges::OddAddressLosesTop>>>(),
    Row::of::<Adapter<Deviating<edges::LongWriteEndsEarly>>>(),
    Row::of::<Adapter<Deviating<calls::ReadsOverPart>>>(),
    Row::of::<Adapter<Deviating<calls::EmptyHasLastByte>>>(),
    Row::of::<Adapter<Deviating<calls::DoubleIsTwoWords>>>(),
    Row::of::<Adapter<Deviating<calls::LogHasRoomForSixteen>>>(),
    Row::of::<Adapter<Deviating<calls::FailedExchangeEchoes>>>(),
    Row::of::<Adapter<SoftMmu<WrongRegions<ranges::LastByteIsOutside>>>>(),
    Row::of::<Adapter<SoftMmu<WrongRegions<ranges::SecondPartFromFirst>>>>(),
    Row::of::<Adapter<SoftMmu<WrongRegions<ranges::FourthRangeIsForgotten>>>>(),
];
