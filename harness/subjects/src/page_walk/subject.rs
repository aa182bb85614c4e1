//! The sandbox's memory as a subject: carries out ops and shows what a caller would see. Does not judge.

use super::deviation::Deviation;
use super::port::{Meter, Port};
use super::reader::Landing;
use super::sandbox::Sandbox;
use super::walker::{TableReader as _, walk};
use memtwin_models::page_walk::{
    MAX_FILLED, Op, Outcome, PAGE_BYTES, PageWalk, PageWalkContract, Refusal, Seen, Setup, Span, View,
};
use memtwin_models::{Component as _, Health, Payload, Subject, Unsupported};

/// The subject made of a sandbox with the deviation `D`.
#[derive(Debug)]
pub struct Host<D: Deviation> {
    sandbox: Sandbox<D>,
}

impl<D: Deviation> Subject<PageWalk> for Host<D> {
    const NAME: &'static str = D::NAME;
    const HEALTH: Health = D::HEALTH;
    const CONTRACT: PageWalkContract = D::CONTRACT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Host { sandbox: Sandbox::new(setup)? })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        if self.sandbox.setup != *setup {
            return false;
        }
        self.sandbox.reset();
        true
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        if seen.is_beyond || !PageWalk::asks(&D::CONTRACT, op) {
            seen.result = Seen::Skipped;
            return;
        }
        let meter = Meter::new(self.sandbox.setup.work_bounds);
        let result = self.carry_out(op, &meter, seen);
        seen.result = result.unwrap_or_else(Seen::Refused);
        seen.runaway = meter.is_exceeded();
        if matches!(op, Op::Regions) {
            self.sandbox.touch_regions(&seen.regions);
        }
        if matches!((op, seen.result), (Op::Map { .. }, Seen::Refused(_))) {
            seen.tables = Some(self.sandbox.tables.count() as u64);
        }
    }

    fn view(&mut self, view: &mut View) {
        view.bookkeeping = self.sandbox.bookkeeping();
        view.mapped = Some(self.sandbox.mapped());
        if view.wants_bytes {
            for (placed, bytes) in self.sandbox.backings.iter().zip(&mut view.backings) {
                self.sandbox.memory.read(placed.host, placed.total, bytes);
            }
            let changed = self.sandbox.memory.changed_slack();
            view.stray = changed.map(|(index, distance)| (self.sandbox.backings[index].backing, distance));
            if !D::CONTRACT.own_entries {
                view.entries.extend_from_slice(self.sandbox.tables.entries());
            }
        }
    }
}

impl<D: Deviation> Host<D> {
    fn carry_out(&mut self, op: &Op, meter: &Meter, seen: &mut Outcome) -> Result<Seen, Refusal> {
        let Outcome { data, reserved_bytes, .. } = seen;
        let landing = Landing { data, largest_bytes: reserved_bytes };
        let sandbox = &mut self.sandbox;
        match *op {
            Op::Map { phys, virt, length, kind } => sandbox.tables.map(phys, virt, length, kind)?,
            Op::AllocTable => return sandbox.tables.alloc_table().map(Seen::Table),
            Op::SetRoot { root } => sandbox.tables.root = root,
            Op::ReadEntry { address } => return Ok(Seen::Entry(sandbox.tables.read_entry(address))),
            Op::WriteEntry { address, value } => sandbox.tables.write_entry(address, value),
            Op::FillEntries { address, count, value } => {
                let room = usize::try_from((u64::MAX - address) / 8).unwrap_or(usize::MAX);
                for index in (0..u64::from(count.min(MAX_FILLED))).take(room.saturating_add(1)) {
                    sandbox.tables.write_entry(address + 8 * index, value);
                }
            }
            Op::Walk { address, length } => self.walk(address, length, meter, &mut seen.spans)?,
            Op::Translate { address } => self.translate(address, meter, &mut seen.spans)?,
            Op::Read { address, length } => sandbox.read(meter, (address, length), false, landing)?,
            Op::ReadAsUser { address, length } => sandbox.read(meter, (address, length), true, landing)?,
            Op::MapFile { file } => sandbox.map_file(file)?,
            Op::UnmapFile { file } => sandbox.unmap_file(file)?,
            Op::Regions => sandbox.regions(meter, &mut seen.regions)?,
            Op::GuestWrite { address, seed, length } => {
                let payload = Payload { seed, length: u32::from(length) };
                sandbox.guest_write(address, payload.bytes().unwrap_or_default())?;
            }
            Op::GuestWord { address, value } => sandbox.guest_write(address, &value.to_le_bytes())?,
            Op::SharedRead { backing, offset, length } => {
                sandbox.shared_read(backing, offset, length, landing.data)?;
            }
            Op::Push { seed, length, prefix } => sandbox.push(seed, length, prefix)?,
            Op::Pop => sandbox.pop(landing)?,
            Op::PopPrefixed => sandbox.pop_prefixed(landing)?,
            Op::Clear => D::clear(sandbox)?,
            Op::Snapshot { slot } => return sandbox.snapshot(slot).map(Seen::Generation),
            Op::Restore { slot } => return sandbox.restore(slot).map(Seen::Generation),
            Op::Build => {
                let handles = sandbox.build()?;
                return Ok(Seen::Handles { host_aborts: handles.host_aborts, guest_aborts: handles.guest_aborts });
            }
            Op::AddFileMapping { address, length } => sandbox.add_file_mapping(address, length)?,
        }
        Ok(Seen::Done)
    }

    /// Where one address leads.
    fn translate(&self, address: u64, meter: &Meter, spans: &mut Vec<Span>) -> Result<(), Refusal> {
        let tables = &self.sandbox.tables;
        let range = D::range(address, 1)?;
        walk::<D, _>(&Port { tables, meter }, tables.root, tables.work_bounds, range, |leaf| {
            let phys = leaf.phys + address % PAGE_BYTES;
            spans.push(Span { start: address, phys, bytes: 1, access: leaf.access });
        })?;
        if spans.is_empty() { Err(Refusal::Gap) } else { Ok(()) }
    }

    fn walk(&self, address: u64, length: u64, meter: &Meter, spans: &mut Vec<Span>) -> Result<(), Refusal> {
        let range = if length == 0 { D::empty_range(address)? } else { Some(D::range(address, length)?) };
        let Some(range) = range else { return Ok(()) };
        let tables = &self.sandbox.tables;
        let walked = walk::<D, _>(&Port { tables, meter }, tables.root, tables.work_bounds, range, |leaf| {
            meter.note_leaf();
            Span::append(spans, Span { start: leaf.virt, phys: leaf.phys, bytes: leaf.bytes, access: leaf.access });
        });
        if walked.is_err() {
            spans.clear();
        }
        walked
    }
}
