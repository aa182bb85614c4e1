//! Guest memories whose atomic accesses and logs of written pages are right in another way than the hardened code's.

use super::equivalents::FLAT;
use memtwin_models::guest_memory::{DIRTY_PAGE_BYTES, GuestMemory, GuestMemoryContract};
use memtwin_models::{Health, Row};
use memtwin_subjects::guest_memory::deviation::{Deviating, Deviation};
use memtwin_subjects::guest_memory::hardened::{
    Atomics as _, DumpError, Exchanged, GuestPhysAddr, ImageError, MemoryAccess as _, PageImage, SoftMmu, VmError,
    WriteLog as _,
};
use memtwin_subjects::guest_memory::subject::Adapter;

/// All of them.
pub(crate) static ROWS: &[Row<GuestMemory>] = &[
    Row::of::<Adapter<Deviating<LogDescending>>>(),
    Row::of::<Adapter<Deviating<HalvesOfPages>>>(),
    Row::of::<Adapter<Deviating<DumpGoesOn>>>(),
    Row::of::<Adapter<Deviating<NeighboursToo>>>(),
    Row::of::<Adapter<Deviating<ExchangeInTwoSteps>>>(),
];

/// The pages of the log.
fn logged(mmu: &SoftMmu) -> Vec<GuestPhysAddr> {
    let mut pages = Vec::new();
    mmu.dirty_log(&mut |page| pages.push(page));
    pages
}

/// The log is shown from its last page on.
#[derive(Debug)]
pub(crate) struct LogDescending;

impl Deviation for LogDescending {
    const NAME: &'static str = "log_descending";
    const HEALTH: Health = Health::Sound;

    fn dirty_log(mmu: &SoftMmu, visit: &mut dyn FnMut(GuestPhysAddr)) {
        logged(mmu).into_iter().rev().for_each(visit);
    }

    fn take_dirty_log(mmu: &mut SoftMmu, visit: &mut dyn FnMut(GuestPhysAddr)) {
        let mut pages = Vec::new();
        mmu.take_dirty_log(&mut |page| pages.push(page));
        pages.into_iter().rev().for_each(visit);
    }
}

/// An image that gets each page in two halves, the upper one first.
struct Halves<'a>(&'a mut dyn PageImage);

impl PageImage for Halves<'_> {
    fn write(&mut self, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), ImageError> {
        let (low, high) = bytes.split_at(bytes.len() / 2);
        self.0.write(GuestPhysAddr::new(pa.get() + low.len() as u64), high)?;
        if low.is_empty() { Ok(()) } else { self.0.write(pa, low) }
    }
}

/// Pages are dumped in halves.
#[derive(Debug)]
pub(crate) struct HalvesOfPages;

impl Deviation for HalvesOfPages {
    const NAME: &'static str = "halves_of_pages";
    const HEALTH: Health = Health::Sound;

    fn dump_dirty(mmu: &mut SoftMmu, image: &mut dyn PageImage) -> Result<(), DumpError> {
        mmu.dump_dirty(&mut Halves(image))
    }
}

/// A dump goes on behind a page that is refused, and empties the log in a step of its own.
#[derive(Debug)]
pub(crate) struct DumpGoesOn;

impl Deviation for DumpGoesOn {
    const NAME: &'static str = "dump_goes_on";
    const HEALTH: Health = Health::Sound;

    fn dump_dirty(mmu: &mut SoftMmu, image: &mut dyn PageImage) -> Result<(), DumpError> {
        let mut dumped = Ok(());
        for page in logged(mmu) {
            let length = (mmu.memory_size() - page.get()).min(DIRTY_PAGE_BYTES);
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
            mmu.memory().load_bulk(page, &mut bytes).map_err(DumpError::Memory)?;
            dumped = image.write(page, &bytes).map_err(DumpError::Image).and(dumped);
        }
        if dumped.is_ok() {
            mmu.take_dirty_log(&mut |_page| ());
        }
        dumped
    }
}

/// The log is of pages of 8192 bytes, shown as two of 4096.
#[derive(Debug)]
pub(crate) struct NeighboursToo;

impl Deviation for NeighboursToo {
    const NAME: &'static str = "neighbours_too";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { dirty_extra: true, ..FLAT };

    fn dirty_log(mmu: &SoftMmu, visit: &mut dyn FnMut(GuestPhysAddr)) {
        let pages = logged(mmu);
        let neighbours = pages.iter().map(|page| GuestPhysAddr::new(page.get() ^ DIRTY_PAGE_BYTES));
        let are_new = neighbours.filter(|page| page.get() < mmu.memory_size() && !pages.contains(page));
        pages.iter().copied().chain(are_new).for_each(visit);
    }
}

/// A compare-exchange is a load and, where it fits, a store.
#[derive(Debug)]
pub(crate) struct ExchangeInTwoSteps;

impl Deviation for ExchangeInTwoSteps {
    const NAME: &'static str = "exchange_in_two_steps";
    const HEALTH: Health = Health::Sound;

    fn atomic_store(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        // What is refused, is refused as a load is.
        mmu.atomic_load(pa, size)?;
        mmu.write_bulk(pa, &value.to_le_bytes()[..usize::from(size)])
    }

    fn compare_exchange(
        mmu: &mut SoftMmu,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: u8,
    ) -> Result<Exchanged, VmError> {
        let before = mmu.atomic_load(pa, size)?;
        let differs = (before ^ expected).to_le_bytes()[..usize::from(size)].iter().any(|byte| *byte != 0);
        if differs {
            return Ok(Err(before));
        }
        mmu.atomic_store(pa, value, size)?;
        Ok(Ok(before))
    }
}
