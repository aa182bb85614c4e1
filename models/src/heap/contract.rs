//! What an allocator may claim for itself. The strict contract claims nothing.

use super::op::{Op, OpKind, is_beyond_reason, touches_too_much, zeroed_bytes};
use super::setup::{MAX_REGION_BYTES, Setup};
use crate::contract::{Claim, freedoms};
use crate::{Contract as _, Unsupported};

/// The calls that a subject has, as a set of op kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls(u64);

impl Calls {
    /// Every call.
    pub const ALL: Calls = Calls((1 << OpKind::ALL.len()) - 1);
    /// Those that only C has.
    pub const OF_C: Calls = Calls::of(&[
        OpKind::Malloc,
        OpKind::Calloc,
        OpKind::PosixMemalign,
        OpKind::AlignedAlloc,
        OpKind::Memalign,
        OpKind::Reallocarray,
        OpKind::FreeNull,
    ]);
    /// Those that only Rust has.
    pub const OF_RUST: Calls = Calls::of(&[OpKind::Alloc, OpKind::AllocZeroed, OpKind::Relayout]);
    /// Those of threads.
    pub const OF_THREADS: Calls = Calls::of(&[OpKind::ThreadStart, OpKind::ThreadExit]);
    /// Those that ask something of an arena's regions.
    pub const OF_REGIONS: Calls = Calls::of(&[OpKind::Extend, OpKind::AddRegion, OpKind::Largest]);

    /// These calls.
    #[must_use]
    pub const fn of(kinds: &[OpKind]) -> Self {
        let mut calls = 0;
        let mut index = 0;
        while index < kinds.len() {
            calls |= 1 << kinds[index] as u64;
            index += 1;
        }
        Calls(calls)
    }

    /// These calls without those.
    #[must_use]
    pub const fn without(self, others: Calls) -> Self {
        Calls(self.0 & !others.0)
    }

    /// Whether a call is one of them.
    #[inline]
    #[must_use]
    pub const fn has(self, kind: OpKind) -> bool {
        self.0 & (1 << kind as u64) != 0
    }
}

impl Claim for Calls {
    /// The calls that are missing, separated by `+`.
    fn claim(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let missing = value.ok_or_else(|| format!("{name} names the calls that are missing: {name}=trim+memalign"))?;
        for missing in missing.split('+') {
            let kind = OpKind::NAMES.iter().position(|known| *known == missing);
            let kind = kind.ok_or_else(|| format!("{name}: there is no call {missing:?}"))?;
            *self = self.without(Calls::of(&[OpKind::ALL[kind]]));
        }
        Ok(())
    }

    fn value(&self) -> Option<String> {
        let missing = OpKind::ALL.iter().zip(OpKind::NAMES).filter(|(kind, _)| !self.has(**kind));
        let missing: Vec<&str> = missing.map(|(_, name)| *name).collect();
        Some(missing.join("+"))
    }
}

freedoms! {
    /// What an allocator's documentation claims.
    HeapContract;
    calls: Calls = Calls::ALL,
        "The subject does not have all calls: C's, Rust's, those of arenas; strictly it has each of them.";
    own_memory: bool = false,
        "Memory comes from the system, so that addresses and the room for blocks are not judged; strictly blocks lie \
         in the \
         regions that the subject was given.";
    no_reuse: bool = false,
        "A block's memory is never used again; strictly what is freed can be had again.";
    no_coalescing: bool = false,
        "Freed neighbours stay apart, so that a large request may fail after a free; strictly they become one.";
    size_classes: bool = false,
        "Freed memory serves blocks of its own size class alone; strictly any that fits.";
    keeps_padding: bool = false,
        "The padding before a block that is aligned to more than 16 is lost, while it lives or for ever; strictly it \
         is free memory.";
    separate_pieces: bool = false,
        "What `extend` adds stays apart from the region before; strictly a block may lie across.";
    smallest_bytes: u64 = 1,
        "Smaller first or second regions are not served; strictly any are.";
    largest_bytes: u64 = u64::MAX,
        "Larger first or second regions are not served; strictly any are.";
    region_align: u64 = 1,
        "Regions begin and end at multiples of this many bytes; strictly anywhere.";
    smallest_extend: u64 = 1,
        "Extensions by less, or by what is no multiple of it, are not asked for; strictly any are.";
    largest_align: u64 = 1 << 63,
        "Larger alignments are not asked for; strictly any are.";
    largest_size: u64 = u64::MAX,
        "Larger blocks are not asked for; strictly any are.";
    block_overhead: u64 = 0,
        "A block takes up to this many bytes besides its own, before it and after it; strictly none.";
    region_overhead: u64 = 0,
        "A region's first bytes, as many as this, are for bookkeeping; strictly none.";
    waste: u64 = 16,
        "A block may need this many sixteenths of the room that it asks for: 32 where sizes are rounded up to powers \
         of two; \
         strictly 16.";
    most_threads: u64 = 4,
        "More threads than this are not served; strictly up to 4 are.";
    kept_bytes: u64 = 0,
        "This many bytes may stay in the allocator's own use when nothing is live; strictly none.";
    min_alignment: u64 = 0,
        "Blocks of malloc, calloc and realloc are aligned to at least this many bytes; strictly, and where it is 0, \
         to the \
         largest power of two not above their size, up to 16 (C23, 7.24.3).";
    usable_is_a_hint: bool = false,
        "What malloc_usable_size grants beyond the size asked for is not the program's to write \
         (malloc_usable_size(3)); \
         strictly it is.";
    realloc_forgets_usable: bool = false,
        "realloc keeps the bytes asked for; strictly all that malloc_usable_size granted.";
    errno_unset: bool = false,
        "A refusal may leave errno as it is (ISO C); strictly it sets ENOMEM (POSIX).";
    free_changes_errno: bool = false,
        "free may change errno (before POSIX.1-2024); strictly it keeps it.";
    any_alignment: bool = false,
        "aligned_alloc and memalign may answer a size that is no multiple of the alignment, or a strange alignment, \
         with any \
         block; strictly it is aligned.";
    zero_size_unaligned: bool = false,
        "A block of 0 bytes may be unaligned; strictly it is aligned as asked for.";
    unbounded: bool = false,
        "What the allocator holds may grow while the same calls are repeated; strictly it does not after the first \
         repeats.";
}

impl HeapContract {
    /// An arena in Rust without a freedom, for one thread: it has Rust's calls. What it may have besides,
    /// [`HeapContract::having`] adds.
    pub const ARENA: Self = HeapContract {
        calls: Calls::ALL.without(Calls::OF_C).without(Calls::OF_THREADS).without(Calls::of(&[
            OpKind::UsableSize,
            OpKind::Trim,
            OpKind::Extend,
            OpKind::AddRegion,
        ])),
        ..Self::STRICT
    };
    /// A `GlobalAlloc` with memory of its own.
    pub const GLOBAL: Self =
        HeapContract { calls: Self::ARENA.calls.without(Calls::OF_REGIONS), own_memory: true, ..Self::STRICT };
    /// A malloc library, held to everything that this component knows.
    pub const LIBRARY: Self = HeapContract {
        calls: Calls::ALL.without(Calls::OF_RUST).without(Calls::OF_REGIONS),
        own_memory: true,
        // What stays resident is measured in the whole process, and allocators keep some for the next request.
        kept_bytes: 4 << 20,
        ..Self::STRICT
    };
    /// A malloc library as POSIX.1-2024 describes it.
    pub const POSIX_2024: Self = HeapContract {
        usable_is_a_hint: true,
        realloc_forgets_usable: true,
        any_alignment: true,
        zero_size_unaligned: true,
        unbounded: true,
        ..Self::LIBRARY
    };
    /// A malloc library as C17, POSIX.1-2017 and the manual pages describe it.
    pub const C: Self = HeapContract { errno_unset: true, free_changes_errno: true, ..Self::POSIX_2024 };

    /// The same contract with more calls: `HeapContract::ARENA.having(&[OpKind::Extend])`.
    #[must_use]
    pub const fn having(mut self, kinds: &[OpKind]) -> Self {
        self.calls = Calls(self.calls.0 | Calls::of(kinds).0);
        self
    }

    /// Whether a subject with this contract has the call. What is never used again cannot be looked for by trial,
    /// memory of the system's has no largest block, and what cannot get another size cannot be pushed to.
    #[inline]
    #[must_use]
    pub const fn has(&self, kind: OpKind) -> bool {
        let is_unseen = self.no_reuse && matches!(kind, OpKind::Largest | OpKind::Cycle)
            || self.own_memory && matches!(kind, OpKind::Largest);
        let is_stuck = !self.calls.has(OpKind::Realloc) && matches!(kind, OpKind::PushString | OpKind::PushVec);
        self.calls.has(kind) && !is_unseen && !is_stuck
    }

    /// Whether a subject with this contract is asked for such an op.
    #[must_use]
    pub fn asks(&self, op: &Op) -> bool {
        let align = op.asked_align().unwrap_or(1);
        let extends = if let Op::Extend { bytes } = op {
            let bytes = u64::from(*bytes);
            self.smallest_extend <= bytes && bytes.is_multiple_of(self.smallest_extend.max(1))
        } else {
            true
        };
        let size = op.asked_bytes().unwrap_or(0);
        self.has(op.kind()) && align <= self.largest_align && size <= self.largest_size && extends
    }

    /// Whether the program does not ask for a block of so many bytes, aligned to so many, while its live blocks come to
    /// so many: the contract says that larger ones are not asked for, or so much would be live, or might be zeroed, or
    /// copied from the `old_size` bytes of the block that becomes it.
    #[inline]
    #[must_use]
    pub fn is_too_much(&self, old_size: u64, size: u64, align: u64, zeroed: bool, live_bytes: u64) -> bool {
        let written = if zeroed && self.own_memory { zeroed_bytes(size) } else { 0 };
        self.own_memory && is_beyond_reason(size, live_bytes)
            || self.largest_size < size
            || self.largest_align < align
            || touches_too_much(written.max(old_size.min(size)), live_bytes)
    }

    /// Whether a subject with this contract serves the setup.
    ///
    /// # Errors
    /// Which part of the setup it does not serve.
    pub fn serves(&self, setup: &Setup) -> Result<(), Unsupported> {
        if self.most_threads < setup.threads.into() {
            return Err(Unsupported("the contract serves fewer threads"));
        }
        if self.own_memory {
            return Ok(());
        }
        let regions = [(setup.skew_bytes, setup.first_bytes)];
        let second = setup.second_range().map(|(start, end)| (start, end - start));
        let regions = regions.map(|(skew, bytes)| (u64::from(skew), u64::from(bytes))).into_iter().chain(second);
        for (start, bytes) in regions {
            if bytes < self.smallest_bytes {
                return Err(Unsupported("a region is smaller than the contract serves"));
            }
            if self.largest_bytes < bytes {
                return Err(Unsupported("a region is larger than the contract serves"));
            }
            if !start.is_multiple_of(self.region_align) || !bytes.is_multiple_of(self.region_align) {
                return Err(Unsupported("a region does not lie at multiples of what the contract serves"));
            }
        }
        Ok(())
    }

    /// Whether freed memory comes back whole, so that the largest block is what it was.
    pub(super) const fn gives_back(&self) -> bool {
        !self.no_reuse && !self.no_coalescing && !self.size_classes && !self.keeps_padding
    }
}

const _: () = assert!(OpKind::ALL.len() < 64 && MAX_REGION_BYTES < 1 << 31);
