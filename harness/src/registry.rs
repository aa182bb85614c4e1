//! The one list of everything. Tables, fuzz targets, CI matrices and reports are derived from it or tested against it.

use crate::subjects::brk_heap as bh;
use crate::subjects::guest_memory as gm;
use crate::subjects::header_free as hf;
use crate::subjects::page_walk as pw;
use crate::subjects::temp_map as tm;
use crate::target::{Dialect, Pair, Target};
use memtwin_models::brk_heap::BrkHeap;
use memtwin_models::guest_memory::GuestMemory;
use memtwin_models::header_free::HeaderFree;
use memtwin_models::page_walk::PageWalk;
use memtwin_models::temp_map::TempMap;

/// The targets that a binary knows.
#[derive(Clone)]
pub struct Registry {
    targets: Vec<&'static dyn Target>,
}

/// Every subject that memtwin brings.
const BUILT_IN: &[&'static dyn Target] = &[
    Pair::<GuestMemory, gm::PhysicalMemorySubject>::NEW,
    Pair::<GuestMemory, gm::SoftMmuSubject>::NEW,
    Pair::<GuestMemory, gm::Original>::NEW,
    Pair::<GuestMemory, gm::PublishedFix>::NEW,
    Pair::<GuestMemory, gm::Gm01>::NEW,
    Pair::<GuestMemory, gm::Gm02>::NEW,
    Pair::<GuestMemory, gm::Gm03>::NEW,
    Pair::<GuestMemory, gm::Gm04>::NEW,
    Pair::<GuestMemory, gm::Gm05>::NEW,
    Pair::<GuestMemory, gm::Gm06>::NEW,
    Pair::<GuestMemory, gm::Gm07>::NEW,
    Pair::<GuestMemory, gm::Gm08>::NEW,
    Pair::<GuestMemory, gm::Gm09>::NEW,
    Pair::<GuestMemory, gm::Gm10>::NEW,
    Pair::<GuestMemory, gm::Gm11>::NEW,
    Pair::<GuestMemory, gm::Gm12>::NEW,
    Pair::<GuestMemory, gm::Gm13>::NEW,
    Pair::<GuestMemory, gm::Gm14>::NEW,
    Pair::<GuestMemory, gm::Gm15>::NEW,
    Pair::<GuestMemory, gm::Gm16>::NEW,
    Pair::<GuestMemory, gm::Gm18>::NEW,
    Pair::<GuestMemory, gm::Gm19>::NEW,
    Pair::<BrkHeap, bh::Hardened>::NEW,
    Pair::<BrkHeap, bh::Original>::NEW,
    Pair::<BrkHeap, bh::PublishedFix>::NEW,
    Pair::<BrkHeap, bh::Bh01>::NEW,
    Pair::<BrkHeap, bh::Bh02>::NEW,
    Pair::<BrkHeap, bh::Bh03>::NEW,
    Pair::<BrkHeap, bh::Bh04>::NEW,
    Pair::<BrkHeap, bh::Bh05>::NEW,
    Pair::<BrkHeap, bh::Bh06>::NEW,
    Pair::<BrkHeap, bh::Bh07>::NEW,
    Pair::<BrkHeap, bh::Bh08>::NEW,
    Pair::<BrkHeap, bh::Bh09>::NEW,
    Pair::<BrkHeap, bh::Bh10>::NEW,
    Pair::<BrkHeap, bh::Bh11>::NEW,
    Pair::<BrkHeap, bh::Bh12>::NEW,
    Pair::<BrkHeap, bh::Bh13>::NEW,
    Pair::<BrkHeap, bh::Bh14>::NEW,
    Pair::<BrkHeap, bh::Bh16>::NEW,
    Pair::<BrkHeap, bh::Bh17>::NEW,
    Pair::<HeaderFree, hf::Hardened>::NEW,
    Pair::<HeaderFree, hf::HardenedRealLibc>::NEW,
    Pair::<HeaderFree, hf::Original>::NEW,
    Pair::<HeaderFree, hf::PublishedFix>::NEW,
    Pair::<HeaderFree, hf::Hf01>::NEW,
    Pair::<HeaderFree, hf::Hf02>::NEW,
    Pair::<HeaderFree, hf::Hf03>::NEW,
    Pair::<HeaderFree, hf::Hf04>::NEW,
    Pair::<HeaderFree, hf::Hf05>::NEW,
    Pair::<HeaderFree, hf::Hf06>::NEW,
    Pair::<HeaderFree, hf::Hf07>::NEW,
    Pair::<HeaderFree, hf::Hf09>::NEW,
    Pair::<HeaderFree, hf::Hf10>::NEW,
    Pair::<HeaderFree, hf::Hf11>::NEW,
    Pair::<HeaderFree, hf::Hf12>::NEW,
    Pair::<HeaderFree, hf::Hf13>::NEW,
    Pair::<HeaderFree, hf::Hf14>::NEW,
    Pair::<HeaderFree, hf::Hf15>::NEW,
    Pair::<HeaderFree, hf::Hf16>::NEW,
    Pair::<HeaderFree, hf::Hf17>::NEW,
    Pair::<HeaderFree, hf::Hf18>::NEW,
    Pair::<HeaderFree, hf::Hf19>::NEW,
    Pair::<HeaderFree, hf::Hf20>::NEW,
    Pair::<PageWalk, pw::Hardened>::NEW,
    Pair::<PageWalk, pw::Original>::NEW,
    Pair::<PageWalk, pw::PublishedFix>::NEW,
    Pair::<PageWalk, pw::Pw01>::NEW,
    Pair::<PageWalk, pw::Pw02>::NEW,
    Pair::<PageWalk, pw::Pw03>::NEW,
    Pair::<PageWalk, pw::Pw04>::NEW,
    Pair::<PageWalk, pw::Pw05>::NEW,
    Pair::<PageWalk, pw::Pw06>::NEW,
    Pair::<PageWalk, pw::Pw07>::NEW,
    Pair::<PageWalk, pw::Pw08>::NEW,
    Pair::<PageWalk, pw::Pw09>::NEW,
    Pair::<PageWalk, pw::Pw10>::NEW,
    Pair::<PageWalk, pw::Pw11>::NEW,
    Pair::<PageWalk, pw::Pw12>::NEW,
    Pair::<PageWalk, pw::Pw13>::NEW,
    Pair::<PageWalk, pw::Pw14>::NEW,
    Pair::<PageWalk, pw::Pw15>::NEW,
    Pair::<PageWalk, pw::Pw16>::NEW,
    Pair::<PageWalk, pw::Pw17>::NEW,
    Pair::<PageWalk, pw::Pw18>::NEW,
    Pair::<PageWalk, pw::Pw19>::NEW,
    Pair::<PageWalk, pw::Pw20>::NEW,
    Pair::<PageWalk, pw::Pw21>::NEW,
    Pair::<PageWalk, pw::Pw22>::NEW,
    Pair::<PageWalk, pw::Pw23>::NEW,
    Pair::<PageWalk, pw::Pw24>::NEW,
    Pair::<PageWalk, pw::Pw25>::NEW,
    Pair::<TempMap, tm::Hardened>::NEW,
    Pair::<TempMap, tm::PrivateWindow>::NEW,
    Pair::<TempMap, tm::Original>::NEW,
    Pair::<TempMap, tm::PublishedFix>::NEW,
    Pair::<TempMap, tm::Tm01>::NEW,
    Pair::<TempMap, tm::Tm02>::NEW,
    Pair::<TempMap, tm::Tm03>::NEW,
    Pair::<TempMap, tm::Tm04>::NEW,
    Pair::<TempMap, tm::Tm05>::NEW,
    Pair::<TempMap, tm::Tm06>::NEW,
    Pair::<TempMap, tm::Tm07>::NEW,
    Pair::<TempMap, tm::Tm08>::NEW,
    Pair::<TempMap, tm::Tm09>::NEW,
    Pair::<TempMap, tm::Tm10>::NEW,
    Pair::<TempMap, tm::Tm11>::NEW,
    Pair::<TempMap, tm::Tm12>::NEW,
    Pair::<TempMap, tm::Tm13>::NEW,
    Pair::<TempMap, tm::Tm14>::NEW,
    Pair::<TempMap, tm::Tm15>::NEW,
    Pair::<TempMap, tm::Tm16>::NEW,
    Pair::<TempMap, tm::Tm17>::NEW,
    Pair::<TempMap, tm::Tm18>::NEW,
    Pair::<TempMap, tm::Tm19>::NEW,
    Pair::<TempMap, tm::Tm20>::NEW,
    Pair::<TempMap, tm::Tm22>::NEW,
    Pair::<TempMap, tm::Tm23>::NEW,
    Pair::<TempMap, tm::Tm24>::NEW,
];

impl Registry {
    /// memtwin's own subjects.
    #[must_use]
    pub fn built_in() -> Self {
        Registry { targets: BUILT_IN.to_vec() }
    }

    /// These subjects, and no others.
    #[must_use]
    pub fn of(targets: &[&'static dyn Target]) -> Self {
        Registry { targets: targets.to_vec() }
    }

    /// Every target, in the order of the list.
    pub fn targets(&self) -> impl Iterator<Item = &'static dyn Target> + '_ {
        self.targets.iter().copied()
    }

    /// The target at an index of the list.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'static dyn Target> {
        self.targets.get(index).copied()
    }

    /// The index of a target in the list.
    #[must_use]
    pub fn index_of(&self, component: &str, subject: &str) -> Option<usize> {
        self.targets.iter().position(|target| target.dialect().name() == component && target.subject() == subject)
    }

    /// The components, each once, in the order of the list.
    pub fn dialects(&self) -> impl Iterator<Item = &'static dyn Dialect> + '_ {
        let first =
            |index: usize, name: &str| self.targets[..index].iter().all(|earlier| earlier.dialect().name() != name);
        let named = self.targets.iter().enumerate().map(|(index, target)| (index, target.dialect()));
        named.filter(move |(index, dialect)| first(*index, dialect.name())).map(|(_, dialect)| dialect)
    }

    /// The component of this name.
    #[must_use]
    pub fn dialect(&self, name: &str) -> Option<&'static dyn Dialect> {
        self.dialects().find(|dialect| dialect.name() == name)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.targets().map(Target::name)).finish()
    }
}
