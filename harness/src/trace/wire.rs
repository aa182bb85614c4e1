//! Wire bytes: the form that engines see. Reading is total: any bytes decode, what is missing reads as zero, and every op
//! takes at least one byte, so the work is bounded by the input's length.

/// The version that is written. A first byte that no later version claims is read as version 1, so that a fuzzer's byte
/// flips stay inside the format.
pub const VERSION: u8 = 1;

/// The longest trace, in wire bytes.
pub const MAX_WIRE_BYTES: usize = 1 << 20;

/// Reads wire bytes.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, position: 0 }
    }

    /// A reader that goes on at `position`.
    #[must_use]
    pub fn at(bytes: &'a [u8], position: usize) -> Self {
        Reader { bytes, position }
    }

    /// How many bytes have been read.
    #[inline]
    #[must_use]
    pub fn position(&self) -> usize {
        self.position.min(self.bytes.len())
    }

    /// The next byte, or `None` at the end: the only way for a trace to end.
    #[inline]
    pub fn next_byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    /// The next byte, or 0 at the end.
    #[inline]
    pub fn byte(&mut self) -> u8 {
        self.next_byte().unwrap_or(0)
    }

    /// Two bytes, little-endian.
    #[inline]
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    /// Eight bytes, little-endian.
    #[inline]
    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> [u8; N] {
        if let Some(bytes) = self.bytes.get(self.position..).and_then(|rest| rest.first_chunk::<N>()) {
            self.position += N;
            *bytes
        } else {
            std::array::from_fn(|_| self.byte())
        }
    }

    /// An unsigned LEB128 number (DWARF 5, section 7.6) of at most 10 bytes; bits above 64 are dropped.
    #[inline]
    pub fn varint(&mut self) -> u64 {
        let first = self.byte();
        if first < 0x80 { u64::from(first) } else { self.long_varint(first) }
    }

    fn long_varint(&mut self, first: u8) -> u64 {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..=63).step_by(7) {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    /// A signed number as zigzag LEB128: small magnitudes of either sign are short.
    #[inline]
    pub fn signed(&mut self) -> i64 {
        let folded = self.varint();
        (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed()
    }
}

/// Writes wire bytes.
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `bytes`.
    pub fn new(bytes: &'a mut Vec<u8>) -> Self {
        Writer { bytes }
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Two bytes, little-endian.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Eight bytes, little-endian.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// An unsigned LEB128 number.
    #[inline]
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push((value & 0x7f) as u8);
    }

    /// A signed number as zigzag LEB128.
    #[inline]
    pub fn signed(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)).cast_unsigned());
    }
}

/// A table of addresses that others are written relative to, frozen with the version of the wire format.
#[derive(Debug, Clone)]
pub struct Edges<const N: usize> {
    edges: [u64; N],
    /// The distinct edges in ascending order, with the lowest index that holds each.
    sorted: Vec<(u64, u8)>,
}

impl<const N: usize> Edges<N> {
    /// A table; `N` is a power of two up to 256.
    #[must_use]
    pub fn new(edges: [u64; N]) -> Self {
        const { assert!(N.is_power_of_two() && N <= 256) };
        let mut sorted: Vec<(u64, u8)> = (0..=u8::MAX).zip(edges).map(|(index, edge)| (edge, index)).collect();
        sorted.sort_unstable();
        sorted.dedup_by_key(|(edge, _)| *edge);
        Edges { edges, sorted }
    }

    /// The edge at `index`, folded into the table.
    #[inline]
    #[must_use]
    pub fn edge(&self, index: u8) -> u64 {
        self.edges[usize::from(index) & (N - 1)]
    }

    /// Reads an address.
    #[inline]
    pub fn read(&self, reader: &mut Reader<'_>) -> u64 {
        let edge = self.edge(reader.byte());
        edge.wrapping_add_signed(reader.signed())
    }

    /// Writes an address relative to the nearest edge. Distances go round the end of the address space.
    #[inline]
    pub fn write(&self, address: u64, writer: &mut Writer<'_>) {
        let above = self.sorted.partition_point(|(edge, _)| *edge <= address);
        // 0 is always an edge in practice, but the table need not hold it: the neighbours are found going round.
        let below = self.sorted[(above + self.sorted.len() - 1) % self.sorted.len()];
        let above = self.sorted[above % self.sorted.len()];
        let from_below = address.wrapping_sub(below.0).cast_signed();
        let from_above = address.wrapping_sub(above.0).cast_signed();
        let (index, distance) = if from_below.unsigned_abs() <= from_above.unsigned_abs() {
            (below.1, from_below)
        } else {
            (above.1, from_above)
        };
        writer.byte(index);
        writer.signed(distance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_round_trip(unsigned: u64, signed: i64) {
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes);
            writer.varint(unsigned);
            writer.signed(signed);
            writer.u64(unsigned);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!((reader.varint(), reader.signed(), reader.u64()), (unsigned, signed, unsigned));
            prop_assert_eq!(reader.next_byte(), None);
        }

        #[test]
        fn addresses_round_trip(address: u64, near in 0..4usize, delta in -300..300i64, edges: [u64; 4]) {
            let table = Edges::new(edges);
            for address in [address, edges[near].wrapping_add_signed(delta)] {
                let mut bytes = Vec::new();
                table.write(address, &mut Writer::new(&mut bytes));
                prop_assert_eq!(table.read(&mut Reader::new(&bytes)), address);
            }
        }
    }

    #[test]
    fn the_last_address_takes_two_bytes() {
        let mut bytes = Vec::new();
        Edges::new([0, 0x1000, u64::MAX, 0]).write(u64::MAX, &mut Writer::new(&mut bytes));
        assert_eq!(bytes, [2, 0]);
    }

    #[test]
    fn what_is_missing_reads_as_zero() {
        let mut reader = Reader::new(&[0xff]);
        assert_eq!(reader.varint(), 0x7f);
        assert_eq!((reader.u16(), reader.u64(), reader.signed(), reader.next_byte()), (0, 0, 0, None));
    }
}
