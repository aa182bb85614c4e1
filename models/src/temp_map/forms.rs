//! The forms of operands: on the wire, in a tag, simpler, and in words. They judge nothing.

use super::address::{PhysicalAddress, VirtualAddress};
use super::mmu::{CACHE, USER, WRITABLE};
use super::operands::{Cpu, Hold, Mode, PageFlags, PageSource, Process, Segment, Segments, Space, TempFrame};
use super::setup::{PAGE_BYTES, SLOTS, WINDOW_BASE};
use crate::operand::{Low, Operand, Simpler, below, plainer};
use crate::wire::{Edges, Reader, Writer};
use std::fmt;

/// Offsets in a page, the plainest first.
const PLAIN_OFFSETS: [u32; 4] = [0, 4, 1, 4092];
/// Flags, the plainest first: writable and the user's, and the user's.
const PLAIN_FLAGS: [PageFlags; 2] = [PageFlags::from_bits_folded(0b11), PageFlags::from_bits_folded(0b10)];

impl<const N: usize> Operand<N> for VirtualAddress {
    #[allow(clippy::cast_possible_truncation)] // any address is legal: wide ones are cut
    #[inline]
    fn read(edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        VirtualAddress(edges.read(reader) as u32)
    }

    #[inline]
    fn write(&self, edges: &Edges<N>, writer: &mut Writer<'_>) {
        edges.write(self.0.into(), writer);
    }
}

impl<const N: usize> Operand<N> for PhysicalAddress {
    #[allow(clippy::cast_possible_truncation)] // any address is legal: wide ones are cut
    #[inline]
    fn read(edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        PhysicalAddress(edges.read(reader) as u32)
    }

    #[inline]
    fn write(&self, edges: &Edges<N>, writer: &mut Writer<'_>) {
        edges.write(self.0.into(), writer);
    }
}

impl<const N: usize> Operand<N> for PageFlags {
    #[inline]
    fn read(_edges: &Edges<N>, reader: &mut Reader<'_>) -> Self {
        PageFlags::from_bits_folded(reader.byte())
    }

    #[inline]
    fn write(&self, _edges: &Edges<N>, writer: &mut Writer<'_>) {
        writer.byte(self.bits());
    }
}

impl<const N: usize> Low<N> for Mode {
    const BITS: u32 = 1;

    #[inline]
    fn read_low(bits: u8, _edges: &Edges<N>, _reader: &mut Reader<'_>) -> Self {
        if bits == 0 { Mode::User } else { Mode::Kernel }
    }

    #[inline]
    fn low(&self) -> u8 {
        match self {
            Mode::User => 0,
            Mode::Kernel => 1,
        }
    }
}

impl<const N: usize> Low<N> for Space {
    const BITS: u32 = 3;

    #[inline]
    fn read_low(bits: u8, _edges: &Edges<N>, _reader: &mut Reader<'_>) -> Self {
        if bits < 4 { Space::Process(Process::new_folded(bits)) } else { Space::Kernel }
    }

    #[inline]
    fn low(&self) -> u8 {
        match self {
            Space::Process(process) => u8::from(*process),
            Space::Kernel => 4,
        }
    }
}

impl Simpler for Process {}
impl Simpler for Hold {}
impl Simpler for Space {}

impl Simpler for Cpu {
    fn simpler(&self) -> Vec<Self> {
        if self.index() == 0 { Vec::new() } else { vec![Cpu::new_folded(0)] }
    }
}

impl Simpler for Mode {
    fn simpler(&self) -> Vec<Self> {
        match self {
            Mode::User => Vec::new(),
            Mode::Kernel => vec![Mode::User],
        }
    }
}

impl Simpler for VirtualAddress {
    /// Plainer offsets in the page.
    fn simpler(&self) -> Vec<Self> {
        let offsets = plainer(&PLAIN_OFFSETS, self.offset());
        offsets.into_iter().map(|offset| VirtualAddress(self.page() | offset)).collect()
    }
}

impl Simpler for PageSource {
    fn simpler(&self) -> Vec<Self> {
        match self {
            PageSource::New => Vec::new(),
            PageSource::Hold(_) => vec![PageSource::New],
        }
    }
}

impl Simpler for PageFlags {
    fn simpler(&self) -> Vec<Self> {
        plainer(&PLAIN_FLAGS, *self)
    }
}

impl Simpler for TempFrame {
    fn simpler(&self) -> Vec<Self> {
        match self {
            TempFrame::Behind(address) => address.simpler().into_iter().map(TempFrame::Behind).collect(),
            TempFrame::Hold(_) | TempFrame::At(_) => Vec::new(),
        }
    }
}

impl Simpler for Segment {
    fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        simpler.extend((self.offset != 0).then_some(Segment { offset: 0, ..*self }));
        simpler.extend(self.writable.then_some(Segment { writable: false, ..*self }));
        simpler.extend(self.address.simpler().into_iter().map(|address| Segment { address, ..*self }));
        let fewer = fewer_bytes(&self.file_bytes).into_iter();
        simpler.extend(fewer.map(|file_bytes| Segment { file_bytes, ..*self }));
        let fewer = below(&[16, 100, 4096], self.memory_bytes).into_iter();
        simpler.extend(fewer.map(|memory_bytes| Segment { memory_bytes, ..*self }));
        simpler
    }
}

impl Simpler for Segments {
    /// Each segment left out, or simpler.
    fn simpler(&self) -> Vec<Self> {
        let mut lists = Vec::new();
        for (index, segment) in self.as_slice().iter().enumerate() {
            let mut fewer = self.as_slice().to_vec();
            fewer.remove(index);
            lists.push(Segments::of(&fewer));
            for variant in segment.simpler() {
                let mut list = self.as_slice().to_vec();
                list[index] = variant;
                lists.push(Segments::of(&list));
            }
        }
        lists
    }
}

/// Counts that a reader knows by sight, the plainest first.
pub(super) fn fewer_bytes(count: &u32) -> Vec<u32> {
    below(&[14, 1, 4, 100, 4096], *count)
}

/// The plainest value to store.
pub(super) fn one(value: &u32) -> Vec<u32> {
    plainer(&[1], *value)
}

impl VirtualAddress {
    /// In words, with the slot of the window that it lies in.
    #[must_use]
    pub fn with_slot(self) -> String {
        match self.0.checked_sub(WINDOW_BASE).map(|offset| offset / PAGE_BYTES) {
            Some(slot) if slot < SLOTS => format!("{self} (slot {slot})"),
            Some(_) | None => self.to_string(),
        }
    }
}

impl fmt::Display for VirtualAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

/// Only the second processor is worth a word, before what it does.
impl fmt::Display for Cpu {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.index() == 0 { Ok(()) } else { write!(formatter, "on cpu {}: ", self.index()) }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "process {}", char::from(b'A' + u8::from(*self)))
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "frame variable {}", self.index())
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Mode::User => "the program",
            Mode::Kernel => "kernel code",
        })
    }
}

impl fmt::Display for Space {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Space::Kernel => formatter.write_str("the kernel's directory"),
            Space::Process(process) => process.fmt(formatter),
        }
    }
}

impl fmt::Display for PageSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageSource::New => formatter.write_str("a new frame"),
            PageSource::Hold(hold) => hold.fmt(formatter),
        }
    }
}

impl fmt::Display for TempFrame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TempFrame::Hold(hold) => hold.fmt(formatter),
            TempFrame::Behind(address) => write!(formatter, "get_phys_addr({address})"),
            TempFrame::At(address) => write!(formatter, "{:#x}", address.0),
        }
    }
}

impl fmt::Display for PageFlags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.entry_bits();
        formatter.write_str(if bits & WRITABLE == 0 { "read-only" } else { "writable" })?;
        formatter.write_str(if bits & USER == 0 { ", kernel's" } else { ", user's" })?;
        formatter.write_str(if bits & CACHE == 0 { "" } else { ", with cache flags" })
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Segment { address, offset, file_bytes, memory_bytes, writable } = *self;
        let kind = if writable { "writable" } else { "read-only" };
        write!(formatter, "{kind} at {address}, {file_bytes:#x} bytes from offset {offset:#x}, ")?;
        write!(formatter, "{memory_bytes:#x} in memory")
    }
}

impl fmt::Display for Segments {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list: Vec<String> = self.as_slice().iter().map(Segment::to_string).collect();
        formatter.write_str(&list.join("; "))
    }
}
