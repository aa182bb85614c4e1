//! Heap traces as programs in C: calls of the malloc family, and what they promise as checks. It refuses what only
//! memtwin can do: a system that refuses, regions of an arena, a look at the memory that is held.

use crate::rig::About;
use crate::rig::rust_test::{NoTest, Room, TestBody, c_comment};
use memtwin_models::Contract as _;
use memtwin_models::heap::{FreedBy, HeapContract, Op, Order, Setup, Slot, laws};
use std::collections::BTreeSet;

/// The program around the calls. It is text, not a module: it belongs to those who have no memtwin.
const SUPPORT: &str = include_str!("c_program.txt");

/// What a freedom takes away: its name, and the macro that says whether the allocator promises it.
const PROMISES: [(&str, &str); 6] = [
    ("errno_unset", "SETS_ERRNO"),
    ("free_changes_errno", "FREE_KEEPS_ERRNO"),
    ("usable_is_a_hint", "USABLE_IS_OURS"),
    ("realloc_forgets_usable", "REALLOC_KEEPS_USABLE"),
    ("any_alignment", "ALIGNS_ODD_SIZES"),
    ("zero_size_unaligned", "ALIGNS_EMPTY_BLOCKS"),
];

/// What becomes of an op.
struct Statement {
    /// The call.
    text: String,
    /// Which parts of the program it needs.
    uses: &'static [&'static str],
}

/// Refuses a trace whose setup no test can bring about.
pub(super) fn without_fault(setup: &Setup) -> Result<(), NoTest> {
    match setup.fault {
        Some(_) => Err(NoTest::Refused("in its setup the system refuses memory, which only memtwin can make it do")),
        None => Ok(()),
    }
}

/// The program of these ops.
pub(super) fn body(setup: &Setup, ops: &[Op], about: &About<'_>, room: &mut Room<'_>) -> Result<TestBody, NoTest> {
    without_fault(setup)?;
    let unseen = [&laws::BOUNDED, &laws::LEAK, &laws::REDZONE, &laws::INSIDE, &laws::BOOKS];
    if unseen.iter().any(|law| about.law == Some(law.name)) {
        return Err(NoTest::Refused("its finding shows in memory that a program in C does not look at"));
    }
    if ops.last().is_none_or(|op| statement(op).is_err()) {
        return Err(NoTest::Refused("its last op has no counterpart among the calls of C"));
    }
    let (mut lines, mut uses) = (Vec::new(), BTreeSet::new());
    for (number, op) in ops.iter().enumerate() {
        room.answer(0)?;
        lines.push(match statement(op) {
            Ok(Statement { text, uses: needed }) => {
                uses.extend(needed);
                format!("op = {number}; {text}; // {}", c_comment(&op.to_string()))
            }
            Err(why) => format!("// {}: left out, {why}", c_comment(&op.to_string())),
        });
        room.text(lines.last().map(std::slice::from_ref).unwrap_or_default())?;
    }
    lines.push("look_at_all();".to_owned());
    let place = "It returns 0 when every call keeps its promises. Functions with a prefix: -DPREFIX=je_";
    Ok(TestBody { place, support: support(&uses, about.claimed), calls: lines })
}

/// What the allocator promises, what the calls need, and the program. A library need not have what is not called.
fn support(uses: &BTreeSet<&&str>, claimed: &[&str]) -> String {
    let mut text = String::from("// What the allocator promises. Define one as 0 to take it away:\n");
    for (freedom, promise) in PROMISES {
        let is_promised = u8::from(!claimed.contains(&freedom));
        let known = HeapContract::FREEDOMS.iter().find(|known| known.name == freedom);
        let sentence = known.map_or("", |known| known.sentence);
        text.push_str(&format!("// {sentence}\n#ifndef {promise}\n#define {promise} {is_promised}\n#endif\n"));
    }
    text.push_str("// What the calls below need.\n");
    uses.iter().for_each(|part| text.push_str(&format!("#define USES_{part}\n")));
    text.push_str(SUPPORT);
    text
}

fn statement(op: &Op) -> Result<Statement, &'static str> {
    const LAYOUTS: &[&str] = &["LAYOUTS", "POSIX_MEMALIGN"];
    let n = op.slot().map_or(0, Slot::index);
    let (text, uses): (String, &'static [&'static str]) = match op {
        Op::Malloc { size, .. } => (format!("do_malloc({n}, {:#x})", size.0), &[]),
        Op::Calloc { count, size, .. } => (format!("do_calloc({n}, {:#x}, {:#x})", count.0, size.0), &["CALLOC"]),
        Op::PosixMemalign { align, size, .. } => {
            (format!("do_posix_memalign({n}, {:#x}, {:#x})", align.0, size.0), &["POSIX_MEMALIGN"])
        }
        Op::AlignedAlloc { align, size, .. } => {
            (format!("do_aligned_alloc({n}, {:#x}, {:#x})", align.bytes(), size.0), &["ALIGNED_ALLOC"])
        }
        Op::Memalign { align, size, .. } => {
            (format!("do_memalign({n}, {:#x}, {:#x})", align.bytes(), size.0), &["MEMALIGN"])
        }
        Op::Alloc { size, align, .. } => (format!("do_alloc({n}, {:#x}, {:#x}, 0)", size.0, align.bytes()), LAYOUTS),
        Op::AllocZeroed { size, align, .. } => {
            (format!("do_alloc({n}, {:#x}, {:#x}, 1)", size.0, align.bytes()), LAYOUTS)
        }
        Op::Relayout { size, align, zeroed, .. } => {
            (format!("do_relayout({n}, {:#x}, {:#x}, {})", size.0, align.bytes(), u8::from(*zeroed)), LAYOUTS)
        }
        Op::Realloc { size, .. } => (format!("do_realloc({n}, {:#x})", size.0), &["REALLOC"]),
        Op::Reallocarray { count, size, .. } => {
            (format!("do_reallocarray({n}, {:#x}, {:#x})", count.0, size.0), &["REALLOCARRAY"])
        }
        Op::Free { .. } => (format!("do_free({n})"), &[]),
        Op::FreeNull => ("do_free_null()".to_owned(), &[]),
        Op::UsableSize { .. } => (format!("do_usable_size({n})"), &["MALLOC_USABLE_SIZE"]),
        Op::Write { length, .. } => (format!("do_write({n}, {length:#x})"), &[]),
        Op::Verify { .. } => (format!("do_look({n})"), &[]),
        Op::PushString { length, .. } => (format!("do_push({n}, {length}, 8)"), &["REALLOC"]),
        Op::PushVec { length, .. } => (format!("do_push({n}, {}, 32)", 8 * u32::from(*length)), &["REALLOC"]),
        Op::Fill { count, size, .. } => (format!("do_fill({n}, {}, {:#x})", (*count).max(1), size.0), &[]),
        Op::Drain { count, every, .. } => (format!("do_drain({n}, {}, {})", (*count).max(1), (*every).max(1)), &[]),
        Op::FreeAll { order } => {
            let order = match order {
                Order::Forward => 'f',
                Order::Backward => 'b',
                Order::Alternating => 'a',
            };
            (format!("do_free_all('{order}')"), &[])
        }
        Op::Cycle { by: FreedBy::NewThread, .. } => return Err("the program has one thread"),
        Op::Cycle { count, size, .. } => (format!("do_cycle({}, {:#x})", (*count).max(1), size.0), &[]),
        Op::Extend { .. } | Op::AddRegion | Op::Largest { .. } => return Err("it is about the regions of an arena"),
        Op::Trim => return Err("it is no call of the standard"),
        Op::ThreadStart | Op::ThreadExit => return Err("the program has one thread"),
    };
    Ok(Statement { text, uses })
}
