//! The file that the recorder writes and memtwin reads: a header, then one record for each call, then zeros. It is data
//! and nothing else. Does not read or write files, and allocates nothing, for the recorder runs inside of other
//! programs' `malloc`.
//!
//! The recorder stores a record's first word last. So the file is whole at any moment, however the program ends, and
//! its end is the first record whose kind is 0.

/// How a file begins.
pub const MAGIC: u64 = u64::from_le_bytes(*b"MEMTWREC");
/// The version of this form.
pub const VERSION: u64 = 1;
/// The bytes before the first record.
pub const HEADER_BYTES: usize = 4096;
/// The bytes of a record.
pub const RECORD_BYTES: usize = 8 * RECORD_WORDS;
/// The words of a record.
pub const RECORD_WORDS: usize = 3;
/// The most broken laws that are noted.
pub const MOST_BREACHES: usize = 100;
/// The environment variable that names the folder for recordings; without it the recorder records nothing.
pub const FOLDER_VARIABLE: &str = "MEMTWIN_RECORDING_FOLDER";
/// The environment variable that has the recorder judge, whatever its value.
pub const JUDGE_VARIABLE: &str = "MEMTWIN_RECORDING_JUDGE";

/// The words of the header, by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Field {
    /// [`MAGIC`].
    Magic,
    /// [`VERSION`].
    Version,
    /// The process.
    Process,
    /// When it began to record, in nanoseconds of the monotonic clock.
    Started,
    /// The program's name, as the kernel has it: at most 15 bytes, here the first 8.
    Name,
    /// The others.
    NameEnd,
    /// Whether the recorder judges: 0 or 1.
    Judges,
    /// Calls that came after the file was full.
    CallsLost,
    /// Blocks that the recorder has no room to know, and what was asked of blocks that it never knew.
    BlocksLost,
    /// Broken laws, also those beyond the ones that are noted.
    Breaches,
}

/// Where the notes of broken laws begin, in words.
pub const BREACHES_AT_WORD: usize = 16;
/// The words of such a note.
pub const BREACH_WORDS: usize = 4;

const _: () = assert!((BREACHES_AT_WORD + BREACH_WORDS * MOST_BREACHES) * 8 <= HEADER_BYTES);

/// What a program asked of its allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `malloc(first)`; also `realloc` of null.
    Malloc = 1,
    /// `calloc(first, second)`.
    Calloc,
    /// `posix_memalign` of `first` bytes at a multiple of `second`.
    PosixMemalign,
    /// `aligned_alloc`, likewise.
    AlignedAlloc,
    /// `memalign`, likewise.
    Memalign,
    /// `realloc` of a block to `first` bytes: where it succeeds the block keeps its number.
    Realloc,
    /// `reallocarray` of a block to `first` times `second` bytes.
    Reallocarray,
    /// `free` of a block; also `realloc` to no bytes.
    Free,
    /// `free` of null.
    FreeNull,
    /// `free` of something that was never seen to be asked for.
    FreeUnknown,
    /// `malloc_usable_size` of a block.
    UsableSize,
}

impl Kind {
    /// Every kind, in the order of their numbers from 1 on.
    pub const ALL: [Kind; 11] = [
        Kind::Malloc,
        Kind::Calloc,
        Kind::PosixMemalign,
        Kind::AlignedAlloc,
        Kind::Memalign,
        Kind::Realloc,
        Kind::Reallocarray,
        Kind::Free,
        Kind::FreeNull,
        Kind::FreeUnknown,
        Kind::UsableSize,
    ];

    /// The function's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Malloc => "malloc",
            Kind::Calloc => "calloc",
            Kind::PosixMemalign => "posix_memalign",
            Kind::AlignedAlloc => "aligned_alloc",
            Kind::Memalign => "memalign",
            Kind::Realloc => "realloc",
            Kind::Reallocarray => "reallocarray",
            Kind::Free | Kind::FreeNull | Kind::FreeUnknown => "free",
            Kind::UsableSize => "malloc_usable_size",
        }
    }

    /// Whether it asks for a block that is not there yet.
    #[must_use]
    pub const fn is_new(self) -> bool {
        matches!(self, Kind::Malloc | Kind::Calloc | Kind::PosixMemalign | Kind::AlignedAlloc | Kind::Memalign)
    }

    /// Whether it is another size for a block.
    #[must_use]
    pub const fn is_resize(self) -> bool {
        matches!(self, Kind::Realloc | Kind::Reallocarray)
    }
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// What was asked.
    pub kind: Kind,
    /// Whether a request for memory was answered with a block.
    pub is_answered: bool,
    /// The thread, numbered from 0 on in the order in which threads were first seen; threads that never lived at the
    /// same time may share a number.
    pub thread: u16,
    /// The block's number, from 1 on; 0 is none.
    pub block: u32,
    /// The first operand: a size, or a count.
    pub first: u64,
    /// The second one: a size or an alignment.
    pub second: u64,
}

impl Record {
    /// As words of the file.
    #[inline]
    #[must_use]
    pub const fn words(&self) -> [u64; RECORD_WORDS] {
        let head =
            self.kind as u64 | (self.is_answered as u64) << 8 | (self.thread as u64) << 16 | (self.block as u64) << 32;
        [head, self.first, self.second]
    }

    /// From words of a file; `None` at its end, and where no recorder wrote them.
    #[must_use]
    pub fn from_words(words: [u64; RECORD_WORDS]) -> Option<Self> {
        let [head, first, second] = words;
        let [kind, flags, thread_low, thread_high, block @ ..] = head.to_le_bytes();
        Some(Record {
            kind: *Kind::ALL.get(usize::from(kind).checked_sub(1)?)?,
            is_answered: flags & 1 != 0,
            thread: u16::from_le_bytes([thread_low, thread_high]),
            block: u32::from_le_bytes(block),
            first,
            second,
        })
    }

    /// The bytes that a request is for; `None` where a product overflows.
    #[must_use]
    pub const fn asked_bytes(&self) -> Option<u64> {
        match self.kind {
            Kind::Calloc | Kind::Reallocarray => self.first.checked_mul(self.second),
            Kind::Malloc | Kind::PosixMemalign | Kind::AlignedAlloc | Kind::Memalign | Kind::Realloc => {
                Some(self.first)
            }
            Kind::Free | Kind::FreeNull | Kind::FreeUnknown | Kind::UsableSize => Some(0),
        }
    }

    /// The alignment that a request names.
    #[must_use]
    pub const fn asked_align(&self) -> Option<u64> {
        match self.kind {
            Kind::PosixMemalign | Kind::AlignedAlloc | Kind::Memalign => Some(self.second),
            Kind::Malloc
            | Kind::Calloc
            | Kind::Realloc
            | Kind::Reallocarray
            | Kind::Free
            | Kind::FreeNull
            | Kind::FreeUnknown
            | Kind::UsableSize => None,
        }
    }
}

/// A law that the recorder judges by. The names are those of the component heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Law {
    /// A block was answered to a request that no block can have.
    Refusal,
    /// A block is not aligned.
    Aligned,
    /// A block ends beyond the address space.
    Inside,
    /// A block shares bytes with another one.
    Disjoint,
    /// A byte of `calloc`'s is not zero.
    Zeroed,
    /// A reallocation lost bytes.
    Kept,
    /// Fewer bytes are usable than were asked for.
    Usable,
    /// `posix_memalign` takes an alignment that it must not take, or does not take one that it must.
    Invalid,
}

impl Law {
    /// Every law, in the order of their numbers.
    pub const ALL: [Law; 8] =
        [Law::Refusal, Law::Aligned, Law::Inside, Law::Disjoint, Law::Zeroed, Law::Kept, Law::Usable, Law::Invalid];

    /// The law's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Law::Refusal => "refusal",
            Law::Aligned => "aligned",
            Law::Inside => "inside",
            Law::Disjoint => "disjoint",
            Law::Zeroed => "zeroed",
            Law::Kept => "kept",
            Law::Usable => "usable",
            Law::Invalid => "invalid",
        }
    }
}

/// A broken law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breach {
    /// The law.
    pub law: Law,
    /// The number of the call, from 0 on: the record that it is in.
    pub call: u64,
    /// The address of the block that was answered.
    pub address: u64,
    /// Where in the block it shows (zeroed, kept), the block that is overlapped (disjoint), what was told (usable).
    pub place: u64,
}

impl Breach {
    /// As words of the header.
    #[must_use]
    pub const fn words(&self) -> [u64; BREACH_WORDS] {
        [self.law as u64, self.call, self.address, self.place]
    }

    /// From words of a header.
    #[must_use]
    pub fn from_words(words: [u64; BREACH_WORDS]) -> Option<Self> {
        let [law, call, address, place] = words;
        let law = *Law::ALL.get(usize::try_from(law).ok()?)?;
        Some(Breach { law, call, address, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index + 1);
            for is_answered in [false, true] {
                let record =
                    Record { kind, is_answered, thread: 0xfedc, block: 0x8765_4321, first: u64::MAX, second: 1 << 63 };
                assert_eq!(Record::from_words(record.words()), Some(record));
            }
        }
        assert_eq!(Record::from_words([0, 7, 7]), None);
        assert_eq!(Record::from_words([Kind::ALL.len() as u64 + 1, 0, 0]), None);
    }

    #[test]
    fn a_breach_is_read_as_it_was_written() {
        for (index, law) in Law::ALL.into_iter().enumerate() {
            let breach = Breach { law, call: 1 << 40, address: u64::MAX, place: 3 };
            assert_eq!(breach.words()[0], index as u64);
            assert_eq!(Breach::from_words(breach.words()), Some(breach));
        }
        assert_eq!(Breach::from_words([Law::ALL.len() as u64, 0, 0, 0]), None);
    }
}
