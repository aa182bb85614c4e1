//! The calls of a program on its heap. Total: every op is legal in every setup; on an empty slot a program does nothing.

use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};

/// The number of variables of the program that hold a block.
pub const SLOTS: u8 = 16;
/// The most bytes of a block that a program writes or shows in one op.
pub const MAX_SHOWN_BYTES: u32 = 1 << 16;

/// A guest address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GuestAddress(#[serde(with = "crate::hex")] pub u64);

/// A variable of the program that holds a block or none: below [`SLOTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Slot(u8);

/// An alignment: a power of two, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "GuestAddress", into = "GuestAddress")]
pub struct Alignment(u8);

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Arbitrary, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the fields are the parameters of the call that each variant names
pub enum Op {
    /// `alloc(size, align)` into a slot; a block that is there is freed first.
    Alloc {
        slot: Slot,
        #[serde(with = "crate::hex")]
        size: u64,
        align: Alignment,
    },
    /// `alloc_zeroed(size, align)`, likewise; the program looks for a byte that is not zero.
    AllocZeroed {
        slot: Slot,
        #[serde(with = "crate::hex")]
        size: u64,
        align: Alignment,
    },
    /// `realloc(block, size)`; the program looks at the bytes that were to be kept.
    Realloc {
        slot: Slot,
        #[serde(with = "crate::hex")]
        size: u64,
    },
    /// `dealloc(block)`.
    Dealloc { slot: Slot },
    /// The program copies `length` bytes of the pattern `seed` to the block's beginning (no more than fit).
    Write { slot: Slot, seed: u16, length: u32 },
    /// The program looks at the block's first bytes.
    Verify { slot: Slot },
    /// `String::push_str` of `length` bytes of the pattern `seed`: the slot is a string that ends after the bytes put there
    /// so far, and grows as Rust's does.
    PushString { slot: Slot, seed: u16, length: u8 },
    /// `Vec::extend` by `length` elements of eight bytes, likewise.
    PushVec { slot: Slot, seed: u16, length: u8 },
    /// Another user of `brk` in the same process.
    RawBrk { request: BrkRequest },
}

/// What the other user of `brk` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrkRequest {
    /// `brk(0)`.
    Query,
    /// So many bytes more; what it gets it fills with bytes of its own.
    Grow(u32),
    /// Its last growth back, if the allocator has not moved the break since; else it only asks.
    GiveBack,
    /// This very break.
    At(GuestAddress),
}

/// What a growing buffer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes: a string.
    Byte,
    /// Eight bytes: a vector of integers.
    Word,
}

/// The kind of an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OpKind {
    Alloc,
    AllocZeroed,
    Realloc,
    Dealloc,
    Write,
    Verify,
    PushString,
    PushVec,
    RawBrk,
}

impl OpKind {
    /// Every kind, in the order of [`OpKind::NAMES`].
    pub const ALL: &'static [OpKind] = &[
        OpKind::Alloc,
        OpKind::AllocZeroed,
        OpKind::Realloc,
        OpKind::Dealloc,
        OpKind::Write,
        OpKind::Verify,
        OpKind::PushString,
        OpKind::PushVec,
        OpKind::RawBrk,
    ];

    /// The names, as in traces and run files.
    pub const NAMES: &'static [&'static str] =
        &["alloc", "alloc_zeroed", "realloc", "dealloc", "write", "verify", "push_string", "push_vec", "raw_brk"];
}

impl Unit {
    /// In bytes; also its alignment.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Unit::Byte => 1,
            Unit::Word => 8,
        }
    }

    /// The least capacity of a buffer that is not empty, in bytes: 8 for bytes, 4 elements for others (Rust's `RawVec`).
    #[must_use]
    pub const fn least_capacity_bytes(self) -> u64 {
        match self {
            Unit::Byte => 8,
            Unit::Word => 32,
        }
    }

    /// The capacity that a buffer of `capacity` bytes grows to when it must hold `needed`: twice as much, or what is
    /// needed, or the least (Rust's `RawVec`).
    #[must_use]
    pub const fn grown_capacity_bytes(self, capacity: u64, needed: u64) -> u64 {
        let mut grown = capacity.saturating_mul(2);
        if grown < needed {
            grown = needed;
        }
        if grown < self.least_capacity_bytes() { self.least_capacity_bytes() } else { grown }
    }
}

impl Op {
    /// The kind.
    #[inline]
    #[must_use]
    pub const fn kind(&self) -> OpKind {
        match self {
            Op::Alloc { .. } => OpKind::Alloc,
            Op::AllocZeroed { .. } => OpKind::AllocZeroed,
            Op::Realloc { .. } => OpKind::Realloc,
            Op::Dealloc { .. } => OpKind::Dealloc,
            Op::Write { .. } => OpKind::Write,
            Op::Verify { .. } => OpKind::Verify,
            Op::PushString { .. } => OpKind::PushString,
            Op::PushVec { .. } => OpKind::PushVec,
            Op::RawBrk { .. } => OpKind::RawBrk,
        }
    }

    /// The slot that the op is about.
    #[inline]
    #[must_use]
    pub const fn slot(&self) -> Option<Slot> {
        match *self {
            Op::Alloc { slot, .. }
            | Op::AllocZeroed { slot, .. }
            | Op::Realloc { slot, .. }
            | Op::Dealloc { slot }
            | Op::Write { slot, .. }
            | Op::Verify { slot }
            | Op::PushString { slot, .. }
            | Op::PushVec { slot, .. } => Some(slot),
            Op::RawBrk { .. } => None,
        }
    }
}

impl Slot {
    /// A slot, folded into the number of slots.
    #[inline]
    #[must_use]
    pub const fn new_folded(index: u8) -> Self {
        Slot(index % SLOTS)
    }

    /// The index, below [`SLOTS`].
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Alignment {
    /// 2 to the power of `exponent`, folded below 64.
    #[inline]
    #[must_use]
    pub const fn from_exponent_folded(exponent: u8) -> Self {
        Alignment(exponent % 64)
    }

    /// The exponent of 2.
    #[inline]
    #[must_use]
    pub const fn exponent(self) -> u8 {
        self.0
    }

    /// In bytes.
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << self.0
    }
}

impl TryFrom<GuestAddress> for Alignment {
    type Error = &'static str;
    fn try_from(bytes: GuestAddress) -> Result<Self, Self::Error> {
        let exponent = u8::try_from(bytes.0.trailing_zeros()).unwrap_or(64);
        if bytes.0.is_power_of_two() { Ok(Alignment(exponent)) } else { Err("an alignment is a power of two") }
    }
}

impl From<Alignment> for GuestAddress {
    fn from(alignment: Alignment) -> GuestAddress {
        GuestAddress(alignment.bytes())
    }
}

impl TryFrom<u8> for Slot {
    type Error = &'static str;
    fn try_from(index: u8) -> Result<Self, Self::Error> {
        if index < SLOTS { Ok(Slot(index)) } else { Err("a slot is below 16") }
    }
}

impl From<Slot> for u8 {
    fn from(slot: Slot) -> u8 {
        slot.0
    }
}

impl<'a> Arbitrary<'a> for Slot {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.int_in_range(0..=SLOTS - 1).map(Slot)
    }
}

impl<'a> Arbitrary<'a> for Alignment {
    /// Up to 16 most of the time.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let limit = if bytes.ratio(7, 8)? { 4 } else { 63 };
        bytes.int_in_range(0..=limit).map(Alignment)
    }
}

impl<'a> Arbitrary<'a> for GuestAddress {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.arbitrary().map(GuestAddress)
    }
}
