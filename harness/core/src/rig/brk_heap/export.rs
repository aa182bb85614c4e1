//! Brk-heap traces as calls of `GlobalAlloc`.

use crate::rig::rust_test::heap::{Call, body};
use crate::rig::rust_test::{NoTest, Room, TestBody};
use crate::rig::{Export, Words as _};
use memtwin_models::Law;
use memtwin_models::brk_heap::{BrkHeap, Op, Setup, Slot, Unit, laws};

impl Export for BrkHeap {
    // A `GlobalAlloc` may answer null, and shows neither its kernel nor what lies around its blocks.
    const UNSHOWN_LAWS: &'static [Law] = &[
        laws::ANSWER,
        laws::BRK,
        laws::REFUSAL,
        laws::INSIDE,
        laws::NEIGHBOUR,
        laws::FRESH,
        laws::REDZONE,
        laws::WORDS,
        laws::REGISTERS,
        laws::ORDER,
        laws::MAPPED,
        laws::UNMAPPED,
        laws::LEAK,
    ];

    fn rust_test(_setup: &Setup, ops: &[Op], room: &mut Room<'_>) -> Result<TestBody, NoTest> {
        body(ops.iter().map(|op| (BrkHeap::op_words(op), call(op))), room)
    }
}

fn call(op: &Op) -> Call {
    let slot = op.slot().map_or(0, Slot::index);
    let push = |seed: u16, length: u8, unit: Unit| Call::Push {
        slot,
        seed,
        length: u64::from(length) * unit.bytes(),
        unit: unit.bytes(),
    };
    match *op {
        Op::Alloc { size, align, .. } => Call::Alloc { slot, size: size.0, align: align.bytes(), zeroed: false },
        Op::AllocZeroed { size, align, .. } => Call::Alloc { slot, size: size.0, align: align.bytes(), zeroed: true },
        Op::Realloc { size, .. } => Call::Realloc { slot, size: size.0 },
        Op::Dealloc { .. } => Call::Dealloc { slot },
        Op::Write { seed, length, .. } => Call::Write { slot, seed, length },
        Op::Verify { .. } => Call::Verify { slot },
        Op::WriteEnd { .. } | Op::VerifyEnd { .. } => {
            Call::None { why: "a program of this form fills blocks from the beginning" }
        }
        Op::PushString { seed, length, .. } => push(seed, length, Unit::Byte),
        Op::PushVec { seed, length, .. } => push(seed, length, Unit::Word),
        Op::RawBrk { .. } | Op::VerifyRawBrk => Call::None { why: "another user of brk is no call of the allocator" },
        Op::Fork | Op::Exec => Call::None { why: "fork and exec are no calls of the allocator" },
        Op::ReallocAligned { .. } => Call::None { why: "a GlobalAlloc keeps the alignment of a block" },
    }
}
