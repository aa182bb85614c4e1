//! What a person reads of the model: sentences and nothing else. Only explaining runs come here; nothing is judged.

use super::super::op::Op;
use super::super::operands::{BrkRequest, Slot};
use super::BrkHeapModel;
use crate::allocation::Unit;

/// What the model allows for an op in its present state.
pub(super) fn allowed(model: &BrkHeapModel, op: &Op) -> String {
    match *op {
        Op::Alloc { size, align, .. } => memory(model, size.0, align.bytes(), ""),
        Op::AllocZeroed { size, align, .. } => memory(model, size.0, align.bytes(), ", every byte of it zero"),
        Op::Realloc { slot, size } => realloc(model, slot, size.0, None),
        Op::Dealloc { slot } => held(model, slot, |_, address| format!("done: the block at {address:#x} is free")),
        Op::Write { slot, .. } => held(model, slot, |_, address| format!("done: the block at {address:#x} holds it")),
        Op::Verify { slot } => held(model, slot, |model, address| {
            let known = model.blocks.get(slot).map_or(0, super::Block::known);
            format!("the bytes of the block at {address:#x}, of which the first {known} are known")
        }),
        Op::WriteEnd { slot, .. } => {
            held(model, slot, |_, address| format!("done: the block at {address:#x} ends with it"))
        }
        Op::VerifyEnd { slot } => held(model, slot, |_, address| {
            format!("the last bytes of the block at {address:#x}, as far as they are known")
        }),
        Op::PushString { slot, length, .. } => push(model, slot, length, Unit::Byte),
        Op::PushVec { slot, length, .. } => push(model, slot, length, Unit::Word),
        Op::RawBrk { request } => raw_brk(model, request),
        Op::VerifyRawBrk => "done: all that another user of brk has is as it left it".to_owned(),
        Op::Fork => format!("done: the child's break is its parent's, {:#x}", model.kernel.program_break()),
        Op::Exec => format!("done: the new image's break is its own, {:#x}", model.kernel.heap_start()),
        Op::ReallocAligned { slot, size, align } => realloc(model, slot, size.0, Some(align.bytes())),
    }
}

fn realloc(model: &BrkHeapModel, slot: Slot, size: u64, align: Option<u64>) -> String {
    held(model, slot, |model, address| {
        let block = model.blocks.get(slot);
        let align = align.or(block.map(|block| block.align)).unwrap_or(1);
        let kept = block.map_or(0, |block| block.known().min(size));
        let more = format!(", beginning with the {kept} known bytes of the block at {address:#x}");
        memory(model, size, align, &more)
    })
}

fn held(model: &BrkHeapModel, slot: Slot, words: impl Fn(&BrkHeapModel, u64) -> String) -> String {
    match model.blocks.get(slot) {
        Some(block) => words(model, block.address),
        None => "nothing: the slot is empty".to_owned(),
    }
}

fn memory(model: &BrkHeapModel, size: u64, align: u64, more: &str) -> String {
    if !model.fits(size, align) {
        return format!("null: {size:#x} bytes aligned to {align:#x} do not fit the address space");
    }
    format!(
        "a block of {size} bytes aligned to {align}, disjoint from every live block ({} of them){more}; or null if \
         the kernel refuses",
        model.blocks.live()
    )
}

fn push(model: &BrkHeapModel, slot: Slot, length: u8, unit: Unit) -> String {
    let bytes = u64::from(length) * unit.bytes();
    match model.blocks.get(slot) {
        None if bytes == 0 => "done: nothing is pushed".to_owned(),
        None => memory(model, unit.grown_capacity_bytes(0, bytes), unit.bytes(), ""),
        Some(block) if block.known() + bytes <= block.size => {
            format!("the block at {:#x}, which has room for what is pushed", block.address)
        }
        Some(block) => memory(
            model,
            unit.grown_capacity_bytes(block.size, block.known() + bytes),
            block.align,
            &format!(", beginning with the {} bytes pushed so far", block.known()),
        ),
    }
}

fn raw_brk(model: &BrkHeapModel, request: BrkRequest) -> String {
    let present = model.kernel.program_break();
    let argument = match request {
        BrkRequest::Query | BrkRequest::GiveBack => return format!("the break, at most {present:#x}"),
        BrkRequest::Grow(bytes) => present.saturating_add(u64::from(bytes)),
        BrkRequest::At(address) => address.0,
    };
    if argument < model.kernel.heap_start() {
        return format!("the break, {present:#x}");
    }
    match model.kernel.grantable(argument) {
        Some(end) => format!("the new break, {end:#x}"),
        None => format!("a refusal: {:#x}", model.kernel.refusal()),
    }
}
