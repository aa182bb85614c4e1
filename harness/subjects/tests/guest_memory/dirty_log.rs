//! The log of written pages loses none: not where a page is shared by two regions, not where an image refuses or
//! panics, and not to a store by another thread in the middle of a dump.

use memtwin_subjects::guest_memory::hardened::{
    Alignment, DumpError, GuestPhysAddr, ImageError, MemoryAccess as _, OwnerIndex, PageImage, PhysicalMemory,
    RegionMemory, SoftMmu, WriteLog,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

const PAGE_BYTES: usize = 4096;

/// Memory beside the one that is dumped, whose writes may fail.
struct Copy {
    bytes: Vec<u8>,
    refuses: Option<u64>,
    panics: Option<u64>,
}

impl Copy {
    fn new(bytes: usize) -> Self {
        Copy { bytes: vec![0; bytes], refuses: None, panics: None }
    }
}

impl PageImage for Copy {
    fn write(&mut self, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), ImageError> {
        assert!(self.panics != Some(pa.get()), "the image fails for good");
        if self.refuses == Some(pa.get()) {
            return Err(ImageError);
        }
        let start = usize::try_from(pa.get()).unwrap();
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

fn pages(memory: &impl WriteLog) -> Vec<u64> {
    let mut pages = Vec::new();
    memory.dirty_log(&mut |page| pages.push(page.get()));
    pages
}

#[test]
fn regions_that_share_a_page_have_it_once() {
    let layout = [(0xf00, 0x180), (0x1080, 0x80), (0x5000, 0x2000), (u64::MAX - 8, 8)];
    let memory = RegionMemory::new(layout.map(|(base, bytes)| (GuestPhysAddr::new(base), bytes))).unwrap();
    let mut mmu = SoftMmu::new(Arc::new(memory.with_dirty_log()), OwnerIndex(0), Alignment::Any);
    mmu.write_bulk(GuestPhysAddr::new(0xffc), &[1; 0x100]).unwrap();
    mmu.write(GuestPhysAddr::new(u64::MAX - 1), 1, 1).unwrap();
    assert_eq!(pages(&mmu), [0, 0x1000, u64::MAX - 0xfff]);
    let dump = mmu.dump_memory();
    mmu.restore_memory(&dump).unwrap();
    assert_eq!(pages(&mmu), [0, 0x1000, 0x5000, 0x6000, u64::MAX - 0xfff]);
}

#[test]
fn a_page_stays_until_it_is_safe() {
    let memory = PhysicalMemory::new(5 * PAGE_BYTES as u64 + 1).unwrap().with_dirty_log();
    let mut mmu = SoftMmu::new(Arc::new(memory), OwnerIndex(0), Alignment::Any);
    let mut image = Copy::new(5 * PAGE_BYTES + 1);
    let at = |page: usize| GuestPhysAddr::new((page * PAGE_BYTES) as u64);
    for page in [0, 3, 5] {
        mmu.write(at(page), 7, 1).unwrap();
    }
    image.refuses = Some(at(3).get());
    assert_eq!(mmu.dump_dirty(&mut image), Err(DumpError::Image(ImageError)));
    assert_eq!(pages(&mmu), [0, 3, 5].map(|page| at(page).get()));
    image.refuses = None;
    image.panics = Some(at(5).get());
    assert!(catch_unwind(AssertUnwindSafe(|| mmu.dump_dirty(&mut image))).is_err());
    mmu.write(at(1), 7, 1).unwrap();
    assert_eq!(pages(&mmu), [0, 1, 3, 5].map(|page| at(page).get()));
    image.panics = None;
    assert_eq!(mmu.dump_dirty(&mut image), Ok(()));
    assert!(image.bytes == mmu.dump_memory());
    assert_eq!(pages(&mmu), []);
}

#[test]
fn what_is_stored_during_a_dump_is_in_it_or_in_the_next() {
    const PAGES: usize = 70;
    let memory = PhysicalMemory::new((PAGES * PAGE_BYTES) as u64).unwrap().with_dirty_log();
    let mut mmu = SoftMmu::new(Arc::new(memory), OwnerIndex(0), Alignment::Any);
    let mut image = Copy::new(PAGES * PAGE_BYTES);
    thread::scope(|scope| {
        for index in 1..3_u16 {
            let mut mmu = mmu.for_owner(OwnerIndex(index));
            scope.spawn(move || {
                for round in 0..20_000_u64 {
                    let address = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (PAGES * PAGE_BYTES - 8) as u64;
                    mmu.write(GuestPhysAddr::new(address), round, 8).unwrap();
                }
            });
        }
        for round in 0..200 {
            image.refuses = (round % 3 == 0).then_some(0x3000);
            let _may_be_refused = mmu.dump_dirty(&mut image);
        }
    });
    image.refuses = None;
    assert_eq!(mmu.dump_dirty(&mut image), Ok(()));
    assert!(image.bytes == mmu.dump_memory());
}
