//! Operands of ops, and the forms that each of them has: on the wire, in the low bits of a tag, and simpler. What an op
//! is made of is derived from these (`memtwin_derive`). What an operand means is its component's.

use crate::wire::{Edges, Reader, Writer};

/// An operand on the wire.
pub trait Operand<const N: usize>: Sized {
    /// Reads it from any bytes.
    fn read(edges: &Edges<N>, reader: &mut Reader<'_>) -> Self;
    /// Writes it.
    fn write(&self, edges: &Edges<N>, writer: &mut Writer<'_>);
}

/// An operand in the low bits of an op's tag.
pub trait Low<const N: usize>: Sized {
    /// The number of bits that it takes.
    const BITS: u32;
    /// Reads it from its bits, and from what follows the tag if it has more.
    fn read_low(bits: u8, edges: &Edges<N>, reader: &mut Reader<'_>) -> Self;
    /// Its bits.
    fn low(&self) -> u8;
    /// Writes what follows the tag.
    #[inline]
    fn write_rest(&self, _edges: &Edges<N>, _writer: &mut Writer<'_>) {}
}

/// An operand that a reader may find simpler with another value.
pub trait Simpler: Sized {
    /// The simpler values, the simplest first. Each is smaller by an order without cycles, so that shrinking ends.
    fn simpler(&self) -> Vec<Self> {
        Vec::new()
    }
}

impl<const N: usize> Operand<N> for u8 {
    #[inline]
    fn read(_edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        reader.byte()
    }

    #[inline]
    fn write(&self, _edges: &Edges<N>, writer: &mut Writer<'_>) {
        writer.byte(*self);
    }
}

impl<const N: usize> Operand<N> for u16 {
    #[inline]
    fn read(_edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        reader.u16()
    }

    #[inline]
    fn write(&self, _edges: &Edges<N>, writer: &mut Writer<'_>) {
        writer.u16(*self);
    }
}

impl<const N: usize> Operand<N> for u32 {
    #[allow(clippy::cast_possible_truncation)] // any number is legal: wide ones are cut
    #[inline]
    fn read(_edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        reader.varint() as u32
    }

    #[inline]
    fn write(&self, _edges: &Edges<N>, writer: &mut Writer<'_>) {
        writer.varint(u64::from(*self));
    }
}

impl<const N: usize> Operand<N> for i32 {
    #[allow(clippy::cast_possible_truncation)] // any number is legal: wide ones are cut
    #[inline]
    fn read(_edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        reader.signed() as i32
    }

    #[inline]
    fn write(&self, _edges: &Edges<N>, writer: &mut Writer<'_>) {
        writer.signed(i64::from(*self));
    }
}

/// A pattern's seed is simplest as 0.
impl Simpler for u16 {
    fn simpler(&self) -> Vec<Self> {
        if *self == 0 { Vec::new() } else { vec![0] }
    }
}

/// The values that are plainer than this one: those before it in a list, or all of them.
pub(crate) fn plainer<T: Copy + PartialEq>(list: &[T], value: T) -> Vec<T> {
    list.iter().copied().take_while(|plain| *plain != value).collect()
}

/// The numbers of a list that are below this one.
pub(crate) fn below<T: Copy + PartialOrd>(list: &[T], number: T) -> Vec<T> {
    list.iter().copied().filter(|plain| *plain < number).collect()
}

/// The index of one of so many things, such as the variables of a program: a byte on the wire, folded, or the low bits
/// of a tag. Their number is a power of two.
macro_rules! index_type {
    ($(#[$doc:meta])* $name:ident, $limit:expr, $error:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[derive(crate::vocabulary::DescribedHere)]
        #[serde(try_from = "u8", into = "u8")]
        pub struct $name(u8);

        impl $name {
            /// Folded into the number of them.
            #[inline]
            #[must_use]
            pub const fn new_folded(index: u8) -> Self {
                $name(index % $limit)
            }

            /// The index, from 0 on.
            #[inline]
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl TryFrom<u8> for $name {
            type Error = &'static str;
            fn try_from(index: u8) -> Result<Self, Self::Error> {
                if index < $limit { Ok($name(index)) } else { Err($error) }
            }
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> u8 {
                value.0
            }
        }

        #[cfg(feature = "arbitrary")]
        impl<'a> arbitrary::Arbitrary<'a> for $name {
            fn arbitrary(bytes: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
                bytes.int_in_range(0..=$limit - 1).map($name)
            }
        }

        impl<const N: usize> $crate::operand::Operand<N> for $name {
            #[inline]
            fn read(_edges: &$crate::wire::Edges<N>, reader: &mut $crate::wire::Reader<'_>) -> Self {
                $name::new_folded(reader.byte())
            }

            #[inline]
            fn write(&self, _edges: &$crate::wire::Edges<N>, writer: &mut $crate::wire::Writer<'_>) {
                writer.byte(self.0);
            }
        }

        impl<const N: usize> $crate::operand::Low<N> for $name {
            const BITS: u32 = ($limit).trailing_zeros();

            #[inline]
            fn read_low(bits: u8, _edges: &$crate::wire::Edges<N>, _reader: &mut $crate::wire::Reader<'_>) -> Self {
                $name::new_folded(bits)
            }

            #[inline]
            fn low(&self) -> u8 {
                self.0
            }
        }

        const _: () = assert!(($limit).is_power_of_two());
    };
}
pub(crate) use index_type;
