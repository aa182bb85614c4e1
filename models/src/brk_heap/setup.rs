//! What is fixed before the first op: the program's layout, where the compiler keeps its locals, how it copies, and
//! what the kernel has to give.

use crate::vocabulary::DescribedHere;
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The guest's page size in bytes.
    pub const PAGE_BYTES: u64 = 4096;
    /// The first guest address after the program's range, in bytes (1 GiB).
    pub const GUEST_END: u64 = 1 << 30;
    /// Where the program's text begins; it has one page.
    pub const TEXT_START: u64 = 0x40_0000;
    /// Where .bss begins. Its first 16 bytes hold the allocator's two words, head and end.
    pub const BSS_START: u64 = TEXT_START + PAGE_BYTES;
    /// The smallest .bss: the allocator's two words.
    pub const MIN_BSS_BYTES: u32 = 16;
    /// The largest .bss.
    pub const MAX_BSS_BYTES: u32 = 0x1_0000;
    /// What the allocator asks for at first, and what the loader maps before it asks, in bytes.
    pub const FIRST_EXTENT_BYTES: u64 = 0x1_0000;
    /// The stack's size in bytes.
    pub const STACK_BYTES: u64 = 0x1_0000;
    /// The first address above the stack.
    pub const STACK_TOP: u64 = 0x3fff_f000;
    /// The stack's first address, where a setup names no lower one.
    pub const STACK_LOW: u64 = STACK_TOP - STACK_BYTES;
    /// Where the kernel puts mappings that name no address.
    pub const MMAP_START: u64 = 0x1000_0000;
    /// The most frames that a setup gives to the heap (16 MiB).
    pub const MAX_FRAMES: u32 = 4096;
    /// The number of edges that sizes and addresses are written relative to.
    pub const EDGES: usize = 16;
    /// The error number of a refusal for want of memory, as a system call returns it.
    pub const ENOMEM: u64 = 12_u64.wrapping_neg();
}

/// The setup of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The size of .bss in bytes, [`MIN_BSS_BYTES`] to [`MAX_BSS_BYTES`]: the heap begins on the page after it.
    pub bss_bytes: u32,
    /// The pages that the heap may have, 1 to [`MAX_FRAMES`].
    pub frames: u32,
    /// What `brk` answers when it refuses.
    #[serde(default, skip_serializing_if = "Refusal::is_current_break")]
    pub refusal: Refusal,
    /// What the kernel rounds the break up to.
    #[serde(default, skip_serializing_if = "Granularity::is_page")]
    pub granularity: Granularity,
    /// Whether a page that is mapped anew still holds what it held before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dirty_pages: bool,
    /// The order of the stores of a copy.
    #[serde(default, skip_serializing_if = "CopyOrder::is_ascending")]
    pub copy_order: CopyOrder,
    /// Where the compiler keeps the allocator's locals over system calls.
    #[serde(default, skip_serializing_if = "Placement::is_saved")]
    pub placement: Placement,
    /// Where the stack begins, [`STACK_BYTES`] of it: a multiple of [`PAGE_BYTES`], at least [`FIRST_EXTENT_BYTES`]
    /// above the heap's start and at most [`STACK_LOW`].
    #[serde(default, skip_serializing_if = "StackLow::is_usual")]
    pub stack_low: StackLow,
}

/// Where the stack begins: blocks end below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(transparent)]
pub struct StackLow(#[serde(with = "crate::hex")] pub u64);

/// What `brk` answers when it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The break as it is, as Linux does.
    #[default]
    CurrentBreak,
    /// 0.
    Zero,
    /// -ENOMEM.
    Enomem,
}

/// What the kernel rounds the break up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// A page.
    #[default]
    Page,
    /// 64 KiB.
    SixteenPages,
    /// Nothing: the break stays where it was asked for, as on Linux. Pages are whole all the same.
    Byte,
}

/// The order of the byte stores of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(rename_all = "snake_case")]
pub enum CopyOrder {
    /// One after the other.
    #[default]
    Ascending,
    /// Groups of four, of which the store at offset `first` comes first; what is left over is stored one after the
    /// other.
    UnrolledBy4 {
        /// Below 4.
        first: u8,
    },
}

/// Where a local lives while a system call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "String", into = "String")]
pub enum Storage {
    /// On the stack.
    #[default]
    Saved,
    /// In a register, x9 to x28.
    X(u8),
}

/// Where the allocator's locals live. Two that are needed at the same time never share a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(deny_unknown_fields, default)]
pub struct Placement {
    /// The size asked for: needed over the two calls of the first use.
    pub size: Storage,
    /// The alignment less one: needed over the two calls of the first use.
    pub mask: Storage,
    /// The head, later the block's address: needed over every call but the first.
    pub head: Storage,
    /// The head after the allocation: needed over the call that grows the heap.
    pub new_head: Storage,
    /// The end that is asked for: needed over the call that grows the heap.
    pub new_end: Storage,
}

impl Storage {
    /// The lowest and the highest register that a compiler keeps locals in here.
    pub const REGISTERS: std::ops::RangeInclusive<u8> = 9..=28;
}

impl TryFrom<String> for Storage {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "saved" {
            return Ok(Storage::Saved);
        }
        let number = text.strip_prefix('x').and_then(|digits| digits.parse().ok());
        number
            .filter(|number| Storage::REGISTERS.contains(number))
            .map(Storage::X)
            .ok_or("a place is \"saved\" or one of \"x9\" to \"x28\"")
    }
}

impl From<Storage> for String {
    fn from(place: Storage) -> String {
        match place {
            Storage::Saved => "saved".to_owned(),
            Storage::X(number) => format!("x{number}"),
        }
    }
}

impl Refusal {
    fn is_current_break(&self) -> bool {
        *self == Refusal::CurrentBreak
    }
}

impl Granularity {
    fn is_page(&self) -> bool {
        *self == Granularity::Page
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Granularity::Page => PAGE_BYTES,
            Granularity::SixteenPages => 16 * PAGE_BYTES,
            Granularity::Byte => 1,
        }
    }
}

impl Default for StackLow {
    fn default() -> Self {
        StackLow(STACK_LOW)
    }
}

impl StackLow {
    fn is_usual(&self) -> bool {
        *self == StackLow::default()
    }
}

impl CopyOrder {
    fn is_ascending(&self) -> bool {
        *self == CopyOrder::Ascending
    }
}

impl Placement {
    /// The reported build: size and new end share x9.
    pub const REPORTED: Placement = Placement {
        size: Storage::X(9),
        mask: Storage::Saved,
        head: Storage::Saved,
        new_head: Storage::Saved,
        new_end: Storage::X(9),
    };

    fn is_saved(&self) -> bool {
        *self == Placement::default()
    }

    /// Whether two locals that are needed at the same time share a register.
    #[must_use]
    pub fn clashes(&self) -> bool {
        let Placement { size, mask, head, new_head, new_end } = *self;
        let pairs = [(size, mask), (size, head), (mask, head), (head, new_head), (head, new_end), (new_head, new_end)];
        pairs.iter().any(|(left, right)| left == right && *left != Storage::Saved)
    }
}

impl Setup {
    /// The layouts of the report, in which the heap begins at 0x402000, or at 0x403000 with one more page of .bss.
    #[must_use]
    pub fn reported(more_bss_pages: u32) -> Self {
        Setup {
            bss_bytes: MIN_BSS_BYTES + more_bss_pages * 4096,
            frames: 64,
            refusal: Refusal::CurrentBreak,
            granularity: Granularity::Page,
            dirty_pages: false,
            copy_order: CopyOrder::UnrolledBy4 { first: 3 },
            placement: Placement::REPORTED,
            stack_low: StackLow::default(),
        }
    }

    /// Where the heap begins: the first page after .bss. It is also the first break.
    #[must_use]
    pub const fn heap_start(&self) -> u64 {
        (BSS_START + self.bss_bytes as u64).next_multiple_of(PAGE_BYTES)
    }

    /// Says what is wrong with a setup that a person wrote.
    pub fn check(&self) -> Result<(), &'static str> {
        if !(MIN_BSS_BYTES..=MAX_BSS_BYTES).contains(&self.bss_bytes) {
            return Err("bss_bytes is not between 16 and 65536");
        }
        if !(1..=MAX_FRAMES).contains(&self.frames) {
            return Err("frames is not between 1 and 4096");
        }
        if let CopyOrder::UnrolledBy4 { first: 4.. } = self.copy_order {
            return Err("the first store of a group of four is at offset 0 to 3");
        }
        let StackLow(stack_low) = self.stack_low;
        if !stack_low.is_multiple_of(PAGE_BYTES)
            || !(self.heap_start() + FIRST_EXTENT_BYTES..=STACK_LOW).contains(&stack_low)
        {
            return Err("stack_low is no page at least 64 KiB above the heap's start and at most 0x3ffef000");
        }
        if self.placement.clashes() {
            return Err("two locals that are needed at the same time share a register");
        }
        Ok(())
    }

    /// The sizes and addresses near which things happen. Version 1 of the wire format writes numbers relative to these,
    /// so the table is frozen.
    #[must_use]
    pub fn edges(&self) -> [u64; EDGES] {
        let start = self.heap_start();
        let frames_bytes = u64::from(self.frames) * PAGE_BYTES;
        [
            0,
            PAGE_BYTES,
            FIRST_EXTENT_BYTES,
            start,
            start + FIRST_EXTENT_BYTES,
            start + frames_bytes,
            frames_bytes,
            self.stack_low.0,
            GUEST_END,
            1 << 47,
            u64::MAX >> 1,
            u64::MAX - (PAGE_BYTES - 1),
            u64::MAX,
            u64::MAX - start,
            TEXT_START,
            256,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_begins_after_bss() {
        assert_eq!(Setup::reported(0).heap_start(), 0x40_2000);
        assert_eq!(Setup::reported(1).heap_start(), 0x40_3000);
        assert_eq!(Setup::reported(0).check(), Ok(()));
    }

    #[test]
    fn locals_that_are_needed_together_do_not_share_a_register() {
        let x9 = Storage::X(9);
        assert!(!Placement::REPORTED.clashes());
        assert!(Placement { size: x9, mask: x9, ..Placement::default() }.clashes());
        assert!(Placement { head: x9, new_head: x9, ..Placement::default() }.clashes());
        assert!(!Placement { size: x9, new_head: x9, ..Placement::default() }.clashes());
    }
}
