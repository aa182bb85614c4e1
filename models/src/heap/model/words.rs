//! What a person reads of the model: sentences and nothing else. Only explaining runs come here; nothing is judged.

use super::super::op::Op;
use super::super::operands::Slot;
use super::HeapModel;
use super::answers::Request;
use crate::allocation::{Size, Unit};

/// What the model allows for an op in its present state.
pub(super) fn allowed(model: &HeapModel, op: &Op) -> String {
    if !model.contract.has(op.kind()) {
        return "nothing: the subject does not have this call".to_owned();
    }
    match *op {
        Op::Malloc { size, .. } => memory(model, Request::of(Some(size.0)), ""),
        Op::Calloc { count, size, .. } => {
            memory(model, Request::of(count.0.checked_mul(size.0)), ", every byte of it zero")
        }
        Op::PosixMemalign { align, .. } if !align.is_for_posix() => {
            "EINVAL: the alignment is no power of two times the size of a pointer".to_owned()
        }
        Op::PosixMemalign { size, align, .. } => memory(model, Request::aligned(size.0, align.0), ""),
        Op::AlignedAlloc { size, align, .. } | Op::Memalign { size, align, .. } | Op::Alloc { size, align, .. } => {
            memory(model, Request::aligned(size.0, align.bytes()), "")
        }
        Op::AllocZeroed { size, align, .. } => {
            memory(model, Request::aligned(size.0, align.bytes()), ", every byte of it zero")
        }
        Op::Relayout { slot, size, align, zeroed } => {
            let request = Request { zeroed, ..Request::aligned(size.0, align.bytes()) };
            change(model, slot, request)
        }
        Op::Realloc { slot, size } => change(model, slot, model.resized(slot, Some(size.0))),
        Op::Reallocarray { slot, count, size } => change(model, slot, model.resized(slot, count.0.checked_mul(size.0))),
        Op::Free { slot } => held(model, slot, |number, _| format!("done: block {number} is free")),
        Op::UsableSize { slot } => {
            held(model, slot, |_, size| format!("{size} bytes or more, all of them the program's to write"))
        }
        Op::Write { slot, .. } => held(model, slot, |number, _| format!("done: block {number} holds it")),
        Op::Verify { slot } => {
            held(model, slot, |number, _| format!("the bytes that were written into block {number}"))
        }
        Op::PushString { slot, length } => push(model, slot, length, Unit::Byte),
        Op::PushVec { slot, length } => push(model, slot, length, Unit::Word),
        Op::Fill { size, .. } => format!("for each empty slot: {}", memory(model, Request::of(Some(size.0)), "")),
        Op::Drain { .. } | Op::FreeAll { .. } => {
            format!("done, or nothing if no block is there ({} are live)", model.blocks.live().len())
        }
        Op::Extend { bytes } => {
            let fits = model.regions.first_end() + u64::from(bytes) <= model.setup.first_limit();
            (if fits { "done: the region is larger" } else { "refused: the setup has no such room" }).to_owned()
        }
        Op::AddRegion => "done once if the setup has a second region, else refused".to_owned(),
        Op::Largest { .. } => "a size; no gap holds a larger block with its overhead".to_owned(),
        Op::Cycle { .. } => "done; what the allocator holds does not go on growing".to_owned(),
        Op::FreeNull | Op::Trim | Op::ThreadStart | Op::ThreadExit => "done".to_owned(),
    }
}

const NOT_ASKED: &str =
    "nothing: the program does not ask for it, because so much is live, or might be copied or zeroed";

fn held(model: &HeapModel, slot: Slot, words: impl Fn(u64, u64) -> String) -> String {
    match model.blocks.get(slot) {
        Some(block) => words(block.number, block.size),
        None => "nothing: the slot is empty".to_owned(),
    }
}

fn memory(model: &HeapModel, request: Request, more: &str) -> String {
    let Some(size) = request.legal_size() else {
        return "null: no block is so large".to_owned();
    };
    if model.is_too_much(None, request) {
        return NOT_ASKED.to_owned();
    }
    let aligned = match request.align {
        Some(align) => format!(" aligned to {}", Size(align)),
        None => String::new(),
    };
    let live = model.blocks.live().len();
    let block =
        format!("a block of {} bytes{aligned}, disjoint from every live block ({live} of them){more}", Size(size));
    let mut after = model.clone();
    if after.must_answer(request) { block } else { format!("{block}; or null") }
}

fn change(model: &HeapModel, slot: Slot, request: Request) -> String {
    let request = Request { size: request.size.map(|size| size.max(1)), ..request };
    held(model, slot, |number, size| {
        if model.is_too_much(model.blocks.get(slot), request) {
            return NOT_ASKED.to_owned();
        }
        let zeroed = if request.zeroed { " and zeros behind them" } else { "" };
        let more = format!(", with the bytes of block {number}, up to {size} of them{zeroed}");
        memory(model, request, &more)
    })
}

fn push(model: &HeapModel, slot: Slot, length: u8, unit: Unit) -> String {
    let bytes = u64::from(length) * unit.bytes();
    match model.blocks.get(slot) {
        None if bytes == 0 => "done: nothing is pushed".to_owned(),
        None => memory(model, Request::aligned(unit.grown_capacity_bytes(0, bytes), unit.bytes()), ""),
        Some(block) if block.length + bytes <= block.size => {
            format!("block {}, which has room for what is pushed", block.number)
        }
        Some(block) => {
            let size = unit.grown_capacity_bytes(block.size, block.length + bytes);
            change(model, slot, model.resized(slot, Some(size)))
        }
    }
}
