//! A broken law in words. Judges nothing.

use memtwin_models::heap::Size;
use memtwin_recording::{Breach, Kind, Law, Record};

/// A call as a C program has it.
fn call(record: &Record) -> String {
    let (name, first, second) = (record.kind.name(), Size(record.first), Size(record.second));
    match record.kind {
        Kind::Malloc => format!("{name}({first})"),
        Kind::Calloc => format!("{name}({first}, {second})"),
        Kind::PosixMemalign => format!("{name}(&block, {second}, {first})"),
        Kind::AlignedAlloc | Kind::Memalign => format!("{name}({second}, {first})"),
        Kind::Realloc => format!("{name}(block, {first})"),
        Kind::Reallocarray => format!("{name}(block, {first}, {second})"),
        Kind::Free | Kind::FreeUnknown | Kind::UsableSize => format!("{name}(block)"),
        Kind::FreeNull => format!("{name}(NULL)"),
    }
}

/// What an allocator did wrong at a call.
#[must_use]
pub fn breach_words(breach: &Breach, record: &Record) -> String {
    let Breach { address, place, .. } = *breach;
    let call = call(record);
    match breach.law {
        Law::Refusal => format!("{call} answered a block, and none can be so large"),
        Law::Aligned => {
            let size = record.asked_bytes().unwrap_or(0);
            let natural = 1 << size.max(1).ilog2().min(4);
            let align = Size(record.asked_align().unwrap_or(natural));
            format!("{call} answered a block at {address:#x}, which is not a multiple of {align}")
        }
        Law::Inside => format!("{call} answered a block at {address:#x} that ends beyond the address space"),
        Law::Disjoint => {
            format!("{call} answered a block at {address:#x} that shares bytes with the live block at {place:#x}")
        }
        Law::Zeroed => format!("{call} answered a block whose byte {place} is not zero"),
        Law::Kept if record.is_answered => format!("{call} lost what was in byte {place} of the block"),
        Law::Kept => format!("{call} answered null, and byte {place} of the block is not what it was"),
        Law::Usable => format!("{call} answered {}, fewer than were asked for", Size(place)),
        Law::Invalid if record.is_answered => format!("{call} took an alignment that it must refuse"),
        Law::Invalid => format!("{call} answered EINVAL to a legal alignment, or another error to an illegal one"),
    }
}
