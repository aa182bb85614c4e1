//! What is probably wrong with an allocator that took a pointer for what it is not, from the ops and the failure alone.

use super::words;
use crate::finding::{Cause, FaultClass, Step};
use crate::rig::Incident;
use memtwin_models::Law;
use memtwin_models::header_free::{
    HEADER_BYTES, HeaderFree, Kind, MincorePlan, Mode, Op, OpKind, PAGE_BYTES, Setup, Slot, laws,
};

pub(super) fn diagnose(incident: &Incident<'_, HeaderFree>) -> Option<String> {
    match (&incident.failure.cause, incident.failure.step) {
        (Cause::Fault(fault), Step::Op(_)) if fault.class == FaultClass::Segfault => {
            diagnose_fault(incident.ops, fault.address?)
        }
        (Cause::Fault(_), _) => None,
        (Cause::Law { place, field, .. }, _) => {
            diagnose_law(incident.setup, incident.ops, incident.law?, field, *place)
        }
    }
}

/// What a slot was given last, before the last op.
fn source(ops: &[Op], slot: Slot) -> Option<&Op> {
    let (_, earlier) = ops.split_last()?;
    earlier.iter().rev().find(|op| {
        let gives = matches!(
            op,
            Op::Alloc { .. } | Op::LibcAlloc { .. } | Op::BootAlloc { .. } | Op::MapForeign { .. } | Op::Realloc { .. }
        );
        gives && op.slot() == Some(slot)
    })
}

fn source_words(ops: &[Op], slot: Slot, delta: u64) -> String {
    let what = match source(ops, slot) {
        None => return format!("{delta:#x}, a number that was never a block"),
        Some(Op::LibcAlloc { .. }) => "a block of libc's, which has no header".to_owned(),
        Some(Op::BootAlloc { .. }) => "a block from before the allocator was up, which has no header".to_owned(),
        Some(Op::MapForeign { .. }) => "a foreign page, which has no header".to_owned(),
        Some(Op::Alloc { kind: Kind::Tiny, .. }) => "a tiny block, which has no header".to_owned(),
        Some(Op::Alloc { kind, .. }) => format!("a {} block", kind.name()),
        Some(
            Op::Realloc { .. }
            | Op::UsableSize { .. }
            | Op::Write { .. }
            | Op::Verify { .. }
            | Op::Free { .. }
            | Op::ProtectNeighbour { .. }
            | Op::UnmapNeighbour { .. }
            | Op::Forge { .. }
            | Op::RetireSuperslab { .. }
            | Op::Stats
            | Op::ThreadExit { .. }
            | Op::WriteEnd { .. },
        ) => "a block of the allocator's".to_owned(),
    };
    if delta == 0 { what } else { format!("{} of {what}", words::pointer(slot.index(), delta)) }
}

fn diagnose_fault(ops: &[Op], address: u64) -> Option<String> {
    let last = ops.last()?;
    // A question about an own block touches more than what is before the pointer.
    let is_own = |slot, delta| {
        let source = source(ops, slot);
        delta == 0 && matches!(source, Some(Op::Alloc { .. } | Op::Realloc { .. } | Op::BootAlloc { .. }))
    };
    let asked = match *last {
        Op::Free { slot, delta, .. } => Some((slot, delta)),
        Op::Realloc { slot, delta, .. } | Op::UsableSize { slot, delta } => {
            Some((slot, delta)).filter(|_| !is_own(slot, delta))
        }
        Op::Alloc { .. }
        | Op::Write { .. }
        | Op::WriteEnd { .. }
        | Op::Verify { .. }
        | Op::LibcAlloc { .. }
        | Op::BootAlloc { .. }
        | Op::ThreadExit { .. }
        | Op::MapForeign { .. }
        | Op::ProtectNeighbour { .. }
        | Op::UnmapNeighbour { .. }
        | Op::Forge { .. }
        | Op::RetireSuperslab { .. }
        | Op::Stats => None,
    };
    let Some((slot, delta)) = asked else {
        let touches = matches!(last, Op::Write { .. } | Op::WriteEnd { .. } | Op::Verify { .. } | Op::Forge { .. });
        return Some(if touches {
            format!(
                "The program touched its own block at {address:#x}, and nothing is mapped there. Probably the \
                 allocator handed out memory beyond what it has. Look at how many blocks it takes a slab to hold, and \
                 at what each takes with its header."
            )
        } else {
            format!(
                "The allocator touched {address:#x}, where nothing is mapped, in {}: probably while it wrote a header \
                 or copied a block, or in the free at the end of a reallocation.",
                OpKind::NAMES[last.kind() as usize]
            )
        });
    };
    let what = source_words(ops, slot, delta);
    if source(ops, slot).is_none() && address >> 47 != 0 {
        return Some(format!(
            "The pointer is {delta:#x}. Less the header's {HEADER_BYTES} bytes it wraps below zero, to {address:#x}. \
             Probably the header of a headerless pointer was read. Compare before subtracting."
        ));
    }
    let from_page_start = address.is_multiple_of(PAGE_BYTES);
    let protected = ops.iter().any(|op| matches!(op, Op::ProtectNeighbour { .. }));
    let forged = ops.iter().any(|op| matches!(op, Op::Forge { .. }));
    if address.is_multiple_of(1 << 20) {
        return Some(format!(
            "{address:#x} is a multiple of 1 MiB. Probably the pointer was masked to where a SuperSlab would begin, \
             and read there. It is {what}, and lies in no SuperSlab. Only the registry can say where one is."
        ));
    }
    if from_page_start && forged {
        return Some(format!(
            "A header of {HEADER_BYTES} bytes that begins on one page ends on the next. Probably the first page was \
             checked, and the read went on to {address:#x} on the second. The bytes that looked like a header were \
             the program's own. The pointer is {what}."
        ));
    }
    let in_header = address % PAGE_BYTES >= PAGE_BYTES - HEADER_BYTES;
    if in_header && address % PAGE_BYTES == PAGE_BYTES - 1 {
        return Some(format!(
            "The byte before the pointer was touched, at {address:#x}: it is on another page, which need not be \
             there. The pointer is {what}."
        ));
    }
    let cause = if protected {
        " The page before it has PROT_NONE: mincore says that a page is mapped, not that it can be read."
    } else {
        " Nothing is mapped before it."
    };
    Some(format!(
        "The fault address {address:#x} lies in the {HEADER_BYTES} bytes before the pointer. Probably the header of a \
         headerless block was read. The pointer is {what}.{cause} Ask books of your own who owns it, before you read \
         a byte of it."
    ))
}

fn diagnose_law(setup: &Setup, ops: &[Op], law: &Law, field: &str, place: Option<u64>) -> Option<String> {
    match *law {
        laws::LEAK => Some(diagnose_leak(setup, ops, field, place)),
        laws::ROUTE => Some(diagnose_route(setup, ops)),
        laws::INVALID => Some(diagnose_invalid(ops).to_owned()),
        laws::REALLOC if !ops.iter().any(|op| matches!(op, Op::UsableSize { .. })) => Some(
            "Bytes that the program put there are gone. Probably the new block got fewer than both sizes have."
                .to_owned(),
        ),
        _ => None,
    }
}

fn diagnose_invalid(ops: &[Op]) -> &'static str {
    let forged = ops.iter().any(|op| matches!(op, Op::Forge { .. }));
    let is_stale = matches!(ops.last(), Some(Op::Free { delta: 0, .. }));
    if forged {
        "Probably bytes of the program's own that looked like a header were believed: a magic is no proof. Only books \
         that lie outside of the program's reach can say what a pointer is."
    } else if is_stale {
        "The block was freed before, and was freed again. Probably its header, or its entry, still called it a block."
    } else {
        "Probably a pointer into the middle of a block, or to nothing, was taken for the start of one."
    }
}

fn diagnose_leak(setup: &Setup, ops: &[Op], field: &str, place: Option<u64>) -> String {
    let kind = place.and_then(|place| Kind::ALL.get(usize::try_from(place).ok()?)).map_or("tiny", |kind| kind.name());
    let freed = ops.iter().any(|op| matches!(op, Op::Free { .. }));
    if freed && setup.mode == Mode::Direct1 && matches!(kind, "mmap" | "big_cache" | "malloc") {
        return format!(
            "A {kind} block was freed, and is not in the books as freed. In this mode unknown pointers are ignored \
             without an error. Probably the block was judged unreadable although it is the allocator's own: if \
             mincore is given an unaligned address (the header's own, not its page's), it answers EINVAL for every \
             page."
        );
    }
    format!(
        "What was allocated less what was freed is not what lives ({kind}, {field}). Probably a block was freed \
         without effect, or never counted."
    )
}

fn diagnose_route(setup: &Setup, ops: &[Op]) -> String {
    let Some(Op::Free { slot, delta, .. }) = ops.last() else {
        return "A live block was not taken for one. Probably this entry point does not ask all the books that free \
                asks, or leaves to others what libc knows."
            .to_owned();
    };
    let what = source_words(ops, *slot, *delta);
    let superslabs_matter = matches!(source(ops, *slot), Some(Op::Alloc { kind: Kind::Tiny, .. }));
    let retired = ops.iter().any(|op| matches!(op, Op::RetireSuperslab { .. }));
    let raw = matches!(
        source(ops, *slot),
        Some(Op::Alloc { kind: Kind::Mmap | Kind::BigCache | Kind::Malloc, .. } | Op::Realloc { .. })
    );
    let reused = ops.iter().filter(|op| matches!(op, Op::Free { .. })).count() > 1;
    if superslabs_matter && retired {
        "The SuperSlab of a live tiny block is not found after another one was given back. Probably a probe of the \
         registry stops at the place of the one that is gone. A tombstone is no end."
            .to_owned()
    } else if superslabs_matter && reused && setup.tiny_header {
        "A tiny block that was handed out again after a free is not known. Probably a list of free blocks mixes \
         pointers of the program with the blocks' beginnings, one header apart."
            .to_owned()
    } else if superslabs_matter {
        "The SuperSlab of a live tiny block is not found. Probably it was never entered, or was lost to another one. A \
         full registry must refuse, or grow."
            .to_owned()
    } else if raw && setup.mincore != MincorePlan::None {
        format!(
            "The pointer is {what}. Probably a valid block was judged unmapped because mincore failed. EAGAIN and \
             ENOSYS say nothing about an address; only ENOMEM does."
        )
    } else if raw && setup.mode == Mode::Direct0 {
        format!(
            "The pointer is {what}, the allocator's own, and went to libc. Probably, with invalid-free mode 0, the \
             question whether it is invalid comes before the question who owns it."
        )
    } else if raw && reused {
        format!(
            "The pointer is {what}. Probably nobody entered it into the books when it was handed out again: each path \
             of allocation has to."
        )
    } else if raw {
        format!(
            "The pointer is {what}. Probably a valid block was judged unreadable, and left to others: mincore answers \
             EINVAL for every unaligned address (man 2 mincore), such as the header's own instead of its page's. \
             Rounded down, it would still not say that the page can be read: keep books instead."
        )
    } else {
        format!(
            "The pointer is {what}, and did not take the route of its owner. Probably routing asked something other \
             than who owns it."
        )
    }
}
