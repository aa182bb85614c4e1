//! Traces of allocators as calls of `GlobalAlloc`, with what its contract promises as asserts. Refuses what the trait
//! cannot say: other users of the system's memory, pointers of others, wrong frees.

use super::{NoTest, Room, TestBody, comment};
use std::alloc::Layout;

/// A call of the program, or an op that has no counterpart, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// A block for a slot.
    Alloc { slot: usize, size: u64, align: u64, zeroed: bool },
    /// Another size for the slot's block.
    Realloc { slot: usize, size: u64 },
    /// The slot's block is freed.
    Dealloc { slot: usize },
    /// Bytes of a pattern at the block's beginning.
    Write { slot: usize, seed: u16, length: u32 },
    /// A look at the known bytes.
    Verify { slot: usize },
    /// Bytes of a pattern after the known ones, in units of so many bytes.
    Push { slot: usize, seed: u16, length: u64, unit: u64 },
    /// Nothing.
    None { why: &'static str },
}

/// The test of these calls, each with its op in words; of an op with several calls the first has them.
pub(crate) fn body(calls: impl IntoIterator<Item = (String, Call)>, room: &mut Room<'_>) -> Result<TestBody, NoTest> {
    let mut lines = vec!["let mut program = Program::default();".to_owned()];
    let mut ends_with_a_call = false;
    for (op, call) in calls {
        room.answer(0)?;
        let statement = statement(&call);
        ends_with_a_call = statement.is_ok();
        lines.push(match statement {
            Ok(statement) if op.is_empty() => statement,
            Ok(statement) => format!("{statement} // {}", comment(&op)),
            Err(why) => format!("// {}: left out, {why}", comment(&op)),
        });
        room.text(lines.last().map(std::slice::from_ref).unwrap_or_default())?;
    }
    if !ends_with_a_call {
        return Err(NoTest::Refused("its last op has no counterpart among the calls of GlobalAlloc"));
    }
    lines.push("program.verify_all();".to_owned());
    let place = "Put your allocator where `MyAllocator` stands, a type that implements `GlobalAlloc`.";
    Ok(TestBody { place, support: SUPPORT.to_owned(), calls: lines })
}

fn statement(call: &Call) -> Result<String, &'static str> {
    let fits = |size: u64, align: u64| {
        let numbers = usize::try_from(size).ok().zip(usize::try_from(align).ok());
        if size == 0 {
            Err("GlobalAlloc is never asked for no bytes")
        } else if numbers.is_none_or(|(size, align)| Layout::from_size_align(size, align).is_err()) {
            Err("no Layout has such a size and alignment")
        } else {
            Ok(())
        }
    };
    Ok(match *call {
        Call::Alloc { slot, size, align, zeroed } => {
            fits(size, align)?;
            format!("program.alloc({slot}, {size:#x}, {align:#x}, {zeroed});")
        }
        Call::Realloc { slot, size } => {
            fits(size, 1)?;
            format!("program.realloc({slot}, {size:#x});")
        }
        Call::Dealloc { slot } => format!("program.dealloc({slot});"),
        Call::Write { slot, seed, length } => format!("program.write({slot}, &pattern({seed}, 0, {length}));"),
        Call::Verify { slot } => format!("program.verify({slot});"),
        Call::Push { slot, seed, length, unit } => {
            format!("program.push({slot}, &pattern({seed}, 0, {length}), {unit});")
        }
        Call::None { why } => return Err(why),
    })
}

/// A program that asserts what the contract of `GlobalAlloc` promises. It is text, not a module: it belongs to the
/// tests.
const SUPPORT: &str = include_str!("heap_program.txt");
