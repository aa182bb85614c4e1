//! Reads by guest virtual address, and the list of guest memory regions: both translate through tables that a guest
//! wrote. Nothing is allocated or copied before all of it is known to be there.

use super::deviation::Deviation;
use super::port::{Meter, Port};
use super::sandbox::{Placed, Run, Sandbox};
use super::walker::{Leaf, PageRange, walk};
use memtwin_models::page_walk::{Backing, HostRange, MAX_READ_BYTES, PAGE_BYTES, Refusal, Region, RegionKind};

/// A region as the host holds it.
#[derive(Debug, Clone, Copy)]
struct Draft {
    start: u64,
    bytes: u64,
    run: Run,
    writable: bool,
    executable: bool,
    user: bool,
    kind: RegionKind,
}

/// Where the bytes of a read go. It notes what is asked of it.
#[derive(Debug)]
pub(super) struct Landing<'a> {
    pub(super) data: &'a mut Vec<u8>,
    pub(super) largest_bytes: &'a mut u64,
}

impl Landing<'_> {
    /// Makes room for so many bytes at once.
    pub(super) fn reserve(&mut self, bytes: u64) {
        *self.largest_bytes = (*self.largest_bytes).max(bytes);
    }
}

/// A read in progress: the position, and whether something was missing.
struct Progress {
    position: u64,
    left: u64,
    is_broken: bool,
    /// Where the pieces so far end, for the guest.
    phys_end: u64,
}

impl<D: Deviation> Sandbox<D> {
    /// Reads a range of guest virtual addresses: all of it or nothing.
    pub(super) fn read(
        &mut self,
        meter: &Meter,
        (address, length): (u64, u64),
        as_user: bool,
        mut landing: Landing<'_>,
    ) -> Result<(), Refusal> {
        landing.reserve(D::reserved_early(length));
        if length == 0 {
            D::empty_range(address)?;
            return Ok(());
        }
        let pages = if self.setup.paging {
            Some(D::range(address, length)?)
        } else {
            address.checked_add(length - 1).ok_or(Refusal::BadRange)?;
            None
        };
        if MAX_READ_BYTES < length {
            return Err(Refusal::TooMuchWork);
        }
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.clear();
        let mut progress = Progress { position: address, left: length, is_broken: false, phys_end: 0 };
        let backings = D::readable(&self.backings);
        let walked = match pages {
            Some(pages) => walk::<D, _>(
                &Port { tables: &self.tables, meter },
                self.tables.root,
                self.tables.work_bounds,
                pages,
                |leaf| {
                    meter.note_leaf();
                    progress.is_broken |= as_user && !D::may_user_read(leaf.access, pieces.is_empty());
                    add_leaf::<D>(&mut progress, backings, &leaf, &mut pieces);
                },
            ),
            None => {
                add_pieces::<D>(&mut progress, backings, address, length, &mut pieces);
                Ok(())
            }
        };
        let is_whole = !progress.is_broken && progress.left == 0;
        if walked.is_ok() && is_whole {
            landing.reserve(length);
            for (host, bytes) in &pieces {
                match host {
                    Some(host) => self.memory.read(*host, *bytes, landing.data),
                    None => landing.data.resize(landing.data.len() + usize::try_from(*bytes).unwrap_or(0), 0),
                }
            }
        }
        self.pieces = pieces;
        walked?;
        if is_whole { Ok(()) } else { Err(Refusal::Gap) }
    }

    /// The regions of guest memory.
    pub(super) fn regions(&self, meter: &Meter, regions: &mut Vec<Region>) -> Result<(), Refusal> {
        if !self.setup.paging {
            self.unpaged_regions(regions);
            return Ok(());
        }
        let mut last: Option<Draft> = None;
        let mut is_mapped = false;
        let port = Port { tables: &self.tables, meter };
        let walked = walk::<D, _>(&port, self.tables.root, self.tables.work_bounds, PageRange::ALL, |leaf| {
            meter.note_leaf();
            is_mapped = true;
            let mut is_empty = true;
            Self::runs(D::listed(&self.backings), leaf.phys, leaf.bytes, |distance, run| {
                is_empty = false;
                let start = leaf.virt.wrapping_add(distance);
                self.add_region(&mut last, draft(&leaf, start, D::listed_bytes(start, run.bytes), run), regions);
            });
            if let Some(run) = D::run_without_backing().filter(|_| is_empty) {
                self.add_region(&mut last, draft(&leaf, leaf.virt, PAGE_BYTES, run), regions);
            }
        });
        regions.extend(last.map(|last| self.finished(&last)));
        if walked.is_err() {
            regions.clear();
        }
        walked?;
        if is_mapped { Ok(()) } else { D::list_of_nothing() }
    }

    /// Adds to the last region, or finishes it and begins another.
    fn add_region(&self, last: &mut Option<Draft>, next: Draft, regions: &mut Vec<Region>) {
        if let Some(last) = last
            && continues::<D>(last, &next)
        {
            let more = D::grown_by(next.start, next.bytes);
            last.bytes += more;
            // What has no host bytes adds none.
            last.run.bytes += if next.run.bytes == 0 { 0 } else { more };
            return;
        }
        regions.extend(last.replace(next).map(|done| self.finished(&done)));
    }

    fn finished(&self, draft: &Draft) -> Region {
        let named = self.name(draft.run.host);
        Region {
            start: draft.start,
            bytes: draft.bytes,
            host: HostRange {
                backing: named.map(|(backing, _)| backing),
                offset: named.map_or(draft.run.host, |(_, offset)| offset),
                bytes: draft.run.bytes,
            },
            writable: draft.writable,
            executable: draft.executable,
            user: draft.user,
            kind: draft.kind,
        }
    }

    /// The snapshot, scratch, and the file mappings as they are.
    fn unpaged_regions(&self, regions: &mut Vec<Region>) {
        let order = [Backing::Snapshot, Backing::Scratch];
        let first = order.iter().filter_map(|backing| self.backings.get(backing.index()));
        let mapped = self.backings.iter().skip(order.len()).filter(|placed| placed.is_there);
        for placed in first.chain(mapped) {
            regions.push(Region {
                start: placed.gpa,
                bytes: placed.visible,
                host: HostRange { backing: Some(placed.backing), offset: 0, bytes: placed.visible },
                writable: placed.writable,
                executable: placed.executable,
                user: true,
                kind: match placed.backing {
                    Backing::Snapshot => RegionKind::Snapshot,
                    Backing::Scratch => RegionKind::Scratch,
                    Backing::Mapped(_) => RegionKind::Mapped,
                },
            });
        }
    }

    /// Reads a byte of every page of every region, as who is given the list may do.
    pub(super) fn touch_regions(&self, regions: &[Region]) {
        for region in regions {
            let placed = region.host.backing.and_then(|backing| self.backings.get(backing.index()));
            if let Some(placed) = placed {
                self.memory.touch(placed.host + region.host.offset, region.host.bytes);
            }
        }
    }
}

fn draft(leaf: &Leaf, start: u64, bytes: u64, run: Run) -> Draft {
    let copy_on_write = leaf.access.copy_on_write;
    Draft {
        start,
        bytes,
        run,
        writable: leaf.access.writable && !copy_on_write,
        executable: leaf.access.executable,
        user: leaf.access.user,
        kind: if copy_on_write { RegionKind::Scratch } else { RegionKind::Snapshot },
    }
}

/// Whether a region goes on where the last one ends, for guest and host, and is like it.
fn continues<D: Deviation>(last: &Draft, next: &Draft) -> bool {
    last.start.wrapping_add(last.bytes) == next.start
        && D::goes_on(last.run.host.wrapping_add(last.run.bytes), next.run.host)
        && D::is_same_backing(last.run.index, next.run.index)
        && (last.writable, last.executable, last.user) == (next.writable, next.executable, next.user)
        && D::is_same_kind(last.kind, next.kind)
}

/// Goes on with what a leaf holds of the range.
fn add_leaf<D: Deviation>(
    progress: &mut Progress,
    backings: &[Placed],
    leaf: &Leaf,
    pieces: &mut Vec<(Option<u64>, u64)>,
) {
    if progress.is_broken || progress.left == 0 {
        return;
    }
    // The first leaf may begin before the range, and the last one end after it.
    let before = progress.position.wrapping_sub(leaf.virt);
    let (skipped, start) = if before < leaf.bytes { (before, progress.position) } else { (0, leaf.virt) };
    if start != progress.position {
        let is_first = pieces.is_empty();
        let hole = start.wrapping_sub(progress.position);
        if is_first || !D::follows(progress.position, start) || progress.left <= hole {
            progress.is_broken = true;
            return;
        }
        pieces.push((None, hole));
        progress.position = start;
        progress.left -= hole;
    }
    let bytes = (leaf.bytes - skipped).min(progress.left);
    let phys = D::piece(leaf.phys + skipped, pieces.len(), progress.phys_end);
    progress.phys_end = phys.wrapping_add(bytes);
    add_pieces::<D>(progress, backings, phys, bytes, pieces);
}

/// Goes on with a guest-physical range.
fn add_pieces<D: Deviation>(
    progress: &mut Progress,
    backings: &[Placed],
    gpa: u64,
    bytes: u64,
    pieces: &mut Vec<(Option<u64>, u64)>,
) {
    let mut found = 0;
    Sandbox::<D>::runs(backings, gpa, bytes, |distance, run| {
        if distance == found {
            pieces.push((Some(run.host), run.bytes));
            found += run.bytes;
        }
    });
    progress.is_broken |= found != bytes;
    progress.position = D::advance(progress.position, found);
    progress.left -= found;
}
