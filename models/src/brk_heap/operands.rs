//! The operands of the program's calls, with the forms that each has: in traces, on the wire, simpler, and in words. Any value
//! of each is legal.

use crate::operand::{Low, Operand, Simpler, below, index_type, plainer};
use crate::wire::{Edges, Reader, Writer};
use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of variables of the program that hold a block.
pub const SLOTS: u8 = 16;
/// Sizes that a person writes by hand, the plainest first.
const PLAIN_SIZES: [u64; 6] = [64, 100, 16, 8, 1, 0x1_0000];

/// A guest address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GuestAddress(#[serde(with = "crate::hex")] pub u64);

index_type!(
    /// A variable of the program that holds a block or none: below [`SLOTS`].
    Slot, SLOTS, "a slot is below 16"
);

/// A size in bytes. Any is legal to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(#[serde(with = "crate::hex")] pub u64);

/// An alignment: a power of two, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "GuestAddress", into = "GuestAddress")]
pub struct Alignment(u8);

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

impl<const N: usize> Operand<N> for Size {
    #[inline]
    fn read(edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        Size(edges.read(reader))
    }

    #[inline]
    fn write(&self, edges: &Edges<N>, writer: &mut Writer<'_>) {
        edges.write(self.0, writer);
    }
}

impl<const N: usize> Operand<N> for Alignment {
    #[inline]
    fn read(_edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        Alignment::from_exponent_folded(reader.byte())
    }

    #[inline]
    fn write(&self, _edges: &Edges<N>, writer: &mut Writer<'_>) {
        writer.byte(self.0);
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

impl Simpler for Size {
    /// Plain sizes first, then steps from far to near below.
    fn simpler(&self) -> Vec<Self> {
        let size = self.0;
        let mut sizes = plainer(&PLAIN_SIZES, size);
        if !PLAIN_SIZES.contains(&size) {
            let steps = (0..64).map_while(|shift| Some(size >> shift).filter(|&step| step != 0));
            sizes.extend(steps.map(|step| size - step));
        }
        sizes.into_iter().map(Size).collect()
    }
}

impl Simpler for Alignment {
    /// Smaller alignments, 1 first.
    fn simpler(&self) -> Vec<Self> {
        (0..self.0).map(Alignment).collect()
    }
}

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

/// Fewer bytes to copy: the sizes that are simpler and smaller.
pub(super) fn fewer_bytes(length: &u32) -> Vec<u32> {
    let sizes = Size(u64::from(*length)).simpler().into_iter();
    sizes.filter_map(|size| u32::try_from(size.0).ok()).filter(|shorter| shorter < length).collect()
}

/// Fewer elements to push.
pub(super) fn fewer_elements(length: &u8) -> Vec<u8> {
    below(&[1, 4, 8, 16, 64], *length)
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "slot {}", u8::from(*self))
    }
}

/// Small numbers as people count, others in hex.
impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 10_000 { write!(formatter, "{}", self.0) } else { write!(formatter, "{:#x}", self.0) }
    }
}

impl fmt::Display for Alignment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "align {}", Size(self.bytes()))
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

/// So many things, in words.
pub(super) fn counted(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
