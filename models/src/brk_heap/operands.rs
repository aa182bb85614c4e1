//! The operands of the program's calls, with the forms that each has: in traces, on the wire, simpler, and in words.
//! Any value of each is legal.

use crate::operand::{Low, Operand, Simpler, below, index_type, plainer};
use crate::vocabulary::DescribedHere;
use crate::wire::{Edges, Reader, Writer};
#[cfg(feature = "arbitrary")]
use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};
use std::fmt;

crate::numbers! {
    /// The number of variables of the program that hold a block.
    pub const SLOTS: u8 = 16;
}

/// A guest address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DescribedHere)]
#[serde(transparent)]
pub struct GuestAddress(#[serde(with = "crate::hex")] pub u64);

index_type!(
    /// A variable of the program that holds a block or none: below [`SLOTS`].
    Slot, SLOTS, "a slot is below 16"
);

/// What the other user of `brk` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
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

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for GuestAddress {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.arbitrary().map(GuestAddress)
    }
}

impl<const N: usize> Low<N> for BrkRequest {
    const BITS: u32 = 2;

    #[inline]
    fn read_low(bits: u8, edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        match bits {
            0 => BrkRequest::Query,
            1 => BrkRequest::Grow(Operand::read(edges, reader)),
            2 => BrkRequest::GiveBack,
            _ => BrkRequest::At(GuestAddress(edges.read(reader))),
        }
    }

    #[inline]
    fn low(&self) -> u8 {
        match self {
            BrkRequest::Query => 0,
            BrkRequest::Grow(_) => 1,
            BrkRequest::GiveBack => 2,
            BrkRequest::At(_) => 3,
        }
    }

    #[inline]
    fn write_rest(&self, edges: &Edges<N>, writer: &mut Writer<'_>) {
        match self {
            BrkRequest::Query | BrkRequest::GiveBack => {}
            BrkRequest::Grow(bytes) => bytes.write(edges, writer),
            BrkRequest::At(address) => edges.write(address.0, writer),
        }
    }
}

impl Simpler for Slot {}

impl Simpler for BrkRequest {
    fn simpler(&self) -> Vec<Self> {
        match self {
            BrkRequest::Grow(bytes) => below(&[4096, 0x1_0000], *bytes).into_iter().map(BrkRequest::Grow).collect(),
            BrkRequest::At(GuestAddress(address)) => {
                let last_pages = plainer(&[u64::MAX - 0xffe, u64::MAX], *address);
                last_pages.into_iter().map(|address| BrkRequest::At(GuestAddress(address))).collect()
            }
            BrkRequest::Query | BrkRequest::GiveBack => Vec::new(),
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "slot {}", u8::from(*self))
    }
}

impl fmt::Display for BrkRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BrkRequest::Query => formatter.write_str("brk(0)"),
            BrkRequest::Grow(bytes) => write!(formatter, "sbrk({bytes}), and fills it"),
            BrkRequest::GiveBack => formatter.write_str("gives its growth back"),
            BrkRequest::At(address) => write!(formatter, "brk({:#x})", address.0),
        }
    }
}
