//! What allocators are asked for: sizes, alignments, and the growth of strings and vectors. It knows no allocator.

use crate::operand::{Operand, Simpler, below, plainer};
use crate::vocabulary::DescribedHere;
use crate::wire::{Edges, Reader, Writer};
#[cfg(feature = "arbitrary")]
use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Sizes that a person writes by hand, the plainest first.
const PLAIN_SIZES: [u64; 6] = [64, 100, 16, 8, 1, 0x1_0000];

/// A size in bytes. Any is legal to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(transparent)]
pub struct Size(#[serde(with = "crate::hex")] pub u64);

/// A number of bytes as JSON has it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, DescribedHere)]
#[serde(transparent)]
struct Bytes(#[serde(with = "crate::hex")] u64);

/// An alignment: a power of two, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "Bytes", into = "Bytes")]
pub struct Alignment(u8);

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

impl TryFrom<Bytes> for Alignment {
    type Error = &'static str;
    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        let exponent = u8::try_from(bytes.0.trailing_zeros()).unwrap_or(64);
        if bytes.0.is_power_of_two() { Ok(Alignment(exponent)) } else { Err("an alignment is a power of two") }
    }
}

impl From<Alignment> for Bytes {
    fn from(alignment: Alignment) -> Bytes {
        Bytes(alignment.bytes())
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for Alignment {
    /// Up to 16 most of the time.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let limit = if bytes.ratio(7, 8)? { 4 } else { 63 };
        bytes.int_in_range(0..=limit).map(Alignment)
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

/// Fewer bytes to copy: the sizes that are simpler and smaller.
pub(crate) fn fewer_bytes(length: &u32) -> Vec<u32> {
    let sizes = Size(u64::from(*length)).simpler().into_iter();
    sizes.filter_map(|size| u32::try_from(size.0).ok()).filter(|shorter| shorter < length).collect()
}

/// Fewer elements to push.
pub(crate) fn fewer_elements(length: &u8) -> Vec<u8> {
    below(&[1, 4, 8, 16, 64], *length)
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

/// So many things, in words.
pub(crate) fn counted(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// What a growing buffer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes: a string.
    Byte,
    /// Eight bytes: a vector of integers.
    Word,
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

    /// The least capacity of a buffer that is not empty, in bytes: 8 for bytes, 4 elements for others (Rust's
    /// `RawVec`).
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
