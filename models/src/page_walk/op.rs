//! The calls on page tables and on the memory behind them. Total: every op is legal in every state of every setup.

use super::setup::MAX_MAPPED;
use crate::vocabulary::DescribedHere;
#[cfg(feature = "arbitrary")]
use arbitrary::{Arbitrary, Unstructured};
use memtwin_derive::Kinds;
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The number of snapshots that are kept.
    pub const SLOTS: u8 = 4;
    /// The most entries that one op writes.
    pub const MAX_FILLED: u16 = 512;
    /// The longest read by guest virtual address, in bytes.
    pub const MAX_READ_BYTES: u64 = 1 << 20;
}

/// One of the kept snapshots: below [`SLOTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "u8", into = "u8")]
pub struct Slot(u8);

/// A backing: scratch, the snapshot, or a file mapping, in the order in which addresses are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, DescribedHere)]
#[serde(rename_all = "snake_case")]
pub enum Backing {
    /// Scratch, at the top of the guest-physical address space.
    Scratch,
    /// The snapshot, at 0x1000, with its tail.
    Snapshot,
    /// The file mapping with this index. A setup may have fewer.
    Mapped(#[serde(deserialize_with = "mapped_index")] u8),
}

/// A file mapping of the setup, by its index: below [`MAX_MAPPED`]. A setup may have fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "u8", into = "u8")]
pub struct File(u8);

/// What a mapping allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // read, write, execute
pub enum MappingKind {
    /// Nothing: the pages are taken away. No table is made.
    Unmapped,
    /// Plain memory. Pages that are mapped can always be read.
    Basic { r: bool, w: bool, x: bool },
    /// Copied before the first write: AVL bit 9, no RW.
    Cow { r: bool, x: bool },
}

/// What a pushed element begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case")]
pub enum Prefix {
    /// The pattern itself.
    None,
    /// Four bytes with the length of what follows them.
    Right,
    /// Four bytes with this number.
    Number(u32),
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Kinds, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the fields are the parameters of the call that each variant names
pub enum Op {
    /// `map(phys, virt, length, kind)`, page after page; what was mapped before an error stays.
    Map {
        #[serde(with = "crate::hex")]
        phys: u64,
        #[serde(with = "crate::hex")]
        virt: u64,
        #[serde(with = "crate::hex")]
        length: u64,
        kind: MappingKind,
    },
    /// `alloc_table()`: appends a zeroed table and answers with its address.
    AllocTable,
    /// `set_root(root)`; the low 12 bits are ignored by walks.
    SetRoot {
        #[serde(with = "crate::hex")]
        root: u64,
    },
    /// `read_entry(address)`.
    ReadEntry {
        #[serde(with = "crate::hex")]
        address: u64,
    },
    /// `write_entry(address, value)`: a raw entry.
    WriteEntry {
        #[serde(with = "crate::hex")]
        address: u64,
        #[serde(with = "crate::hex")]
        value: u64,
    },
    /// `write_entry` of the same value to `count` entries in a row.
    FillEntries {
        #[serde(with = "crate::hex")]
        address: u64,
        count: u16,
        #[serde(with = "crate::hex")]
        value: u64,
    },
    /// `virt_to_phys(address, length, root)`.
    Walk {
        #[serde(with = "crate::hex")]
        address: u64,
        #[serde(with = "crate::hex")]
        length: u64,
    },
    /// `read_guest_memory_by_gva(address, length, root, mmap_regions)`.
    Read {
        #[serde(with = "crate::hex")]
        address: u64,
        #[serde(with = "crate::hex")]
        length: u64,
    },
    /// `get_guest_memory_regions(root, mmap_regions)`; the harness then touches every page of every region.
    Regions,
    /// The guest writes `length` bytes of the pattern `seed` to guest-physical memory.
    GuestWrite {
        #[serde(with = "crate::hex")]
        address: u64,
        seed: u16,
        length: u16,
    },
    /// The guest writes a word of eight bytes to guest-physical memory: hostile pointers and counts.
    GuestWord {
        #[serde(with = "crate::hex")]
        address: u64,
        #[serde(with = "crate::hex")]
        value: u64,
    },
    /// The host reads from a backing.
    SharedRead {
        backing: Backing,
        #[serde(with = "crate::hex")]
        offset: u64,
        #[serde(with = "crate::hex")]
        length: u64,
    },
    /// Pushes an element of `length` bytes of the pattern `seed`, after its prefix.
    Push { seed: u16, length: u16, prefix: Prefix },
    /// Pops an element as it is.
    Pop,
    /// Pops an element that begins with its length, and gives what follows.
    PopPrefixed,
    /// Empties the buffer.
    Clear,
    /// Takes a snapshot: the tables of the table buffer become its tail. It is kept in a slot.
    Snapshot { slot: Slot },
    /// Goes back to the snapshot in a slot.
    Restore { slot: Slot },
    /// Splits memory into the handles of host and guest, and writes the bookkeeping.
    Build,
    /// `write_file_mapping_entry`: appends to the list in scratch.
    AddFileMapping {
        #[serde(with = "crate::hex")]
        address: u64,
        #[serde(with = "crate::hex")]
        length: u64,
    },
    /// Translates one address: where it leads, and what may be done there.
    Translate {
        #[serde(with = "crate::hex")]
        address: u64,
    },
    /// A read for the guest's user mode: only pages that user mode may read are there. Without paging it is a read.
    ReadAsUser {
        #[serde(with = "crate::hex")]
        address: u64,
        #[serde(with = "crate::hex")]
        length: u64,
    },
    /// Maps a file of the setup again, with what it holds. All are mapped at first.
    MapFile { file: File },
    /// Takes a file mapping away. The file keeps what it holds.
    UnmapFile { file: File },
}

impl OpKind {
    /// Whether an op of this kind changes nothing, whatever it answers.
    #[must_use]
    pub const fn only_looks(self) -> bool {
        matches!(
            self,
            OpKind::ReadEntry
                | OpKind::Walk
                | OpKind::Translate
                | OpKind::Read
                | OpKind::ReadAsUser
                | OpKind::Regions
                | OpKind::SharedRead
        )
    }

    /// Whether an op of this kind can make pages.
    #[must_use]
    pub const fn makes_pages(self) -> bool {
        matches!(self, OpKind::Map | OpKind::WriteEntry)
    }

    /// Whether the op needs guest memory, and not the table buffer alone.
    #[must_use]
    pub const fn needs_memory(self) -> bool {
        match self {
            OpKind::Map
            | OpKind::AllocTable
            | OpKind::SetRoot
            | OpKind::ReadEntry
            | OpKind::WriteEntry
            | OpKind::FillEntries
            | OpKind::Walk
            | OpKind::Translate => false,
            OpKind::Read
            | OpKind::ReadAsUser
            | OpKind::Regions
            | OpKind::GuestWrite
            | OpKind::GuestWord
            | OpKind::SharedRead
            | OpKind::Push
            | OpKind::Pop
            | OpKind::PopPrefixed
            | OpKind::Clear
            | OpKind::Snapshot
            | OpKind::Restore
            | OpKind::Build
            | OpKind::AddFileMapping
            | OpKind::MapFile
            | OpKind::UnmapFile => true,
        }
    }

    /// Whether ops of this kind came later than version 1 of the wire form.
    #[must_use]
    pub const fn is_later(self) -> bool {
        matches!(self, OpKind::Translate | OpKind::ReadAsUser | OpKind::MapFile | OpKind::UnmapFile)
    }
}

impl Prefix {
    /// The four bytes that an element of `length` bytes begins with, if it begins with any.
    #[must_use]
    pub fn bytes(self, length: u16) -> Option<[u8; 4]> {
        match self {
            Prefix::None => None,
            Prefix::Right => Some(u32::from(length).wrapping_sub(4).to_le_bytes()),
            Prefix::Number(number) => Some(number.to_le_bytes()),
        }
    }
}

impl Slot {
    /// A slot, folded into the number of slots.
    #[must_use]
    pub const fn new_folded(index: u8) -> Self {
        Slot(index % SLOTS)
    }

    /// The index, below [`SLOTS`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl File {
    /// A file, folded into their number.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // three
    pub const fn new_folded(index: u8) -> Self {
        File(index % MAX_MAPPED as u8)
    }

    /// The index, below [`MAX_MAPPED`].
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0
    }
}

impl Backing {
    /// The number of backings that there can be.
    pub const COUNT: usize = 2 + MAX_MAPPED;

    /// The backing with this index, folded into their number.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // five
    pub const fn new_folded(index: u8) -> Self {
        match index % Self::COUNT as u8 {
            0 => Backing::Scratch,
            1 => Backing::Snapshot,
            mapped => Backing::Mapped(mapped - 2),
        }
    }

    /// The index in the order in which addresses are resolved, below [`Backing::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Backing::Scratch => 0,
            Backing::Snapshot => 1,
            Backing::Mapped(index) => 2 + index as usize,
        }
    }
}

impl std::fmt::Display for Backing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Backing::Scratch => formatter.write_str("scratch"),
            Backing::Snapshot => formatter.write_str("the snapshot"),
            Backing::Mapped(index) => write!(formatter, "file mapping {index}"),
        }
    }
}

fn mapped_index<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let index = u8::deserialize(deserializer)?;
    if usize::from(index) < MAX_MAPPED { Ok(index) } else { Err(serde::de::Error::custom("a file mapping is 0 to 2")) }
}

impl TryFrom<u8> for File {
    type Error = &'static str;
    fn try_from(index: u8) -> Result<Self, Self::Error> {
        if usize::from(index) < MAX_MAPPED { Ok(File(index)) } else { Err("a file mapping is 0 to 2") }
    }
}

impl From<File> for u8 {
    fn from(file: File) -> u8 {
        file.0
    }
}

impl TryFrom<u8> for Slot {
    type Error = &'static str;
    fn try_from(index: u8) -> Result<Self, Self::Error> {
        if index < SLOTS { Ok(Slot(index)) } else { Err("a slot is below 4") }
    }
}

impl From<Slot> for u8 {
    fn from(slot: Slot) -> u8 {
        slot.0
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for Slot {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.arbitrary().map(Slot::new_folded)
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for File {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.arbitrary().map(File::new_folded)
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for Backing {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.arbitrary().map(Backing::new_folded)
    }
}
