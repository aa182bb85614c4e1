//! What a page walker may claim for itself. The strict contract claims nothing.

use super::op::{MappingKind, Op, OpKind};
use super::translate::{LARGE, PRESENT, is_canonical};
use super::{MAX_MAPPED_PAGES, Setup};
use crate::Unsupported;
use crate::contract::freedoms;

freedoms! {
    /// What a page walker's documentation claims.
    PageWalkContract;
    no_memory: bool = false,
        "Tables and walks alone: ops on guest memory, on its buffers and on snapshots are skipped.";
    leaf_access_only: bool = false,
        "What may be done with a page is read from its own entry; strictly it is what the entries of all levels allow.";
    trusts_tables: bool = false,
        "Tables are believed: no entry is written by hand and the root stays; strictly both are a hostile guest's.";
    no_large_pages: bool = false,
        "Large pages are unknown: no present entry with the bit for them is written.";
    no_bounds: bool = false,
        "Walks and reads have no bound of work; what is beyond the setup's bounds is marked and skipped. Strictly it \
         ends with an error.";
    range_unchecked: bool = false,
        "Ranges are not checked: those that are not canonical or leave the address space are not asked for.";
    top_page_excluded: bool = false,
        "The last page of the address space is left out: no range that reaches it is asked for.";
    own_entries: bool = false,
        "Tables are the subject's own, and as many as it likes: their entries are judged by what walks give, and \
         neither read, written nor kept in snapshots.";
    unmap_makes_tables: bool = false,
        "Taking pages away makes the tables on the way to them, as mapping does; strictly it makes none.";
    no_map: bool = false,
        "Pages are mapped by entries that are written by hand, and by nothing else.";
    no_range_walk: bool = false,
        "Ranges of pages are not walked: walks and lists of regions are skipped.";
}

impl PageWalkContract {
    /// Whether ops of this kind are asked for at all.
    pub(super) const fn knows(&self, kind: OpKind) -> bool {
        match kind {
            _ if self.no_memory && kind.needs_memory() => false,
            OpKind::Map => !self.no_map,
            OpKind::AllocTable | OpKind::ReadEntry => !self.own_entries,
            OpKind::SetRoot | OpKind::WriteEntry | OpKind::FillEntries => !self.own_entries && !self.trusts_tables,
            OpKind::Walk | OpKind::Regions => !self.no_range_walk,
            OpKind::Read
            | OpKind::GuestWrite
            | OpKind::GuestWord
            | OpKind::SharedRead
            | OpKind::Push
            | OpKind::Pop
            | OpKind::PopPrefixed
            | OpKind::Clear
            | OpKind::Snapshot
            | OpKind::Restore
            | OpKind::Build
            | OpKind::AddFileMapping
            | OpKind::Translate
            | OpKind::ReadAsUser
            | OpKind::MapFile
            | OpKind::UnmapFile => true,
        }
    }

    /// Whether this op is asked for.
    pub(super) fn asks(&self, op: &Op) -> bool {
        self.knows(op.kind())
            && match *op {
                Op::WriteEntry { value, .. } | Op::FillEntries { value, .. } => {
                    !(self.no_large_pages && value & (LARGE | PRESENT) == LARGE | PRESENT)
                }
                Op::Map { virt, length, kind, .. } => {
                    let is_bounded = !self.no_bounds || length / super::PAGE_BYTES <= MAX_MAPPED_PAGES;
                    let takes_away = kind == MappingKind::Unmapped;
                    is_bounded && self.asks_range(virt, length) && (takes_away || !self.own_entries || is_small(length))
                }
                Op::Walk { address, length } | Op::Read { address, length } | Op::ReadAsUser { address, length } => {
                    self.asks_range(address, length)
                }
                Op::Translate { address } => self.asks_range(address, 1),
                Op::AllocTable
                | Op::SetRoot { .. }
                | Op::ReadEntry { .. }
                | Op::Regions
                | Op::GuestWrite { .. }
                | Op::GuestWord { .. }
                | Op::SharedRead { .. }
                | Op::Push { .. }
                | Op::Pop
                | Op::PopPrefixed
                | Op::Clear
                | Op::Snapshot { .. }
                | Op::Restore { .. }
                | Op::Build
                | Op::AddFileMapping { .. }
                | Op::MapFile { .. }
                | Op::UnmapFile { .. } => true,
            }
    }

    fn asks_range(&self, address: u64, length: u64) -> bool {
        let last = address.checked_add(length.saturating_sub(1));
        let is_right = last.is_some_and(|last| {
            is_canonical(address) && is_canonical(last) && address >> 63 == last >> 63 && length != 0
        });
        let reaches_top = last.is_none_or(|last| last | 0xfff == u64::MAX);
        (is_right || !self.range_unchecked) && !(reaches_top && self.top_page_excluded)
    }

    /// Whether a walker with this contract can be built with such a setup.
    pub(super) fn serves(&self, setup: &Setup) -> Result<(), Unsupported> {
        if self.own_entries && setup.tail_pages != 0 {
            return Err(Unsupported("snapshots of this implementation hold no page tables"));
        }
        Ok(())
    }
}

/// Whether a mapping makes few tables: where they are as many as the subject likes, their number is bounded by this.
const fn is_small(length: u64) -> bool {
    length <= 64 * super::PAGE_BYTES
}
