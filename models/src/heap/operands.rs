//! The operands of the program's calls, with the forms that each has: in traces, on the wire, simpler, and in words.
//! Any value of each is legal.

use crate::allocation::Size;
use crate::operand::{Low, Operand, Simpler, below};
use crate::vocabulary::DescribedHere;
use crate::wire::{Edges, Reader, Writer};
#[cfg(feature = "arbitrary")]
use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};
use std::fmt;

crate::numbers! {
    /// The number of variables of the program that hold a block.
    pub const SLOTS: u16 = 4096;
}

/// A variable of the program that holds a block or none: below [`SLOTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "u16", into = "u16")]
pub struct Slot(u16);

impl Slot {
    /// Folded into the number of them.
    #[inline]
    #[must_use]
    pub const fn new_folded(index: u16) -> Self {
        Slot(index % SLOTS)
    }

    /// The index, from 0 on.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The slot so many after this one, going round.
    #[inline]
    #[must_use]
    pub const fn after(self, distance: u16) -> Self {
        Slot::new_folded(self.0.wrapping_add(distance))
    }
}

impl TryFrom<u16> for Slot {
    type Error = &'static str;
    fn try_from(index: u16) -> Result<Self, Self::Error> {
        if index < SLOTS { Ok(Slot(index)) } else { Err("a slot is below 4096") }
    }
}

impl From<Slot> for u16 {
    fn from(slot: Slot) -> u16 {
        slot.0
    }
}

/// An alignment as a program may write it by mistake: any number, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(transparent)]
pub struct AnyAlignment(#[serde(with = "crate::hex")] pub u64);

impl AnyAlignment {
    /// Whether `posix_memalign` takes it: a power of two times the size of a pointer (POSIX.1-2017).
    #[inline]
    #[must_use]
    pub const fn is_for_posix(self) -> bool {
        self.0.is_power_of_two() && 8 <= self.0
    }
}

/// The order in which blocks are freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The lowest slot first.
    Forward,
    /// The highest slot first.
    Backward,
    /// Every second slot, then the others.
    Alternating,
}

/// Which thread frees the blocks of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case")]
pub enum FreedBy {
    /// The one that asked for them.
    Owner,
    /// A new one for each repeat, which then ends.
    NewThread,
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for Slot {
    /// Few slots most of the time, so that ops meet.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let most = if bytes.ratio(15, 16)? { 15 } else { SLOTS - 1 };
        bytes.int_in_range(0..=most).map(Slot)
    }
}

impl<const N: usize> Operand<N> for Slot {
    #[allow(clippy::cast_possible_truncation)] // any number is legal: wide ones are cut
    #[inline]
    fn read(_edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        Slot::new_folded(reader.varint() as u16)
    }

    #[inline]
    fn write(&self, _edges: &Edges<N>, writer: &mut Writer<'_>) {
        writer.varint(u64::from(self.0));
    }
}

impl<const N: usize> Operand<N> for AnyAlignment {
    /// A byte: powers of two as their exponent, then the neighbours of powers, then any number.
    #[inline]
    fn read(_edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        let byte = reader.byte();
        AnyAlignment(match byte >> 6 {
            0 | 1 => 1 << (byte & 63),
            2 => (1_u64 << (byte & 63)) - 1,
            _ => reader.varint(),
        })
    }

    #[inline]
    fn write(&self, _edges: &Edges<N>, writer: &mut Writer<'_>) {
        let exponent = |number: u64| number.trailing_zeros().to_le_bytes()[0];
        if self.0.is_power_of_two() {
            writer.byte(exponent(self.0));
        } else if self.0 != u64::MAX && (self.0 + 1).is_power_of_two() {
            writer.byte(0x80 | exponent(self.0 + 1));
        } else {
            writer.byte(0xc0);
            writer.varint(self.0);
        }
    }
}

impl<const N: usize> Low<N> for Order {
    const BITS: u32 = 2;

    #[inline]
    fn read_low(bits: u8, _edges: &Edges<N>, _reader: &mut Reader<'_>) -> Self {
        match bits {
            0 | 3 => Order::Forward,
            1 => Order::Backward,
            _ => Order::Alternating,
        }
    }

    #[inline]
    fn low(&self) -> u8 {
        match self {
            Order::Forward => 0,
            Order::Backward => 1,
            Order::Alternating => 2,
        }
    }
}

impl<const N: usize> Low<N> for FreedBy {
    const BITS: u32 = 1;

    #[inline]
    fn read_low(bits: u8, _edges: &Edges<N>, _reader: &mut Reader<'_>) -> Self {
        if bits == 0 { FreedBy::Owner } else { FreedBy::NewThread }
    }

    #[inline]
    fn low(&self) -> u8 {
        u8::from(*self == FreedBy::NewThread)
    }
}

impl<const N: usize> Low<N> for bool {
    const BITS: u32 = 1;

    #[inline]
    fn read_low(bits: u8, _edges: &Edges<N>, _reader: &mut Reader<'_>) -> Self {
        bits != 0
    }

    #[inline]
    fn low(&self) -> u8 {
        u8::from(*self)
    }
}

impl Simpler for Slot {}

impl Simpler for AnyAlignment {
    fn simpler(&self) -> Vec<Self> {
        let smaller = below(&[0, 3, 8, 16, 4096], self.0).into_iter();
        let exponents = (0..self.0.trailing_zeros().min(63)).map(|exponent| 1 << exponent);
        let powers = exponents.filter(|_| self.0.is_power_of_two());
        smaller.filter(|_| !self.0.is_power_of_two()).chain(powers).map(AnyAlignment).collect()
    }
}

impl Simpler for Order {
    fn simpler(&self) -> Vec<Self> {
        if *self == Order::Forward { Vec::new() } else { vec![Order::Forward] }
    }
}

impl Simpler for FreedBy {
    fn simpler(&self) -> Vec<Self> {
        if *self == FreedBy::Owner { Vec::new() } else { vec![FreedBy::Owner] }
    }
}

impl Simpler for bool {
    fn simpler(&self) -> Vec<Self> {
        if *self { vec![false] } else { Vec::new() }
    }
}

/// Smaller sizes: the plain ones, which are smaller as well.
pub(super) fn fewer(count: &u8) -> Vec<u8> {
    let halves = (1..8).map_while(|shift| Some(count - (count >> shift)).filter(|_| 0 < count >> shift));
    below(&[1, 2, 3, 4, 8, 16, 64], *count).into_iter().chain(halves).collect()
}

/// Fewer bytes to extend by.
pub(super) fn less(bytes: &u32) -> Vec<u32> {
    let sizes = Size(u64::from(*bytes)).simpler().into_iter();
    sizes.filter_map(|size| u32::try_from(size.0).ok()).filter(|smaller| smaller < bytes).collect()
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "slot {}", self.0)
    }
}

impl fmt::Display for AnyAlignment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", Size(self.0))
    }
}

impl fmt::Display for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Order::Forward => "from the first slot on",
            Order::Backward => "from the last slot on",
            Order::Alternating => "every second slot, then the others",
        })
    }
}
