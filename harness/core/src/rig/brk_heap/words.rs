//! Brk-heap setups and outcomes in words. Those of ops stand beside them in the models.

use crate::rig::Words;
use memtwin_models::brk_heap::{
    BrkHeap, CopyOrder, Granularity, Op, Outcome, Refusal, Seen, Setup, StackLow, Storage, SystemCall, SystemCallKind,
    is_error_number,
};
use std::fmt::Write as _;

impl Words for BrkHeap {
    fn setup_words(setup: &Setup) -> String {
        let mut text = format!("a heap from {:#x} on with {} frames", setup.heap_start(), setup.frames);
        text.push_str(match setup.refusal {
            Refusal::CurrentBreak => "; a refused brk answers with the break",
            Refusal::Zero => "; a refused brk answers 0",
            Refusal::Enomem => "; a refused brk answers -ENOMEM",
        });
        match setup.granularity {
            Granularity::Page => {}
            Granularity::SixteenPages => text.push_str("; the break is a multiple of 64 KiB"),
            Granularity::Byte => text.push_str("; the break is any address"),
        }
        if setup.dirty_pages {
            text.push_str("; pages mapped again hold what they held");
        }
        match setup.copy_order {
            CopyOrder::Ascending => {}
            CopyOrder::UnrolledBy4 { first } => {
                let _ = write!(text, "; copies store in groups of four, offset {first} first");
            }
        }
        if setup.stack_low != StackLow::default() {
            let _ = write!(text, "; the stack begins at {:#x}", setup.stack_low.0);
        }
        let kept = registers(setup);
        if !kept.is_empty() {
            let _ = write!(text, "; over system calls {kept}");
        }
        text
    }

    fn op_words(op: &Op) -> String {
        op.to_string()
    }

    fn seen_words(_op: &Op, seen: &Outcome) -> String {
        let mut text = match seen.result {
            Seen::Skipped => "skipped".to_owned(),
            Seen::Block(block) => format!("block {block:#x}"),
            Seen::Null => "null".to_owned(),
            Seen::Done => "done".to_owned(),
            Seen::Vacant => "nothing: the slot is empty".to_owned(),
            Seen::Break(result) => format!("the break, {result:#x}"),
            Seen::Refused(result) => format!("refused with {}", answer(result)),
        };
        if 0 < seen.shown_bytes {
            const SHOWN_BYTES: usize = 8;
            text.push_str(", bytes");
            for byte in seen.shown().iter().take(SHOWN_BYTES) {
                let _ = write!(text, " {byte:02x}");
            }
            let _ = write!(text, " ({} bytes)", seen.shown_bytes);
        }
        if let Some(offset) = seen.nonzero {
            let _ = write!(text, "; not zero at offset {offset:#x}");
        }
        if let Some(address) = seen.stray_byte {
            let _ = write!(text, "; a byte outside of all blocks has changed at {address:#x}");
        }
        if let Some(address) = seen.foreign_byte {
            let _ = write!(text, "; what another user of brk put at {address:#x} has changed");
        }
        if let Some(address) = seen.dirty_byte {
            let _ = write!(text, "; the fresh page at {address:#x} is not clean");
        }
        for call in &seen.calls {
            let _ = write!(text, "; {}", system_call(call));
        }
        text
    }
}

/// Which locals are in registers.
pub(super) fn registers(setup: &Setup) -> String {
    let placement = &setup.placement;
    let locals = [
        ("size", placement.size),
        ("mask", placement.mask),
        ("head", placement.head),
        ("new head", placement.new_head),
        ("new end", placement.new_end),
    ];
    let words = locals.into_iter().filter_map(|(name, place)| match place {
        Storage::Saved => None,
        Storage::X(number) => Some(format!("{name} is in x{number}")),
    });
    words.collect::<Vec<_>>().join(", ")
}

pub(super) fn system_call(call: &SystemCall) -> String {
    let result = answer(call.result);
    match call.kind {
        SystemCallKind::Brk => format!("brk({:#x}) = {result}", call.argument),
        SystemCallKind::Mmap => format!("mmap({:#x} bytes) = {result}", call.argument),
        SystemCallKind::Munmap => format!("munmap({:#x}, {:#x} bytes) = {result}", call.argument, call.length),
    }
}

fn answer(result: u64) -> String {
    if is_error_number(result) { format!("-{}", result.wrapping_neg()) } else { format!("{result:#x}") }
}
