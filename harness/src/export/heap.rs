//! Traces of allocators as calls of `GlobalAlloc`, with what its contract promises as asserts. Refuses what the trait cannot
//! say: other users of the system's memory, pointers of others, wrong frees.

use super::{PATTERN, TestBody, comment};
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

/// The test of these calls, each with its op in words.
pub(crate) fn body(calls: &[(String, Call)]) -> Result<TestBody, &'static str> {
    if !matches!(calls.last(), Some((_, call)) if statement(call).is_ok()) {
        return Err("its last op has no counterpart among the calls of GlobalAlloc");
    }
    let mut lines = vec!["let mut program = Program::default();".to_owned()];
    for (op, call) in calls {
        lines.push(match statement(call) {
            Ok(statement) => format!("{statement} // {}", comment(op)),
            Err(why) => format!("// {}: left out, {why}", comment(op)),
        });
    }
    lines.push("program.verify_all();".to_owned());
    let support = format!("{SUPPORT}\n{PATTERN}");
    let place = "Put your allocator where `MyAllocator` stands, a type that implements `GlobalAlloc`.";
    Ok(TestBody { place, support, calls: lines })
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

const SUPPORT: &str = r#"use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;

/// The allocator under test.
static SUBJECT: MyAllocator = MyAllocator;

/// A block, and the bytes that the program has put there from its beginning on.
struct Held {
    block: *mut u8,
    layout: Layout,
    known: Vec<u8>,
}

/// A program with numbered variables for blocks. It asserts what the contract of `GlobalAlloc` promises.
#[derive(Default)]
struct Program {
    held: BTreeMap<usize, Held>,
}

#[allow(dead_code)]
impl Program {
    /// A new block for a slot; what is there is freed first. Without memory the slot stays empty.
    fn alloc(&mut self, slot: usize, size: usize, align: usize, zeroed: bool) {
        self.dealloc(slot);
        let layout = Layout::from_size_align(size, align).unwrap();
        let block = unsafe { if zeroed { SUBJECT.alloc_zeroed(layout) } else { SUBJECT.alloc(layout) } };
        if block.is_null() {
            return;
        }
        self.check_place(slot, block, layout);
        let mut known = Vec::new();
        if zeroed {
            known.resize(size, 0);
        }
        self.held.insert(slot, Held { block, layout, known });
        self.verify(slot);
    }

    fn realloc(&mut self, slot: usize, size: usize) {
        let Some(held) = self.held.get(&slot) else { return };
        let block = unsafe { SUBJECT.realloc(held.block, held.layout, size) };
        if block.is_null() {
            self.verify(slot);
            return;
        }
        let layout = Layout::from_size_align(size, held.layout.align()).unwrap();
        self.check_place(slot, block, layout);
        let held = self.held.get_mut(&slot).unwrap();
        (held.block, held.layout) = (block, layout);
        held.known.truncate(size);
        self.verify(slot);
    }

    fn dealloc(&mut self, slot: usize) {
        let Some(held) = self.held.remove(&slot) else { return };
        unsafe { SUBJECT.dealloc(held.block, held.layout) };
    }

    /// Puts bytes at the block's beginning, as far as they fit.
    fn write(&mut self, slot: usize, bytes: &[u8]) {
        let Some(held) = self.held.get_mut(&slot) else { return };
        let bytes = &bytes[..bytes.len().min(held.layout.size())];
        unsafe { held.block.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        let over = bytes.len().min(held.known.len());
        held.known[..over].copy_from_slice(&bytes[..over]);
        held.known.extend_from_slice(&bytes[over..]);
    }

    /// Puts bytes after the known ones, and grows the block as a Rust vector with elements of `unit` bytes does.
    fn push(&mut self, slot: usize, bytes: &[u8], unit: usize) {
        let (size, known) = self.held.get(&slot).map_or((0, 0), |held| (held.layout.size(), held.known.len()));
        let needed = known + bytes.len();
        let least = if unit == 1 { 8 } else { 4 * unit };
        let grown = (2 * size).max(needed).max(least);
        if size == 0 && !bytes.is_empty() {
            self.alloc(slot, grown, unit, false);
        } else if size < needed {
            self.realloc(slot, grown);
        }
        let Some(held) = self.held.get_mut(&slot).filter(|held| needed <= held.layout.size()) else { return };
        unsafe { held.block.add(known).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        held.known.extend_from_slice(bytes);
    }

    fn verify(&self, slot: usize) {
        let Some(held) = self.held.get(&slot) else { return };
        let seen = unsafe { std::slice::from_raw_parts(held.block, held.known.len()) };
        let wrong = seen.iter().zip(&held.known).position(|(seen, known)| seen != known);
        if let Some(at) = wrong {
            panic!("slot {slot}: byte {at} is {:#04x}, the program put {:#04x} there", seen[at], held.known[at]);
        }
    }

    fn verify_all(&self) {
        self.held.keys().for_each(|slot| self.verify(*slot));
    }

    /// A block is aligned and shares no byte with another live one.
    fn check_place(&self, slot: usize, block: *mut u8, layout: Layout) {
        let (start, end) = (block as usize, (block as usize).checked_add(layout.size()).expect("the block wraps"));
        assert_eq!(start % layout.align(), 0, "slot {slot}: {block:?} is not aligned to {}", layout.align());
        for (other, held) in self.held.iter().filter(|(other, _)| **other != slot) {
            let (other_start, other_end) = (held.block as usize, held.block as usize + held.layout.size());
            assert!(
                end <= other_start || other_end <= start,
                "slot {slot}: {block:?} shares bytes with the block of slot {other} at {:?}",
                held.block
            );
        }
    }
}
"#;
