//! The sandbox's memory as its host sees it: backings, where they lie for guest and host, and the host's own accesses.
//! Everything that a guest can write is taken for hostile; no byte is read before its place was checked.

use super::deviation::Deviation;
use super::host_memory::HostMemory;
use super::tables::TableBuffer;
use memtwin_models::page_walk::{Backing, FIRST_CONTENT, File, Refusal, SLOTS, SNAPSHOT_GPA, Setup};
use memtwin_models::{Payload, Unsupported};

/// The size of a pointer, and the stack pointer of an empty buffer.
pub(super) const WORD: u64 = 8;

/// The index of the first file among the backings.
const FIRST_FILE: usize = 2;

/// A backing in its place.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Which.
    pub backing: Backing,
    /// Where the guest sees it.
    pub gpa: u64,
    /// How many bytes the guest sees.
    pub visible: u64,
    /// How many bytes there are.
    pub total: u64,
    /// Where the host has it.
    pub host: u64,
    /// Whether the guest may write it.
    pub writable: bool,
    /// Whether the guest may execute it.
    pub executable: bool,
    /// Whether it is mapped.
    pub is_there: bool,
    /// The bytes that differ, at most, from those at first: the lowest and the end of the highest.
    dirty: (u64, u64),
}

/// Bytes in a row in one backing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The index of the backing.
    pub index: usize,
    /// Where the host has the first byte.
    pub host: u64,
    /// In bytes.
    pub bytes: u64,
}

/// A kept snapshot: the generation and the backing's bytes.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) generation: Option<u64>,
    /// The files that were mapped, bit by bit.
    pub(super) mapped: u8,
    pub(super) image: Vec<u8>,
}

/// The memory of a sandbox.
#[derive(Debug)]
pub struct Sandbox<D> {
    pub(super) tables: TableBuffer<D>,
    pub(super) memory: HostMemory,
    /// In the order in which addresses are resolved: scratch, the snapshot, file mappings.
    pub(super) backings: Vec<Placed>,
    pub(super) setup: Setup,
    pub(super) kept: [Kept; SLOTS as usize],
    pub(super) generation: u64,
    /// The pieces of a read: where the host has them, if it has, and how many bytes.
    pub(super) pieces: Vec<(Option<u64>, u64)>,
}

fn first_content(backing: Backing) -> Option<Payload> {
    let index = u16::try_from(backing.index()).unwrap_or(0);
    let seed = FIRST_CONTENT.seed.wrapping_add(0x1111 * index);
    (backing != Backing::Scratch).then_some(Payload { seed, ..FIRST_CONTENT })
}

impl<D: Deviation> Sandbox<D> {
    pub(super) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let mut sandbox = Sandbox {
            tables: TableBuffer::new(setup.table_base, setup.work_bounds),
            memory: HostMemory::new(setup)?,
            backings: placed(setup),
            setup: setup.clone(),
            kept: Default::default(),
            generation: 0,
            pieces: Vec::with_capacity(512),
        };
        for index in 0..sandbox.backings.len() {
            sandbox.refill(index, 0, sandbox.backings[index].total);
        }
        // Where the layout does not fit, memory is left unbuilt.
        let _ = sandbox.build();
        Ok(sandbox)
    }

    /// Returns to the state after [`Sandbox::new`].
    pub(super) fn reset(&mut self) {
        self.tables.reset();
        for index in 0..self.backings.len() {
            self.backings[index].is_there = true;
            let (start, end) = std::mem::replace(&mut self.backings[index].dirty, (u64::MAX, 0));
            if start < end {
                self.refill(index, start, end);
            }
        }
        self.memory.fill_slack();
        for kept in &mut self.kept {
            kept.generation = None;
        }
        self.generation = 0;
        let _ = self.build();
    }

    fn refill(&mut self, index: usize, start: u64, end: u64) {
        let placed = &self.backings[index];
        let Some(payload) = first_content(placed.backing) else {
            return self.memory.fill(placed.host + start, end - start, 0);
        };
        let mut piece = [0; 4096];
        let mut position = start;
        while position < end {
            let bytes = piece.len().min(usize::try_from(end - position).unwrap_or(usize::MAX));
            payload.fill(position, &mut piece[..bytes]);
            self.memory.write(placed.host + position, &piece[..bytes]);
            position += bytes as u64;
        }
    }

    /// Writes at an offset of a backing that the caller has checked.
    pub(super) fn store(&mut self, index: usize, offset: u64, bytes: &[u8]) {
        self.note_dirty(index, offset, bytes.len() as u64);
        self.memory.write(self.backings[index].host.wrapping_add(offset), bytes);
    }

    /// Fills with zeros at an offset of a backing that the caller has checked.
    pub(super) fn wipe(&mut self, index: usize, offset: u64, length: u64) {
        self.note_dirty(index, offset, length);
        self.memory.fill(self.backings[index].host.wrapping_add(offset), length, 0);
    }

    /// Fills with zeros what was ever written of a backing.
    pub(super) fn wipe_dirty(&mut self, index: usize) {
        let (start, end) = self.backings[index].dirty;
        if start < end {
            self.memory.fill(self.backings[index].host + start, end - start, 0);
        }
    }

    fn note_dirty(&mut self, index: usize, offset: u64, length: u64) {
        let Placed { dirty, total, .. } = &mut self.backings[index];
        let end = offset.saturating_add(length).min(*total);
        *dirty = (dirty.0.min(offset), dirty.1.max(end));
    }

    /// The runs in a guest-physical range, each with its distance from the range's start.
    pub(super) fn runs(backings: &[Placed], gpa: u64, bytes: u64, mut visit: impl FnMut(u64, Run)) {
        let end = gpa.saturating_add(bytes);
        let mut position = gpa;
        while position < end {
            let Some(start) = next_backed::<D>(backings, position).filter(|start| *start < end) else { return };
            let Some(run) = resolve::<D>(backings, start) else { return };
            let run = Run { bytes: run.bytes.min(end - start), ..run };
            visit(start - gpa, run);
            position = start + run.bytes;
        }
    }

    /// The guest writes all of the bytes, or none.
    pub(super) fn guest_write(&mut self, gpa: u64, bytes: &[u8]) -> Result<(), Refusal> {
        let length = bytes.len() as u64;
        let run_at = |backings: &[Placed], position| resolve::<D>(backings, gpa.checked_add(position)?);
        let mut position = 0;
        while position < length {
            let run = run_at(&self.backings, position).ok_or(Refusal::Gap)?;
            if !D::may_guest_write(&self.backings[run.index]) {
                return Err(Refusal::Gap);
            }
            position = position.saturating_add(run.bytes);
        }
        let mut rest = bytes;
        while let Some(run) = run_at(&self.backings, length - rest.len() as u64).filter(|_| !rest.is_empty()) {
            let taken = rest.len().min(usize::try_from(run.bytes).unwrap_or(usize::MAX));
            let offset = run.host - self.backings[run.index].host;
            self.store(run.index, offset, &rest[..taken]);
            rest = &rest[taken..];
        }
        Ok(())
    }

    /// The host reads from a backing.
    pub(super) fn shared_read(
        &self,
        backing: Backing,
        offset: u64,
        length: u64,
        data: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let placed = self.backings.get(backing.index()).filter(|placed| placed.is_there).ok_or(Refusal::Gap)?;
        if !D::fits(offset, length, placed.total) {
            return Err(Refusal::Gap);
        }
        self.memory.read(placed.host.wrapping_add(offset), length, data);
        Ok(())
    }

    /// Which files are mapped, bit by bit.
    pub(super) fn mapped(&self) -> u8 {
        let files = self.backings.iter().skip(FIRST_FILE).enumerate();
        files.fold(0, |mapped, (bit, placed)| mapped | u8::from(placed.is_there) << bit)
    }

    /// Maps the files of a set, and no others.
    pub(super) fn map_files(&mut self, mapped: u8) {
        for (bit, placed) in self.backings.iter_mut().skip(FIRST_FILE).enumerate() {
            placed.is_there = mapped >> bit & 1 != 0;
        }
    }

    /// Maps a file again.
    pub(super) fn map_file(&mut self, file: File) -> Result<(), Refusal> {
        let placed = self.backings.get_mut(FIRST_FILE + usize::from(file.index())).ok_or(Refusal::Empty)?;
        if std::mem::replace(&mut placed.is_there, true) { Err(Refusal::NoRoom) } else { Ok(()) }
    }

    /// Takes a file mapping away.
    pub(super) fn unmap_file(&mut self, file: File) -> Result<(), Refusal> {
        let placed = self.backings.get_mut(FIRST_FILE + usize::from(file.index())).ok_or(Refusal::Empty)?;
        if std::mem::replace(&mut placed.is_there, false) { Ok(()) } else { Err(Refusal::Empty) }
    }

    /// The backing that a host address lies in, and its offset there.
    pub(super) fn name(&self, host: u64) -> Option<(Backing, u64)> {
        let holds = |placed: &&Placed| (placed.host..placed.host + placed.total).contains(&host);
        self.backings.iter().find(holds).map(|placed| (placed.backing, host - placed.host))
    }
}

fn placed(setup: &Setup) -> Vec<Placed> {
    let place = |backing, gpa, visible, total, (writable, executable)| {
        let host = setup.host_range(backing).map_or(0, |(start, _)| start);
        Placed { backing, gpa, visible, total, host, writable, executable, is_there: true, dirty: (u64::MAX, 0) }
    };
    let scratch = u64::from(setup.scratch_bytes);
    let snapshot = (u64::from(setup.snapshot_bytes), setup.snapshot_backing_bytes());
    let mut backings = vec![
        place(Backing::Scratch, setup.scratch_gpa(), scratch, scratch, (true, true)),
        place(Backing::Snapshot, SNAPSHOT_GPA, snapshot.0, snapshot.1, (false, true)),
    ];
    for (index, mapped) in (0..).zip(&setup.mapped) {
        let bytes = u64::from(mapped.bytes);
        let rights = (mapped.writable, mapped.executable);
        backings.push(place(Backing::Mapped(index), mapped.gpa, bytes, bytes, rights));
    }
    backings
}

/// Where a guest-physical address lies, and how many bytes follow it there before another backing comes first.
#[inline]
pub(super) fn resolve<D: Deviation>(backings: &[Placed], gpa: u64) -> Option<Run> {
    let mut limit = u64::MAX;
    for (index, placed) in backings.iter().enumerate().filter(|(_, placed)| placed.is_there) {
        let offset = gpa.wrapping_sub(placed.gpa);
        let visible = D::visible_bytes(placed);
        if placed.gpa <= gpa && offset < visible {
            let bytes = (visible - offset).min(limit - gpa);
            return Some(Run { index, host: placed.host + offset, bytes });
        }
        if gpa < placed.gpa {
            limit = limit.min(placed.gpa);
        }
    }
    None
}

/// The first guest-physical address, from this one on, that any backing holds.
fn next_backed<D: Deviation>(backings: &[Placed], gpa: u64) -> Option<u64> {
    let there = backings.iter().filter(|placed| placed.is_there);
    let ahead = there.filter(|placed| gpa < placed.gpa + D::visible_bytes(placed));
    ahead.map(|placed| placed.gpa.max(gpa)).min()
}
