//! The calls of a program on its heap. Total: every op is legal in every setup; on an empty slot a program does
//! nothing.
//!
//! Beside each op stand its forms. Tags are rows of sixteen, of which frequent ops have more; they are frozen with
//! version 1 of the wire format. Those from 256 on are second tags of version 2.

use super::operands::{BrkRequest, Slot};
use super::setup::EDGES;
use crate::allocation::{Alignment, Size, counted, fewer_bytes, fewer_elements};
use crate::vocabulary::DescribedHere;
#[cfg(feature = "arbitrary")]
use arbitrary::Arbitrary;
use memtwin_derive::{Kinds, Simpler, Wire, Words};
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The most bytes of a block that a program writes or shows in one op.
    pub const MAX_SHOWN_BYTES: u32 = 1 << 16;
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Kinds, Wire, Simpler, Words, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[forms(edges = EDGES, about(slot = Slot))]
#[allow(missing_docs)] // the fields are the parameters of the call that each variant names
pub enum Op {
    /// `alloc(size, align)` into a slot; a block that is there is freed first.
    #[form(tag = 0, low(slot), wire(align, size), say("{slot} = alloc({size}, {align})"))]
    Alloc { slot: Slot, size: Size, align: Alignment },
    /// `alloc_zeroed(size, align)`, likewise; the program looks for a byte that is not zero.
    #[form(tag = 48, low(slot), wire(align, size), say("{slot} = alloc_zeroed({size}, {align})"))]
    AllocZeroed { slot: Slot, size: Size, align: Alignment },
    /// `realloc(block, size)`; the program looks at the bytes that were to be kept.
    #[form(tag = 80, low(slot), say("{slot} = realloc({slot}, {size})"))]
    Realloc { slot: Slot, size: Size },
    /// `dealloc(block)`.
    #[form(tag = 112, low(slot), say("dealloc({slot})"))]
    Dealloc { slot: Slot },
    /// The program copies `length` bytes of the pattern `seed` to the block's beginning (no more than fit).
    #[form(tag = 128, low(slot), simpler(seed, length = fewer_bytes))]
    #[form(say("copy {} of pattern {seed} to {slot}", counted(*length, "byte")))]
    Write { slot: Slot, seed: u16, length: u32 },
    /// The program looks at the block's first bytes.
    #[form(tag = 160, low(slot), say("look at {slot}"))]
    Verify { slot: Slot },
    /// `String::push_str` of `length` bytes of the pattern `seed`: the slot is a string that ends after the bytes put
    /// there so far, and grows as Rust's does.
    #[form(tag = 192, low(slot), simpler(seed, length = fewer_elements))]
    #[form(say("{slot}.push_str({} of pattern {seed})", counted((*length).into(), "byte")))]
    PushString { slot: Slot, seed: u16, length: u8 },
    /// `Vec::extend` by `length` elements of eight bytes, likewise.
    #[form(tag = 224, low(slot), simpler(seed, length = fewer_elements))]
    #[form(say("{slot}.extend({} of pattern {seed})", counted((*length).into(), "element")))]
    PushVec { slot: Slot, seed: u16, length: u8 },
    /// Another user of `brk` in the same process.
    #[form(tag = 240, low(request), say("another user: {request}"))]
    RawBrk { request: BrkRequest },
    /// Another user of `brk` looks whether all that it has is as it left it.
    #[form(tag = 256, say("another user looks at its memory"))]
    VerifyRawBrk,
    /// `fork`: the program goes on as the child, which has copies of everything.
    #[form(tag = 304, say("fork, and go on as the child"))]
    Fork,
    /// `exec`: a new image of the same program, with a heap of its own. All slots are empty.
    #[form(tag = 352, say("exec"))]
    Exec,
    /// `realloc(block, size)` to another alignment, as `Allocator::grow` and `shrink` can.
    #[form(tag = 400, low(slot), wire(align, size), say("{slot} = realloc({slot}, {size}, {align})"))]
    ReallocAligned { slot: Slot, size: Size, align: Alignment },
    /// The program copies `length` bytes of the pattern `seed` to the block's end (no more than fit).
    #[form(tag = 448, low(slot), simpler(seed, length = fewer_bytes))]
    #[form(say("copy {} of pattern {seed} to the end of {slot}", counted(*length, "byte")))]
    WriteEnd { slot: Slot, seed: u16, length: u32 },
    /// The program looks at the block's last bytes.
    #[form(tag = 464, low(slot), say("look at the end of {slot}"))]
    VerifyEnd { slot: Slot },
}
