//! The ELF loader: checks every header, then fills page by page through the window. Refuses files that end early, sums
//! that overflow, kernel addresses, segments that meet in a page, and pages in use; then it leaves nothing behind.

use super::deviation::Deviation;
use super::kernel::{Failure, Kernel};
use memtwin_models::temp_map::mmu::{PRESENT, USER, WRITABLE};
use memtwin_models::temp_map::{Cpu, KERNEL_HALF, MAX_SEGMENTS, PAGE_BYTES, Segment};

/// A segment's pages: the first address and how many.
#[derive(Debug, Clone, Copy)]
struct Pages {
    first: u32,
    count: u32,
}

impl Pages {
    fn of(segment: &Segment) -> Option<Self> {
        let end = segment.address.0.checked_add(segment.memory_bytes)?;
        let first = segment.address.page();
        let count = if segment.memory_bytes == 0 { 0 } else { (end - first).div_ceil(PAGE_BYTES) };
        Some(Pages { first, count })
    }

    fn meets(self, other: Pages) -> bool {
        let numbers = |pages: Pages| pages.first / PAGE_BYTES..pages.first / PAGE_BYTES + pages.count;
        let (left, right) = (numbers(self), numbers(other));
        !left.is_empty() && !right.is_empty() && left.start < right.end && right.start < left.end
    }

    fn addresses(self) -> impl Iterator<Item = u32> {
        (0..self.count).map(move |number| self.first + number * PAGE_BYTES)
    }
}

impl<D: Deviation> Kernel<D> {
    /// `elf_load` into the directory in force.
    pub(super) fn elf_load(&mut self, cpu: Cpu, file: &[u8], segments: &[Segment]) -> Result<(), Failure> {
        let directory = self.current(cpu);
        let pages = Self::check_headers(file, segments).ok_or(Failure::Refused)?;
        let pages = &pages[..segments.len().min(MAX_SEGMENTS)];
        if directory == self.kernel_directory {
            return Err(Failure::Refused);
        }
        // Before the pages are looked at one by one: there may be a million.
        if u64::from(self.frames.free_count()) < pages.iter().map(|pages| u64::from(pages.count)).sum() {
            return Err(Failure::NoFrames);
        }
        let mut addresses = pages.iter().flat_map(|pages| pages.addresses());
        if addresses.any(|address| self.entry_of(directory, address) & PRESENT != 0) {
            return Err(Failure::Refused);
        }
        let mut new_tables = [None; 2 * MAX_SEGMENTS];
        let mut loaded = 0;
        for (segment, pages) in segments.iter().zip(pages) {
            for address in pages.addresses() {
                let is_new = self.table_of(directory, address).is_none();
                let result = self.load_page(cpu, file, segment, address);
                if let Err(failure) = result {
                    self.unload(cpu, segments, loaded, &new_tables);
                    return Err(failure);
                }
                loaded += 1;
                if let Some(place) = new_tables.iter_mut().find(|place| place.is_none()).filter(|_| is_new) {
                    *place = Some(address);
                }
            }
        }
        Ok(())
    }

    /// The pages of each segment, if every header is right.
    fn check_headers(file: &[u8], segments: &[Segment]) -> Option<[Pages; MAX_SEGMENTS]> {
        let mut all = [Pages { first: 0, count: 0 }; MAX_SEGMENTS];
        for (index, segment) in segments.iter().enumerate() {
            let file_end = segment.offset.checked_add(segment.file_bytes)?;
            let end = segment.address.0.checked_add(segment.memory_bytes)?;
            let pages = Pages::of(segment)?;
            let fits = segment.file_bytes <= segment.memory_bytes && file_end as usize <= file.len();
            if !fits || KERNEL_HALF < end || all[..index].iter().any(|other| other.meets(pages)) {
                return None;
            }
            *all.get_mut(index)? = pages;
        }
        Some(all)
    }

    fn load_page(&mut self, cpu: Cpu, file: &[u8], segment: &Segment, page: u32) -> Result<(), Failure> {
        let flags = USER | if segment.writable { WRITABLE } else { 0 };
        let start = page.max(segment.address.0);
        let page_end = u64::from(page) + u64::from(PAGE_BYTES);
        let file_end = u64::from(segment.address.0) + u64::from(segment.file_bytes);
        let copied = u32::try_from(file_end.min(page_end).saturating_sub(start.into())).unwrap_or(0);
        let offset = (segment.offset + (start - segment.address.0)) as usize;
        let bytes = if copied == 0 { &[] } else { &file[offset..offset + copied as usize] };
        let copied_to = start - page + copied;
        let ends_here = u64::from(page) < file_end && file_end < page_end;
        let zero_from = if ends_here { D::bss_offset(segment) } else { copied_to };
        self.map_filled(cpu, page, flags, &mut |kernel, window| {
            kernel.machine.clear(cpu, window, start - page)?;
            kernel.machine.write(cpu, window + (start - page), bytes)?;
            kernel.machine.clear(cpu, window + zero_from, PAGE_BYTES - zero_from)?;
            Ok(())
        })
    }

    /// Takes back the first pages of a file that could not be loaded, and the tables made for them.
    fn unload(&mut self, cpu: Cpu, segments: &[Segment], loaded: usize, new_tables: &[Option<u32>]) {
        let directory = self.current(cpu);
        let addresses = segments.iter().filter_map(Pages::of).flat_map(Pages::addresses);
        for address in addresses.take(loaded) {
            let entry = self.entry_of(directory, address);
            self.set_entry_of(directory, address, 0);
            self.machine.ipi_invlpg(address);
            self.frames.release(entry >> 12);
        }
        for address in new_tables.iter().flatten() {
            self.unmake_table(directory, *address);
        }
    }
}
