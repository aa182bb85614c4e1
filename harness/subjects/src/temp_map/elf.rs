//! The ELF loader: checks every header, then fills page by page through the window. Segments that share a page are both
//! kept there. Refuses files that end early, sums that overflow, kernel addresses, segments that share a byte, and
//! pages in use; then it leaves nothing behind.

use super::deviation::Deviation;
use super::kernel::{Failure, Kernel};
use memtwin_models::temp_map::mmu::{PRESENT, USER};
use memtwin_models::temp_map::{Cpu, KERNEL_HALF, MAX_SEGMENTS, PAGE_BYTES, Segment};

/// The numbers of a segment's pages. Its header is right.
fn numbers(segment: &Segment) -> std::ops::Range<u32> {
    let first = segment.address.0 / PAGE_BYTES;
    let end = segment.address.0.saturating_add(segment.memory_bytes).div_ceil(PAGE_BYTES);
    if segment.memory_bytes == 0 { first..first } else { first..end }
}

/// The addresses of the pages of all segments, each once.
pub(super) fn pages_of(segments: &[Segment]) -> impl Iterator<Item = u32> {
    segments.iter().enumerate().flat_map(move |(at, segment)| {
        let is_first = move |number: &u32| !segments[..at].iter().any(|earlier| numbers(earlier).contains(number));
        numbers(segment).filter(is_first).map(|number| number * PAGE_BYTES)
    })
}

/// How many pages they have, each counted once. Looks at no page: there may be a million.
fn count_pages(segments: &[Segment]) -> u32 {
    let mut ranges = [(0, 0); MAX_SEGMENTS];
    for (range, segment) in ranges.iter_mut().zip(segments) {
        let numbers = numbers(segment);
        *range = (numbers.start, numbers.end);
    }
    ranges.sort_unstable();
    let mut counted_to = 0;
    ranges.iter().fold(0, |count, (start, end)| {
        let new = end.saturating_sub(counted_to.max(*start));
        counted_to = counted_to.max(*end);
        count + new
    })
}

impl<D: Deviation> Kernel<D> {
    /// `elf_load` into the directory in force.
    pub(super) fn elf_load(&mut self, cpu: Cpu, file: &[u8], segments: &[Segment]) -> Result<(), Failure> {
        let directory = self.current(cpu);
        if !Self::headers_are_right(file, segments) || directory == self.kernel_directory {
            return Err(Failure::Refused);
        }
        // Before the pages are looked at one by one.
        if self.frames.free_count() < count_pages(segments) {
            return Err(Failure::NoFrames);
        }
        if pages_of(segments).any(|address| self.entry_of(directory, address) & PRESENT != 0) {
            return Err(Failure::Refused);
        }
        let mut new_tables = [None; 2 * MAX_SEGMENTS];
        for (loaded, address) in pages_of(segments).enumerate() {
            let is_new = self.table_of(directory, address).is_none();
            let result = self.load_page(cpu, file, segments, address);
            if let Err(failure) = result {
                self.unload(cpu, segments, loaded, &new_tables);
                return Err(failure);
            }
            if let Some(place) = new_tables.iter_mut().find(|place| place.is_none()).filter(|_| is_new) {
                *place = Some(address);
            }
        }
        Ok(())
    }

    fn headers_are_right(file: &[u8], segments: &[Segment]) -> bool {
        let end = |segment: &Segment| segment.address.0.checked_add(segment.memory_bytes);
        let is_right = |segment: &Segment| {
            let file_end = segment.offset.checked_add(segment.file_bytes);
            segment.file_bytes <= segment.memory_bytes
                && file_end.is_some_and(|end| end as usize <= file.len())
                && end(segment).is_some_and(|end| end <= KERNEL_HALF)
        };
        let begins_before = |left: &Segment, right: &Segment| end(right).is_none_or(|end| left.address.0 < end);
        let overlap = |left: &Segment, right: &Segment| {
            left.memory_bytes != 0
                && right.memory_bytes != 0
                && begins_before(left, right)
                && begins_before(right, left)
        };
        let mut pairs =
            segments.iter().enumerate().flat_map(|(at, left)| segments[..at].iter().map(move |right| (left, right)));
        segments.iter().all(is_right) && !pairs.any(|(left, right)| overlap(left, right))
    }

    /// Fills a page from its beginning to its end: what each segment has there, and zeroes between. Its rights are
    /// those of all segments in it.
    fn load_page(&mut self, cpu: Cpu, file: &[u8], segments: &[Segment], page: u32) -> Result<(), Failure> {
        let mut in_page = [None; MAX_SEGMENTS];
        let of_page = segments.iter().filter(|segment| numbers(segment).contains(&(page / PAGE_BYTES)));
        in_page.iter_mut().zip(of_page).for_each(|(place, segment)| *place = Some(segment));
        in_page.sort_unstable_by_key(|segment| segment.map_or(u32::MAX, |segment| segment.address.0));
        let in_page = || in_page.iter().flatten();
        let flags = in_page().fold(USER, |flags, segment| D::united_rights(flags, segment));
        self.map_filled(cpu, page, flags, &mut |kernel, window| {
            let mut done = 0;
            for segment in in_page() {
                let start = page.max(segment.address.0);
                let page_end = u64::from(page) + u64::from(PAGE_BYTES);
                let from_file = D::bytes_from_file(segment, u32::try_from(file.len()).unwrap_or(u32::MAX));
                let file_end = u64::from(segment.address.0) + u64::from(from_file);
                let copied = u32::try_from(file_end.min(page_end).saturating_sub(start.into())).unwrap_or(0);
                let offset = (segment.offset + (start - segment.address.0)) as usize;
                let bytes = if copied == 0 { &[] } else { &file[offset..offset + copied as usize] };
                kernel.machine.clear(cpu, window + done, (start - page).saturating_sub(done))?;
                kernel.machine.write(cpu, window + (start - page), bytes)?;
                let ends_here = u64::from(page) < file_end && file_end < page_end;
                done = if ends_here { D::bss_offset(segment) } else { start - page + copied };
            }
            Ok(kernel.machine.clear(cpu, window + done, PAGE_BYTES - done)?)
        })
    }

    /// Takes back the first pages of a file that could not be loaded, and the tables made for them.
    fn unload(&mut self, cpu: Cpu, segments: &[Segment], loaded: usize, new_tables: &[Option<u32>]) {
        let directory = self.current(cpu);
        for address in pages_of(segments).take(loaded) {
            let entry = self.entry_of(directory, address);
            self.set_entry_of(directory, address, 0);
            self.machine.ipi_invlpg(address);
            self.release(entry >> 12);
        }
        for address in new_tables.iter().flatten() {
            self.unmake_table(directory, *address);
        }
    }
}
