//! Heaps in Rust's manner as the program calls them: arenas over regions, and those with memory of their own. C's calls
//! are made as the layouts that they stand for.

use crate::RawHeap;
use crate::allocator::{Allocator, Answer, Change, Get, Live, natural_align};
use crate::regions::Regions;
use memtwin_models::heap::{HeapContract, OpKind, Setup};
use memtwin_models::{Health, Unsupported};
use std::alloc::Layout;
use std::ptr::NonNull;

/// A heap with the memory that it was given.
#[derive(Debug)]
pub struct Arena<H: RawHeap> {
    /// Before the regions: it goes first.
    heap: H,
    /// None where the heap has memory of its own.
    regions: Option<Regions>,
}

fn layout(size: usize, align: usize) -> Option<Layout> {
    Layout::from_size_align(size.max(1), align).ok()
}

impl<H: RawHeap> Arena<H> {
    fn build(regions: Option<&Regions>) -> H {
        let (start, bytes) = regions.map_or((NonNull::dangling().as_ptr(), 0), Regions::first);
        // SAFETY: the region is accessible and lives longer than the heap.
        unsafe { H::new(start, bytes) }
    }

    fn zeroed_or_not(&mut self, size: Option<usize>, align: usize, zeroed: bool) -> Answer {
        let Some(layout) = size.and_then(|size| layout(size, align)) else { return Answer::Unaskable };
        Answer::of(if zeroed { self.heap.alloc_zeroed(layout) } else { self.heap.alloc(layout) })
    }
}

impl<H: RawHeap> Allocator for Arena<H> {
    const NAME: &'static str = H::NAME;
    const HEALTH: Health = H::HEALTH;
    const CONTRACT: HeapContract = H::CONTRACT;
    const FREED_BEFORE_RESET: bool = H::CONTRACT.own_memory;
    const IS_SHARED: bool = false;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        H::CONTRACT.serves(setup)?;
        let regions = if H::CONTRACT.own_memory { None } else { Some(Regions::new(setup)?) };
        Ok(Arena { heap: Self::build(regions.as_ref()), regions })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        if let Some(regions) = &mut self.regions {
            regions.reset(setup);
            self.heap = Self::build(Some(regions));
        }
        true
    }

    #[inline]
    fn nominal(&self, block: *mut u8) -> u64 {
        self.regions.as_ref().map_or(block as u64, |regions| regions.nominal(block))
    }

    #[inline]
    fn can_touch(&self, block: *mut u8, bytes: usize) -> bool {
        self.regions.as_ref().is_none_or(|regions| regions.hold(block, bytes))
    }

    #[inline]
    fn get(&mut self, call: Get) -> Answer {
        match call {
            Get::Malloc { size } => self.zeroed_or_not(Some(size), natural_align(size), false),
            Get::Calloc { count, size } => {
                let size = count.checked_mul(size);
                self.zeroed_or_not(size, natural_align(size.unwrap_or(1)), true)
            }
            Get::PosixMemalign { align, size } if align.is_power_of_two() && 8 <= align => {
                self.zeroed_or_not(Some(size), align, false)
            }
            Get::PosixMemalign { .. } => Answer::Unaskable,
            Get::AlignedAlloc { align, size } | Get::Memalign { align, size } | Get::Alloc { size, align } => {
                self.zeroed_or_not(Some(size), align, false)
            }
            Get::AllocZeroed { size, align } => self.zeroed_or_not(Some(size), align, true),
        }
    }

    unsafe fn change(&mut self, live: Live, call: Change) -> Answer {
        let Some(old) = layout(live.size, live.align) else { return Answer::Unaskable };
        let (size, new, zeroed) = match call {
            Change::Realloc { size } => (Some(size), None, false),
            Change::Reallocarray { count, size } => (count.checked_mul(size), None, false),
            Change::Relayout { size, align, zeroed } => (Some(size), Some(align), zeroed),
        };
        let Some(new_layout) = size.and_then(|size| layout(size, new.unwrap_or(live.align))) else {
            return Answer::Unaskable;
        };
        Answer::of(match new {
            // SAFETY: the caller says that the block is live with this layout; the new one exists.
            None => unsafe { self.heap.realloc(live.block, old, new_layout.size()) },
            // SAFETY: as above.
            Some(_) => unsafe { self.heap.relayout(live.block, old, new_layout, zeroed) },
        })
    }

    unsafe fn free(&mut self, live: Live) {
        if let Some(layout) = layout(live.size, live.align) {
            // SAFETY: the caller says that the block is live with this layout.
            unsafe { self.heap.dealloc(live.block, layout) };
        }
    }

    fn free_null(&mut self) -> bool {
        false
    }

    fn errno(&self) -> Option<i32> {
        None
    }

    fn errno_after_free(&self) -> Option<i32> {
        None
    }

    fn usable_size(&mut self, live: Live) -> Option<usize> {
        let layout = layout(live.size, live.align)?;
        if H::CONTRACT.has(OpKind::UsableSize) { self.heap.usable_size(live.block, layout) } else { None }
    }

    fn extend(&mut self, setup: &Setup, bytes: usize) -> Option<bool> {
        let regions = self.regions.as_mut().filter(|_| H::CONTRACT.has(OpKind::Extend))?;
        let extended = regions.extend(setup, bytes);
        if extended {
            // SAFETY: the bytes behind the region are accessible, and were nobody's.
            unsafe { self.heap.extend(bytes) };
        }
        Some(extended)
    }

    fn add_region(&mut self, setup: &Setup) -> Option<bool> {
        let regions = self.regions.as_mut().filter(|_| H::CONTRACT.has(OpKind::AddRegion))?;
        let added = regions.add_second(setup);
        if let Some((start, bytes)) = added {
            // SAFETY: the second region is accessible, and was nobody's.
            unsafe { self.heap.add_region(start, bytes) };
        }
        Some(added.is_some())
    }

    #[inline]
    fn stray_byte(&self, everywhere: bool) -> Option<u64> {
        self.regions.as_ref()?.stray_byte(everywhere)
    }

    fn trim(&mut self) {
        self.heap.trim();
    }

    fn live_blocks(&self) -> Option<u64> {
        self.heap.live_blocks()
    }

    fn held_bytes(&self) -> Option<u64> {
        self.heap.held_bytes()
    }

    fn take_refusal(&mut self) -> bool {
        false
    }

    fn thread_exits(&self) {}
}
