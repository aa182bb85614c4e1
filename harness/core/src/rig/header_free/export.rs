//! header_free traces as calls of `GlobalAlloc`: those of a right program on its own blocks.

use crate::rig::rust_test::heap::{Call, body};
use crate::rig::rust_test::{NoTest, Room, TestBody};
use crate::rig::{Export, Words as _};
use memtwin_models::header_free::{HeaderFree, Op, SLOTS, Setup, Slot};

impl Export for HeaderFree {
    fn rust_test(_setup: &Setup, ops: &[Op], room: &mut Room<'_>) -> Result<TestBody, NoTest> {
        // The slots that hold a block of the allocator's, as far as its requests are granted.
        let mut is_live = [false; SLOTS as usize];
        body(ops.iter().map(|op| (HeaderFree::op_words(op), call(op, &mut is_live))), room)
    }
}

fn call(op: &Op, is_live: &mut [bool; SLOTS as usize]) -> Call {
    let slot = op.slot().map_or(0, Slot::index);
    match *op {
        Op::Alloc { .. } if is_live[slot] => Call::None { why: "the slot is in use, so that nothing is done" },
        Op::Alloc { size, align, .. } => {
            is_live[slot] = true;
            Call::Alloc { slot, size, align: align.bytes(), zeroed: false }
        }
        Op::Realloc { size, delta: 0, .. } if is_live[slot] => Call::Realloc { slot, size },
        Op::Write { seed, length, .. } if is_live[slot] => Call::Write { slot, seed, length },
        Op::Verify { .. } if is_live[slot] => Call::Verify { slot },
        Op::Free { delta: 0, .. } if is_live[slot] => {
            is_live[slot] = false;
            Call::Dealloc { slot }
        }
        Op::Realloc { delta: 1.., .. } => {
            Call::None { why: "GlobalAlloc is never given a pointer that it did not hand out" }
        }
        Op::BootAlloc { .. } => Call::None { why: "it is about a time before the allocator is up" },
        Op::ThreadExit { .. } => Call::None { why: "it is about a thread that ends" },
        Op::WriteEnd { .. } => Call::None { why: "where the block ends is for its usable size to say" },
        Op::Realloc { .. } | Op::Write { .. } | Op::Verify { .. } => {
            Call::None { why: "the slot holds no block of the allocator's" }
        }
        Op::Free { .. } => Call::None { why: "GlobalAlloc is never given a pointer that it did not hand out" },
        Op::UsableSize { .. } | Op::Stats => Call::None { why: "GlobalAlloc is not asked about its books" },
        Op::LibcAlloc { .. } => Call::None { why: "libc is asked, not the allocator" },
        Op::MapForeign { .. } | Op::ProtectNeighbour { .. } | Op::UnmapNeighbour { .. } => {
            Call::None { why: "it is about a page of somebody else" }
        }
        Op::Forge { .. } => Call::None { why: "it is about bytes that look like a header of this allocator" },
        Op::RetireSuperslab { .. } => Call::None { why: "GlobalAlloc is not asked to give memory back" },
    }
}
