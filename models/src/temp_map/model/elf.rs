//! `elf_load`: which files are refused, and what the pages of the others hold.

use super::super::laws::ANSWER;
use super::super::mmu::{USER, WRITABLE};
use super::super::operands::{Cpu, Segment};
use super::super::setup::{KERNEL_HALF, PAGE_BYTES};
use super::super::{Outcome, Seen, VirtualAddress};
use super::spaces::Table;
use super::{Expected, Judged, TempMapModel, done};
use crate::{Payload, Verdict};

/// The addresses of a segment's pages.
fn pages(segment: &Segment) -> impl Iterator<Item = u32> {
    let (first, count) = page_range(segment);
    (0..count).map(move |number| first + number * PAGE_BYTES)
}

/// The first page and the number of pages of a segment whose header is right.
fn page_range(segment: &Segment) -> (u32, u32) {
    let first = segment.address.page();
    let end = u64::from(segment.address.0) + u64::from(segment.memory_bytes);
    let count = if segment.memory_bytes == 0 { 0 } else { (end - u64::from(first)).div_ceil(u64::from(PAGE_BYTES)) };
    (first, u32::try_from(count).unwrap_or(u32::MAX))
}

fn header_is_right(segment: &Segment, file_bytes: u32) -> bool {
    segment.file_bytes <= segment.memory_bytes
        && segment.offset.checked_add(segment.file_bytes).is_some_and(|end| end <= file_bytes)
        && segment.address.0.checked_add(segment.memory_bytes).is_some_and(|end| end <= KERNEL_HALF)
}

/// Whether two segments have a byte in common.
fn overlap(left: &Segment, right: &Segment) -> bool {
    let end = |segment: &Segment| u64::from(segment.address.0) + u64::from(segment.memory_bytes);
    let is_empty = |segment: &Segment| segment.memory_bytes == 0;
    let begins_before = |left: &Segment, right: &Segment| u64::from(left.address.0) < end(right);
    !is_empty(left) && !is_empty(right) && begins_before(left, right) && begins_before(right, left)
}

/// Whether two segments have a page in common.
fn pages_meet(left: &Segment, right: &Segment) -> bool {
    let last = |segment: &Segment| segment.address.0 + (segment.memory_bytes - 1);
    left.memory_bytes != 0
        && right.memory_bytes != 0
        && left.address.page() <= last(right)
        && right.address.page() <= last(left)
}

fn has_page(segment: &Segment, page: u32) -> bool {
    let (first, count) = page_range(segment);
    page.checked_sub(first).is_some_and(|distance| distance / PAGE_BYTES < count)
}

/// The pages of all segments, each once, at the first segment that has it.
fn distinct_pages(segments: &[Segment]) -> impl Iterator<Item = u32> {
    let each = segments.iter().enumerate();
    each.flat_map(move |(at, segment)| {
        pages(segment).filter(move |page| !segments[..at].iter().any(|earlier| has_page(earlier, *page)))
    })
}

impl TempMapModel {
    pub(super) fn elf_load(&mut self, cpu: Cpu, file: Payload, segments: &[Segment], seen: &Outcome) -> Judged {
        let space = self.space_of(cpu);
        let pairs =
            || segments.iter().enumerate().flat_map(|(at, left)| segments[..at].iter().map(move |right| (left, right)));
        let is_wrong = space == 0
            || segments.iter().any(|segment| !header_is_right(segment, file.length))
            || pairs().any(|(left, right)| overlap(left, right));
        if is_wrong {
            return self.settle(Expected::Refused, seen).map(|_| ());
        }
        let meet = |(left, right): (&Segment, &Segment)| pages_meet(left, right);
        if self.contract.segments_stay_apart && seen.result == Seen::Refused && pairs().any(meet) {
            return Ok(());
        }
        // No page has more than all segments, so this is never too small for what can fit.
        let most: u64 = segments.iter().map(|segment| u64::from(page_range(segment).1)).sum();
        let shared = u64::try_from(2 * segments.len()).unwrap_or(0);
        if u64::from(self.setup.frames) + shared < most {
            // Whether a page in use is met, too, makes no difference to a file that can never fit.
            let expected = if seen.result == Seen::Refused { Expected::Refused } else { Expected::DoneOrFailed };
            return if self.settle(expected, seen)? { Err(Verdict::diverge(&ANSWER, "result")) } else { Ok(()) };
        }
        let expected = self.need_of_pages(space, segments);
        let total = distinct_pages(segments).count();
        let meets_page = distinct_pages(segments).any(|page| self.spaces[space].page(page).is_some());
        if meets_page {
            let is_short = expected == Expected::DoneOrFailed && seen.result == Seen::Failed;
            return if is_short { Ok(()) } else { self.settle(Expected::Refused, seen).map(|_| ()) };
        }
        if !self.settle(expected, seen)? {
            return Ok(());
        }
        done(seen)?;
        if seen.pages.len() != total {
            return Err(Verdict::diverge(&ANSWER, "pages"));
        }
        if total != 0 {
            self.window_is_there(space);
        }
        for (page, shown) in distinct_pages(segments).zip(&seen.pages) {
            let of_page = || segments.iter().filter(|segment| has_page(segment, page));
            let flags = USER | if of_page().any(|segment| segment.writable) { WRITABLE } else { 0 };
            let frame = self.adopt_new(space, *shown, page, flags, seen)?;
            self.frames.clear(frame);
            for segment in of_page() {
                self.fill(frame, page, segment, file);
            }
        }
        Ok(())
    }

    /// What loading takes: the pages, the tables that are not there, and a slot.
    fn need_of_pages(&mut self, space: usize, segments: &[Segment]) -> Expected {
        let mut frames = 0;
        let mut counted_tables = [u32::MAX; 8];
        let (mut tables, mut possible_tables) = (0, 0);
        for page in distinct_pages(segments) {
            frames += 1;
            let directory_index = VirtualAddress(page).directory_index();
            let table = self.spaces[space].table(page);
            if table != Table::Present && !counted_tables[..tables].contains(&directory_index) {
                // Pages of at most 256 frames in three segments lie below at most six directory entries.
                counted_tables[tables % 8] = directory_index;
                tables += 1;
                possible_tables += u32::from(table == Table::Possible);
            }
        }
        let tables = u32::try_from(tables).unwrap_or(0);
        self.need_with_tables(space, frames + tables, possible_tables, u32::from(frames != 0))
    }

    /// The bytes of the file that lie in a page.
    fn fill(&mut self, frame: super::FrameIndex, page: u32, segment: &Segment, file: Payload) {
        let start = page.max(segment.address.0);
        let end =
            (u64::from(segment.address.0) + u64::from(segment.file_bytes)).min(u64::from(page) + u64::from(PAGE_BYTES));
        let Ok(length) = usize::try_from(end.saturating_sub(u64::from(start))) else { return };
        let from = (segment.offset + (start - segment.address.0)) as usize;
        if let Some(bytes) = file.bytes().and_then(|bytes| bytes.get(from..from + length)) {
            self.frames.write(frame, start - page, bytes);
        }
    }
}
