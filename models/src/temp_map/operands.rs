//! The operands of ops. Any value of each is legal. Their forms beside JSON's are in `forms`.

use super::address::{PhysicalAddress, VirtualAddress, hex_word};
use super::setup::CPUS;
use crate::operand::index_type;
use crate::vocabulary::DescribedHere;
#[cfg(feature = "arbitrary")]
use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The number of variables that hold a process.
    pub const PROCESSES: u8 = 4;
    /// The number of variables that hold a frame.
    pub const HOLDS: u8 = 8;
    /// The most segments of an ELF file.
    pub const MAX_SEGMENTS: usize = 3;
}

index_type!(
    /// A processor.
    Cpu, CPUS, "a cpu is below 2"
);
index_type!(
    /// A variable that holds a process or none.
    Process, PROCESSES, "a process is below 4"
);
index_type!(
    /// A variable of the kernel that holds a frame or none.
    Hold, HOLDS, "a hold is below 8"
);

/// The privilege of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Ring 3.
    User,
    /// Ring 0, with CR0.WP set.
    Kernel,
}

/// A directory to put in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// The kernel's own directory.
    Kernel,
    /// A process's.
    Process(Process),
}

/// The frame that a page is mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case")]
pub enum PageSource {
    /// A new one, cleared.
    New,
    /// The one in a variable, which keeps it as well.
    Hold(Hold),
}

/// The physical address that is given to `map_temp_page`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case")]
pub enum TempFrame {
    /// Of the frame in a variable.
    Hold(Hold),
    /// Of the frame behind a page, as `get_phys_addr` says under the directory in force.
    Behind(VirtualAddress),
    /// This very one.
    At(PhysicalAddress),
}

/// The flags of a page, bits 1 to 4 of its entry, as letters: `w` writable, `u` user, `t` write-through, `c`
/// cache-disable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "String", into = "String")]
pub struct PageFlags(u8);

/// A loadable segment of an ELF file, as its program header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// `p_vaddr`.
    pub address: VirtualAddress,
    /// `p_offset`.
    #[serde(with = "hex_word")]
    pub offset: u32,
    /// `p_filesz`.
    #[serde(with = "hex_word")]
    pub file_bytes: u32,
    /// `p_memsz`.
    #[serde(with = "hex_word")]
    pub memory_bytes: u32,
    /// Whether `p_flags` has `PF_W`.
    pub writable: bool,
}

/// Up to [`MAX_SEGMENTS`] segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "Vec<Segment>", into = "Vec<Segment>")]
pub struct Segments {
    list: [Segment; MAX_SEGMENTS],
    count: u8,
}

impl Space {
    /// 0 for the kernel, from 1 on for processes.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Space::Kernel => 0,
            Space::Process(process) => process.index() + 1,
        }
    }
}

impl PageFlags {
    const WRITABLE: u8 = 1 << 1;
    const USER: u8 = 1 << 2;
    const LETTERS: [(char, u8); 4] = [('w', Self::WRITABLE), ('u', Self::USER), ('t', 1 << 3), ('c', 1 << 4)];

    /// From four bits: writable, user, write-through, cache-disable; others are dropped.
    #[inline]
    #[must_use]
    pub const fn from_bits_folded(bits: u8) -> Self {
        PageFlags((bits & 15) << 1)
    }

    /// The four bits.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0 >> 1
    }

    /// As they stand in an entry.
    #[inline]
    #[must_use]
    pub const fn entry_bits(self) -> u32 {
        self.0 as u32
    }
}

impl TryFrom<String> for PageFlags {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut flags = 0;
        for letter in text.chars() {
            let known = Self::LETTERS.iter().find(|(name, _)| *name == letter);
            let (_, bit) = known.ok_or("flags are letters: w writable, u user, t write-through, c cache-disable")?;
            flags |= bit;
        }
        Ok(PageFlags(flags))
    }
}

impl From<PageFlags> for String {
    fn from(flags: PageFlags) -> String {
        PageFlags::LETTERS.iter().filter(|(_, bit)| flags.0 & bit != 0).map(|(letter, _)| letter).collect()
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for PageFlags {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.arbitrary().map(Self::from_bits_folded)
    }
}

impl Segment {
    /// Nothing at address 0.
    pub(super) const EMPTY: Segment =
        Segment { address: VirtualAddress(0), offset: 0, file_bytes: 0, memory_bytes: 0, writable: false };
}

impl Segments {
    /// The first segments of a list.
    #[must_use]
    pub fn of(segments: &[Segment]) -> Self {
        let mut all = Segments { list: [Segment::EMPTY; MAX_SEGMENTS], count: 0 };
        for (place, segment) in all.list.iter_mut().zip(segments) {
            *place = *segment;
            all.count += 1;
        }
        all
    }

    /// How many.
    #[inline]
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// The segments.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[Segment] {
        &self.list[..usize::from(self.count)]
    }
}

impl TryFrom<Vec<Segment>> for Segments {
    type Error = &'static str;
    fn try_from(list: Vec<Segment>) -> Result<Self, Self::Error> {
        if list.len() <= MAX_SEGMENTS { Ok(Segments::of(&list)) } else { Err("an ELF file has at most 3 segments") }
    }
}

impl From<Segments> for Vec<Segment> {
    fn from(segments: Segments) -> Vec<Segment> {
        segments.as_slice().to_vec()
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for Segments {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let count = bytes.int_in_range(0..=MAX_SEGMENTS)?;
        let list: [Segment; MAX_SEGMENTS] = bytes.arbitrary()?;
        Ok(Segments::of(&list[..count]))
    }
}
