//! What is probably wrong with a heap, from the ops and the failure alone: what its laws' hints cannot say.

use crate::finding::{Cause, FaultClass, Step};
use crate::rig::Incident;
use memtwin_models::Law;
use memtwin_models::heap::{Heap, Op, Size, Slot, laws};

/// The largest size that C and Rust allow.
const PTRDIFF_MAX: u64 = u64::MAX >> 1;
/// What every block of a malloc is aligned to on 64-bit machines, in bytes.
const MALLOC_ALIGN: u64 = 16;

pub(super) fn diagnose(incident: &Incident<'_, Heap>) -> Option<String> {
    let ops = match incident.failure.step {
        Step::Op(_) => incident.ops,
        Step::Construct | Step::Audit | Step::Teardown => &[],
    };
    match &incident.failure.cause {
        Cause::Law { place, field, .. } => diagnose_law(incident.law?, field, ops, place.unwrap_or(0)),
        Cause::Fault(fault) if fault.class == FaultClass::Segfault => diagnose_fault(ops),
        Cause::Fault(_) => None,
    }
}

fn diagnose_law(law: &Law, field: &str, ops: &[Op], place: u64) -> Option<String> {
    let last = ops.last()?;
    let size = last.asked_bytes();
    if *law == laws::ALIGNED {
        let align = last.asked_align().filter(|align| align.is_power_of_two())?;
        return Some(if align <= MALLOC_ALIGN {
            format!(
                "Probably blocks of this size are not aligned to {}, which their size or the call demands.",
                Size(align)
            )
        } else if size.is_some_and(|size| size < align) {
            "Probably a path for small sizes does not look at the alignment, which is larger than the size here."
                .to_owned()
        } else {
            "Probably the alignment is rounded, capped, or applied before a header is added.".to_owned()
        });
    }
    if *law == laws::REFUSAL {
        if size.is_none() && matches!(last, Op::Calloc { .. } | Op::Reallocarray { .. }) {
            return Some(
                "The product of count and size is larger than any number. Probably it is computed without looking at \
                 the overflow, and a far smaller block is given."
                    .to_owned(),
            );
        }
        if size.is_some_and(|size| PTRDIFF_MAX < size) {
            return Some(
                "The size is larger than any block may be. Probably adding a header or rounding up overflows, and a \
                 far smaller block is given."
                    .to_owned(),
            );
        }
        let words = if matches!(last, Op::Largest { .. }) {
            "A larger block than the largest that is found would fit. Probably neighbours that are free are not \
             joined, or the end of a gap is not used."
        } else if is_freed(ops) {
            "There is room, and null was answered. Probably memory that was freed is not found again, or not joined \
             with its neighbours."
        } else {
            "There is room, and nothing was freed before. Probably a block or a region needs more room than the \
             contract says, or the end of a gap is not used."
        };
        return Some(format!("{words} {}", claims(ops)));
    }
    if *law == laws::DISJOINT && is_change(last) {
        return Some(
            "Probably the block was enlarged where it is, without looking whether what lies behind it is free, and \
             how much of it."
                .to_owned(),
        );
    }
    if *law == laws::KEPT {
        let old = last.slot().and_then(|slot| size_before(ops, slot));
        return Some(if field == "old_bytes" {
            "The call was refused, and the block that it should have left alone has other bytes. Probably it was \
             freed, or changed, before it was known that there is no memory."
                .to_owned()
        } else if size.zip(old).is_some_and(|(size, old)| size < old) {
            format!(
                "The block became smaller, and byte {} is another. Probably the wrong bytes were copied.",
                Size(place)
            )
        } else if place == 0 {
            "Not even the first byte was kept: probably the copy begins elsewhere, or was forgotten.".to_owned()
        } else {
            format!(
                "Byte {} of the block was not kept, although bytes before it were. Probably fewer bytes were copied \
                 than the program may use.",
                Size(place)
            )
        });
    }
    if *law == laws::ZEROED && matches!(last, Op::Relayout { .. }) {
        return Some(format!(
            "Byte {} of a block that grew is not zero. Probably zeros are written from a rounded size on, not from \
             the old one.",
            Size(place)
        ));
    }
    if *law == laws::REDZONE && matches!(last, Op::Extend { .. } | Op::AddRegion) {
        return Some(
            "Probably books are written for memory that is new, beyond its end, or where they do not fit into it."
                .to_owned(),
        );
    }
    if *law == laws::LEAK && ops.iter().any(|op| op.asked_align().is_some_and(|align| MALLOC_ALIGN < align)) {
        return Some(
            "Memory that was freed does not come back whole. Probably the padding in front of aligned blocks, or what \
             was cut off behind them, is not given back."
                .to_owned(),
        );
    }
    None
}

/// The freedoms under which an arena would be right to find no room, in a sentence.
fn claims(ops: &[Op]) -> String {
    let aligns = || ops.iter().filter_map(Op::asked_align).any(|align| MALLOC_ALIGN < align);
    let is_freed = is_freed(ops);
    let mut names = Vec::new();
    if is_freed {
        names.extend(["no_reuse", "no_coalescing", "size_classes"]);
        names.extend(aligns().then_some("keeps_padding"));
    }
    names.extend(["block_overhead", "region_overhead", "waste"]);
    names.extend(is_freed.then_some("kept_bytes"));
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let (last, others) = names.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    format!(
        "If an arena's documentation says so, null is right under {} or {last}, claimed or claimed larger: `list \
         --json` explains each.",
        others.join(", ")
    )
}

/// A pointer that a call was given led nowhere.
fn diagnose_fault(ops: &[Op]) -> Option<String> {
    let (last, before) = ops.split_last()?;
    let slot = last.slot()?;
    let made = before.iter().rfind(|op| op.slot() == Some(slot) && op.asked_bytes().is_some())?;
    let is_aligned = made.asked_align().is_some_and(|align| align.is_power_of_two() && MALLOC_ALIGN < align);
    let takes = is_change(last) || matches!(last, Op::Free { .. } | Op::UsableSize { .. });
    (is_aligned && takes).then(|| {
        "The call was given a block with a large alignment. Probably what belongs to it is looked for where it lies \
         for other blocks: at the begin of a page or a chunk, or right in front of the block."
            .to_owned()
    })
}

/// Whether a block may have been freed before the last op was refused.
fn is_freed(ops: &[Op]) -> bool {
    let before = ops.split_last().map_or(&[][..], |(_, before)| before);
    let frees_meanwhile = |last: &Op| matches!(last, Op::Largest { .. } | Op::Cycle { .. });
    before.iter().any(gives_back) || ops.last().is_some_and(frees_meanwhile)
}

/// Whether the op may free a block.
fn gives_back(op: &Op) -> bool {
    is_change(op)
        || matches!(op, Op::Free { .. } | Op::Drain { .. } | Op::FreeAll { .. } | Op::Largest { .. } | Op::Cycle { .. })
}

fn is_change(op: &Op) -> bool {
    matches!(
        op,
        Op::Realloc { .. } | Op::Reallocarray { .. } | Op::Relayout { .. } | Op::PushString { .. } | Op::PushVec { .. }
    )
}

/// The size that the slot's block was asked for with before the last op, if one call says it.
fn size_before(ops: &[Op], slot: Slot) -> Option<u64> {
    let (_, before) = ops.split_last()?;
    before.iter().rfind(|op| op.slot() == Some(slot) && op.asked_bytes().is_some())?.asked_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin_models::Contract as _;
    use memtwin_models::heap::{Alignment, HeapContract};

    fn refused(ops: &[Op]) -> String {
        diagnose_law(&laws::REFUSAL, "result", ops, 0).unwrap()
    }

    /// A null where there is room names what would make it right, and nothing that could not.
    #[test]
    fn a_refusal_names_the_claims_that_would_make_it_right() {
        let slot = Slot::new_folded(0);
        let malloc = Op::Malloc { slot, size: Size(64) };
        let memalign = Op::Memalign { slot, align: Alignment::from_exponent_folded(12), size: Size(64) };
        let free = Op::Free { slot };
        let at_first = refused(std::slice::from_ref(&malloc));
        assert!(at_first.contains("`block_overhead`") && !at_first.contains("`no_coalescing`"), "{at_first}");
        let after_a_free = refused(&[malloc.clone(), free.clone(), malloc.clone()]);
        assert!(after_a_free.contains("`no_reuse`, `no_coalescing`, `size_classes`"), "{after_a_free}");
        assert!(!after_a_free.contains("`keeps_padding`"), "{after_a_free}");
        let after_padding = refused(&[memalign, free, malloc]);
        assert!(after_padding.contains("`keeps_padding`"), "{after_padding}");
        let names = after_padding.split('`').skip(1).step_by(2).filter(|name| *name != "list --json");
        for name in names {
            assert!(HeapContract::FREEDOMS.iter().any(|freedom| freedom.name == name), "{name}");
        }
        let overflow = refused(&[Op::Calloc { slot, count: Size(u64::MAX), size: Size(2) }]);
        assert!(!overflow.contains("null is right"), "{overflow}");
    }
}
