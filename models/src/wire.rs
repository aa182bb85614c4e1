//! Wire bytes: the form that engines see. Reading is total: any bytes decode, what is missing reads as zero, and every
//! op takes at least one byte, so the work is bounded by the input's length.

/// A version of the wire format. A first byte that stands for none is read as version 1, so that a fuzzer's byte flips
/// stay inside the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Version {
    /// A setup, and ops of one thread.
    One = 1,
    /// What version 1 has no room for as well: optional parts of a setup, and threads.
    Two = 2,
}

impl Version {
    /// The version that a first byte stands for.
    #[inline]
    #[must_use]
    pub const fn of(first: u8) -> Self {
        if first == Version::Two as u8 { Version::Two } else { Version::One }
    }
}

/// From this tag on, in version 2, a second tag byte follows.
pub const LONG_TAG: u8 = 240;
/// The tags of ops that version 1 does not know begin here: 240 and the second tag byte.
pub const LATER_TAG: u16 = 256;

/// Reads an op: its tag as this version writes it, then the rest by `read`, which answers `None` for a tag that no op
/// has. A second tag that no op has been given reads as its low four bits do. `None` at the end.
#[inline]
pub fn read_tagged<Op>(
    version: Version,
    reader: &mut Reader<'_>,
    mut read: impl FnMut(u16, &mut Reader<'_>) -> Option<Op>,
) -> Option<Op> {
    let first = reader.next_byte()?;
    if version == Version::One || first < LONG_TAG {
        let op = read(first.into(), reader);
        if op.is_some() {
            return op;
        }
    }
    let second = reader.byte();
    let low = second & 0x0f;
    read(u16::from(LONG_TAG) + u16::from(second), reader)
        .or_else(|| read((LONG_TAG | low).into(), reader))
        .or_else(|| read(low.into(), reader))
}

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

    /// The next byte, which stays the next one.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    /// What has not been read.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// So many bytes, or those that are left.
    #[inline]
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let rest = self.rest();
        let taken = &rest[..count.min(rest.len())];
        self.position += taken.len();
        taken
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
        // Nearly all numbers take at most four bytes: their end is found and their bits are put together without a
        // branch, because their lengths follow no pattern.
        if let Some(word) = self.bytes.get(self.position..).and_then(|rest| rest.first_chunk::<4>()) {
            let word = u32::from_le_bytes(*word);
            let ends = !word & 0x8080_8080;
            if ends != 0 {
                let bits = ends.trailing_zeros() + 1;
                self.position += (bits / 8) as usize;
                let word = word & (u32::MAX >> (32 - bits));
                let value = word & 0x7f | (word & 0x7f00) >> 1 | (word & 0x7f_0000) >> 2 | (word & 0x7f00_0000) >> 3;
                return u64::from(value);
            }
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..=63).step_by(7) {
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

/// Writes wire bytes. What is written reaches the vector in pieces, the last one with [`Writer::finish`].
#[derive(Debug)]
#[must_use = "the last bytes are written by `finish`"]
pub struct Writer<'a> {
    version: Version,
    bytes: &'a mut Vec<u8>,
    piece: [u8; PIECE_BYTES],
    length: usize,
}

/// Bytes that are gathered before they go to the vector.
const PIECE_BYTES: usize = 1024;

impl<'a> Writer<'a> {
    /// A writer that appends to `bytes`; tags as version 1 has them.
    pub fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self::of(Version::One, bytes)
    }

    /// A writer that appends to `bytes`; tags as this version has them.
    pub fn of(version: Version, bytes: &'a mut Vec<u8>) -> Self {
        Writer { version, bytes, piece: [0; PIECE_BYTES], length: 0 }
    }

    /// Writes the first `length` of 16 bytes.
    #[inline]
    fn put(&mut self, bytes: [u8; 16], length: usize) {
        if PIECE_BYTES - 16 < self.length {
            self.flush();
        }
        if let Some(room) = self.piece.get_mut(self.length..).and_then(|room| room.first_chunk_mut::<16>()) {
            *room = bytes;
            self.length += length;
        }
    }

    fn flush(&mut self) {
        self.bytes.extend_from_slice(&self.piece[..self.length]);
        self.length = 0;
    }

    /// Writes what is left.
    pub fn finish(mut self) {
        self.flush();
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.put(u128::from(byte).to_le_bytes(), 1);
    }

    /// The tag of an op: one byte, or, in version 2 from [`LONG_TAG`] on, two.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // below 496
    pub fn tag(&mut self, tag: u16) {
        let is_short = tag < u16::from(LONG_TAG);
        if is_short || self.version == Version::One {
            debug_assert!(tag < LATER_TAG, "version 1 has no tag {tag}");
            return self.byte(tag as u8);
        }
        self.byte(LONG_TAG);
        self.byte((tag - u16::from(LONG_TAG)) as u8);
    }

    /// Two bytes, little-endian.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.put(u128::from(value).to_le_bytes(), 2);
    }

    /// Eight bytes, little-endian.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        self.put(u128::from(value).to_le_bytes(), 8);
    }

    /// An unsigned LEB128 number.
    #[inline]
    pub fn varint(&mut self, value: u64) {
        if 1 << 28 <= value {
            return self.long_varint(value);
        }
        // Four groups of 7 bits, spread to bytes, all but the last in use marked as going on; without a branch, because
        // the lengths follow no pattern.
        let spread = value & 0x7f | (value & 0x3f80) << 1 | (value & 0x1f_c000) << 2 | (value & 0x0fe0_0000) << 3;
        let length = (70 - (value | 1).leading_zeros()) / 7;
        let goes_on = 0x8080_8080 & ((1_u64 << (8 * (length - 1))) - 1);
        self.put(u128::from(spread | goes_on).to_le_bytes(), length as usize);
    }

    fn long_varint(&mut self, mut value: u64) {
        while 0x80 <= value {
            self.byte((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.byte((value & 0x7f) as u8);
    }

    /// A signed number as zigzag LEB128.
    #[inline]
    pub fn signed(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)).cast_unsigned());
    }
}

/// The optional parts of a setup, as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    count: u8,
    bytes: Vec<u8>,
}

/// The most optional parts that a setup may have.
const MOST_PARTS: u8 = 7;

impl Parts {
    /// Adds the part with this name. What its absence says is not to be added.
    ///
    /// # Panics
    /// When it has more than 255 bytes, or there are seven already: a component's mistake.
    pub fn add(&mut self, name: u8, write: impl FnOnce(&mut Writer<'_>)) {
        let mut part = Vec::new();
        let mut writer = Writer::new(&mut part);
        write(&mut writer);
        writer.finish();
        let length = u8::try_from(part.len());
        let length = length.unwrap_or_else(|_| panic!("part {name} has {} bytes, and may have 255", part.len()));
        assert!(self.count < MOST_PARTS, "part {name} is one too many: a setup may have {MOST_PARTS}");
        self.count += 1;
        self.bytes.extend_from_slice(&[name, length]);
        self.bytes.append(&mut part);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends the number of parts, then the parts.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.count);
        bytes.extend_from_slice(&self.bytes);
    }

    /// The number of parts that a byte says.
    #[inline]
    #[must_use]
    pub const fn count(byte: u8) -> u8 {
        byte % (MOST_PARTS + 1)
    }

    /// Reads the parts of any bytes: gives each with its name to `read`. What is missing of a part reads as zero, what
    /// it has too much is not read.
    pub fn read(reader: &mut Reader<'_>, mut read: impl FnMut(u8, &mut Reader<'_>)) {
        for _ in 0..Self::count(reader.byte()) {
            let (name, length) = (reader.byte(), reader.byte());
            read(name, &mut Reader::new(reader.take(usize::from(length))));
        }
    }
}

/// A table of addresses that others are written relative to, frozen with the version of the wire format.
#[derive(Debug, Clone)]
pub struct Edges<const N: usize> {
    edges: [u64; N],
    steps: Steps,
    /// The distinct edges that are no steps, with their indexes: `others_count` of them.
    others: [(u64, u8); N],
    others_count: usize,
    /// `steps.length` as a power of two, if it is one: a division would be a good part of the cost of writing an op.
    shift: Option<u32>,
}

/// The evenly spaced edges at the start of the address space, which most addresses are written relative to: edge 0 is
/// address 0, and edge `first + n` is address `n * length`, for `n` from 1 to below `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The index of the first edge after address 0, minus one.
    pub first: u8,
    /// The number of steps.
    pub count: u8,
    /// The length of a step in bytes; 0 for no steps.
    pub length: u64,
}

impl<const N: usize> Edges<N> {
    /// A table; `N` is a power of two up to 256.
    #[must_use]
    pub fn new(edges: [u64; N], steps: Steps) -> Self {
        const { assert!(N.is_power_of_two() && N <= 256) };
        let shift = steps.length.is_power_of_two().then(|| steps.length.trailing_zeros());
        let (mut others, mut others_count) = ([(0, 0); N], 0);
        let inner_steps = usize::from(steps.first) + 1..usize::from(steps.first) + usize::from(steps.count);
        for (index, edge) in (0..=u8::MAX).zip(edges) {
            let is_new = others[..others_count].iter().all(|(known, _)| *known != edge);
            if is_new && !inner_steps.contains(&usize::from(index)) {
                others[others_count] = (edge, index);
                others_count += 1;
            }
        }
        Edges { edges, steps, others, others_count, shift }
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

    /// Writes an address relative to the step it lies in, or else to the nearest of the other edges. Distances go round
    /// the end of the address space.
    #[inline]
    pub fn write(&self, address: u64, writer: &mut Writer<'_>) {
        let step = match self.shift {
            Some(shift) => address >> shift,
            None => address.checked_div(self.steps.length).unwrap_or(u64::MAX),
        };
        let index = if step < u64::from(self.steps.count) {
            let index = self.steps.first + (step & 0xff) as u8;
            if step == 0 { 0 } else { index }
        } else {
            self.nearest(address)
        };
        writer.byte(index);
        writer.signed(address.wrapping_sub(self.edge(index)).cast_signed());
    }

    /// The first of the nearest edges that are no steps.
    fn nearest(&self, address: u64) -> u8 {
        let distance = |edge: u64| address.wrapping_sub(edge).cast_signed().unsigned_abs();
        let others = self.others.iter().take(self.others_count);
        others.min_by_key(|(edge, _)| distance(*edge)).map_or(0, |(_, index)| *index)
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
            writer.finish();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!((reader.varint(), reader.signed(), reader.u64()), (unsigned, signed, unsigned));
            prop_assert_eq!(reader.next_byte(), None);
        }

        #[test]
        fn addresses_round_trip(address: u64, near in 0..4usize, delta in -300..300i64, mut edges: [u64; 4]) {
            edges[0] = 0;
            let table = Edges::new(edges, Steps { first: 0, count: 1, length: edges[1] >> 40 });
            for address in [address, edges[near].wrapping_add_signed(delta)] {
                let mut bytes = Vec::new();
                let mut writer = Writer::new(&mut bytes);
                table.write(address, &mut writer);
                writer.finish();
                prop_assert_eq!(table.read(&mut Reader::new(&bytes)), address);
            }
        }
    }

    #[test]
    fn parts_are_read_one_by_one_and_each_within_its_bytes() {
        let mut parts = Parts::default();
        assert!(parts.is_empty());
        parts.add(3, |writer| writer.u16(0x201));
        parts.add(0, |_| ());
        let mut bytes = Vec::new();
        parts.write(&mut bytes);
        assert_eq!(bytes, [2, 3, 2, 1, 2, 0, 0]);
        let read = |bytes: &[u8]| {
            let (mut seen, mut reader) = (Vec::new(), Reader::new(bytes));
            Parts::read(&mut reader, |name, part| seen.push((name, part.u64())));
            (seen, reader.position())
        };
        // A part that is too short reads as zero, and nothing of what follows.
        assert_eq!(read(&[&bytes[..], &[9]].concat()), (vec![(3, 0x201), (0, 0)], 7));
        // What the end cuts off, and a count beyond the most.
        assert_eq!(read(&[2, 7, 200, 5]), (vec![(7, 5), (0, 0)], 4));
        assert_eq!(read(&[8, 1]), (Vec::new(), 1));
        assert_eq!(read(&[]), (Vec::new(), 0));
    }

    #[test]
    fn the_last_address_takes_two_bytes() {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        let steps = Steps { first: 0, count: 1, length: 0x1000 };
        Edges::new([0, 0x1000, u64::MAX, 0], steps).write(u64::MAX, &mut writer);
        writer.finish();
        assert_eq!(bytes, [2, 0]);
    }

    #[test]
    fn what_is_missing_reads_as_zero() {
        let mut reader = Reader::new(&[0xff]);
        assert_eq!(reader.varint(), 0x7f);
        assert_eq!((reader.u16(), reader.u64(), reader.signed(), reader.next_byte()), (0, 0, 0, None));
    }
}
