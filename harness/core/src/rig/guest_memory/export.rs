//! Guest-memory traces as calls of a small trait, with the answers that the model gives. Refuses devices: a test
//! without memtwin has none.

use super::written::Written;
use crate::rig::rust_test::{NoTest, Room, TestBody, comment};
use crate::rig::{Export, Words as _};
use memtwin_models::guest_memory::model::{Answer, GuestMemoryModel};
use memtwin_models::guest_memory::{DUMP_LIMIT_BYTES, GuestMemory, GuestMemoryContract, Op, OpKind, Setup};
use memtwin_models::{Contract as _, Model as _, Payload};
use std::fmt::Write as _;

/// Bytes in a row that are written as one: shorter runs are written out.
const LEAST_RUN_BYTES: usize = 8;

impl Export for GuestMemory {
    fn rust_test(setup: &Setup, ops: &[Op], room: &mut Room<'_>) -> Result<TestBody, NoTest> {
        if !setup.devices.is_empty() {
            return Err(NoTest::Refused("its setup has devices, whose calls only memtwin sees"));
        }
        if !setup.is_flat() {
            return Err(NoTest::Refused("its RAM lies in ranges, and the trait of the test has one from address 0 on"));
        }
        if setup.dirty_log.is_some() {
            return Err(NoTest::Refused("its setup has a dirty log, which the trait of the test has not"));
        }
        let mut model = GuestMemoryModel::new(setup, &GuestMemoryContract::STRICT);
        let (size, strict) = (setup.memory_size, setup.strict_alignment);
        let is_changed = ops.iter().any(|op| !matches!(op, Op::MemorySize { .. } | Op::Dump { .. }));
        let binding = if is_changed { "mut memory" } else { "memory" };
        let mut calls = vec![format!("let {binding} = MyMemory::new({size:#x}, {strict});")];
        let mut written = Written::default();
        let mut is_last_left_out = false;
        for op in ops {
            let told = calls.len();
            room.answer(answer_bytes(op, size))?;
            let Some(answer) = model.follow(op) else {
                calls.push(format!(
                    "// {}: left out, the contract leaves its answer open",
                    comment(&GuestMemory::op_words(op))
                ));
                is_last_left_out = true;
                room.text(&calls[told..])?;
                continue;
            };
            calls.push(format!("// {}", comment(&GuestMemory::op_words(op))));
            calls.extend(statements(op, &answer, &written));
            is_last_left_out = false;
            note(&mut written, op, &answer);
            room.text(&calls[told..])?;
        }
        if is_last_left_out {
            return Err(NoTest::Refused("its last op has no answer that the contract fixes"));
        }
        calls.push("drop(memory);".to_owned());
        let place = "Implement the trait `GuestMemory` for your memory, and call that `MyMemory`.";
        Ok(TestBody { place, support: support(ops), calls })
    }
}

/// The trait with the methods that the trace calls.
fn support(ops: &[Op]) -> String {
    let is_called = |kinds: &[OpKind]| ops.iter().any(|op| kinds.contains(&op.kind()));
    let mut text = String::from(
        "/// Bulk and scalar access to guest memory; every error is `Err(())`. `owner` is the virtual CPU.\ntrait \
         GuestMemory {\n    /// A memory of zeros. With `strict_alignment` scalars must be aligned to their size.\n    \
         fn new(memory_size: u64, strict_alignment: bool) -> Self;\n",
    );
    let methods: [(&[OpKind], &str); 14] = [
        (&[OpKind::Read], "read(&mut self, owner: usize, address: u64, size: u8) -> Result<u64, ()>"),
        (&[OpKind::Write], "write(&mut self, owner: usize, address: u64, value: u64, size: u8) -> Result<(), ()>"),
        (&[OpKind::FetchInstruction], "fetch_insn(&mut self, owner: usize, address: u64) -> Result<u64, ()>"),
        (&[OpKind::LoadReserved], "load_reserved(&mut self, owner: usize, address: u64, size: u8) -> Result<u64, ()>"),
        (
            &[OpKind::StoreConditional],
            "store_conditional(&mut self, owner: usize, address: u64, value: u64, size: u8) -> Result<bool, ()>",
        ),
        (&[OpKind::AtomicLoad], "atomic_load(&mut self, owner: usize, address: u64, size: u8) -> Result<u64, ()>"),
        (
            &[OpKind::AtomicStore],
            "atomic_store(&mut self, owner: usize, address: u64, value: u64, size: u8) -> Result<(), ()>",
        ),
        (
            &[OpKind::CompareExchange],
            "compare_exchange(&mut self, owner: usize, address: u64, expected: u64, value: u64, size: u8) -> \
             Result<(u64, bool), ()>",
        ),
        (&[OpKind::InvalidateReservation], "invalidate_reservation(&mut self, owner: usize, address: u64, size: u8)"),
        (&[OpKind::ReadBulk], "read_bulk(&mut self, owner: usize, address: u64, buffer: &mut [u8]) -> Result<(), ()>"),
        (&[OpKind::WriteBulk], "write_bulk(&mut self, owner: usize, address: u64, bytes: &[u8]) -> Result<(), ()>"),
        (&[OpKind::MemorySize], "memory_size(&self) -> u64"),
        (&[OpKind::Dump, OpKind::RestoreDump], "dump_memory(&self) -> Vec<u8>"),
        (&[OpKind::Restore, OpKind::RestoreDump], "restore_memory(&mut self, bytes: &[u8]) -> Result<(), ()>"),
    ];
    for (_, method) in methods.iter().filter(|(kinds, _)| is_called(kinds)) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    fn {method};");
    }
    text + "}\n"
}

fn statements(op: &Op, answer: &Answer, written: &Written) -> Vec<String> {
    let owner = op.owner().index();
    let result = match answer {
        Answer::Value(value) => format!("Ok({value:#x})"),
        Answer::Stored(stored) => format!("Ok({stored})"),
        Answer::Exchanged { before, stored } => format!("Ok(({before:#x}, {stored}))"),
        Answer::Bytes(..) | Answer::Done => "Ok(())".to_owned(),
        Answer::Refused => "Err(())".to_owned(),
    };
    let equals = |call: &str| vec![format!("assert_eq!(memory.{call}, {result});")];
    match *op {
        Op::Read { address, size, .. } => equals(&format!("read({owner}, {:#x}, {size})", address.0)),
        Op::FetchInstruction { address, .. } => equals(&format!("fetch_insn({owner}, {:#x})", address.0)),
        Op::LoadReserved { address, size, .. } => equals(&format!("load_reserved({owner}, {:#x}, {size})", address.0)),
        Op::Write { address, value, size, .. } => {
            equals(&format!("write({owner}, {:#x}, {value:#x}, {size})", address.0))
        }
        Op::StoreConditional { address, value, size, .. } => {
            equals(&format!("store_conditional({owner}, {:#x}, {value:#x}, {size})", address.0))
        }
        Op::AtomicLoad { address, size, .. } => equals(&format!("atomic_load({owner}, {:#x}, {size})", address.0)),
        Op::AtomicStore { address, value, size, .. } => {
            equals(&format!("atomic_store({owner}, {:#x}, {value:#x}, {size})", address.0))
        }
        Op::CompareExchange { address, expected, value, size, .. } => {
            equals(&format!("compare_exchange({owner}, {:#x}, {expected:#x}, {value:#x}, {size})", address.0))
        }
        Op::InvalidateReservation { address, size, .. } => {
            vec![format!("memory.invalidate_reservation({owner}, {:#x}, {size});", address.0)]
        }
        Op::ReadBulk { address, length, .. } => {
            let mut lines = vec![format!("let mut buffer = vec![0xdb; {}];", length.bytes())];
            lines.extend(equals(&format!("read_bulk({owner}, {:#x}, &mut buffer)", address.0)));
            lines.push(match answer {
                Answer::Bytes(address, bytes) => format!("assert_eq!(buffer, {});", expected(*address, bytes, written)),
                Answer::Value(_) | Answer::Done | Answer::Stored(_) | Answer::Exchanged { .. } | Answer::Refused => {
                    "assert!(buffer.iter().all(|byte| *byte == 0xdb), \"a failed read has written to the buffer\");"
                        .to_owned()
                }
            });
            lines
        }
        Op::WriteBulk { address, seed, length, .. } => {
            equals(&format!("write_bulk({owner}, {:#x}, &pattern({seed}, 0, {}))", address.0, length.bytes()))
        }
        Op::MemorySize { .. } => match answer {
            Answer::Value(size) => vec![format!("assert_eq!(memory.memory_size(), {size:#x});")],
            Answer::Bytes(..) | Answer::Done | Answer::Stored(_) | Answer::Exchanged { .. } | Answer::Refused => {
                Vec::new()
            }
        },
        Op::Dump { .. } => match answer {
            Answer::Bytes(address, bytes) => {
                vec![format!("assert_eq!(memory.dump_memory(), {});", expected(*address, bytes, written))]
            }
            Answer::Value(_) | Answer::Done | Answer::Stored(_) | Answer::Exchanged { .. } | Answer::Refused => {
                Vec::new()
            }
        },
        Op::Restore { payload, .. } => {
            equals(&format!("restore_memory(&pattern({}, 0, {}))", payload.seed, payload.length))
        }
        Op::RestoreDump { .. } => {
            vec![
                "let dump = memory.dump_memory();".to_owned(),
                format!("assert_eq!(memory.restore_memory(&dump), {result});"),
            ]
        }
        // The trait of the test has no devices and no dirty log, and their answers are left out.
        Op::MapDevice { .. }
        | Op::UnmapDevice { .. }
        | Op::DirtyLog { .. }
        | Op::TakeDirtyLog { .. }
        | Op::DumpDirty { .. } => Vec::new(),
    }
}

/// How many bytes the answer to an op has.
fn answer_bytes(op: &Op, memory_size: u64) -> u64 {
    match *op {
        Op::ReadBulk { length, .. } => length.bytes().into(),
        Op::Dump { .. } | Op::RestoreDump { .. } => memory_size.min(DUMP_LIMIT_BYTES),
        Op::Restore { payload, .. } => payload.length.into(),
        Op::Read { .. }
        | Op::Write { .. }
        | Op::FetchInstruction { .. }
        | Op::LoadReserved { .. }
        | Op::StoreConditional { .. }
        | Op::InvalidateReservation { .. }
        | Op::WriteBulk { .. }
        | Op::MemorySize { .. }
        | Op::MapDevice { .. }
        | Op::UnmapDevice { .. }
        | Op::AtomicLoad { .. }
        | Op::AtomicStore { .. }
        | Op::CompareExchange { .. }
        | Op::DirtyLog { .. }
        | Op::TakeDirtyLog { .. }
        | Op::DumpDirty { .. } => 0,
    }
}

/// Notes what an op has written.
fn note(written: &mut Written, op: &Op, answer: &Answer) {
    match *op {
        Op::WriteBulk { address, seed, length, .. } if *answer == Answer::Done => {
            written.pattern(address.0, Payload { seed, length: length.bytes() });
        }
        Op::Restore { payload, .. } if *answer == Answer::Done => written.pattern(0, payload),
        Op::Write { address, size, .. } if *answer == Answer::Done => written.bytes(address.0, size.into()),
        Op::AtomicStore { address, size, .. } if *answer == Answer::Done => written.bytes(address.0, size.into()),
        Op::CompareExchange { address, size, .. } if matches!(answer, Answer::Exchanged { stored: true, .. }) => {
            written.bytes(address.0, size.into());
        }
        Op::StoreConditional { address, size, .. } if *answer == Answer::Stored(true) => {
            written.bytes(address.0, size.into());
        }
        Op::Write { .. }
        | Op::StoreConditional { .. }
        | Op::WriteBulk { .. }
        | Op::Restore { .. }
        | Op::Read { .. }
        | Op::FetchInstruction { .. }
        | Op::LoadReserved { .. }
        | Op::InvalidateReservation { .. }
        | Op::ReadBulk { .. }
        | Op::MemorySize { .. }
        | Op::Dump { .. }
        | Op::RestoreDump { .. }
        | Op::MapDevice { .. }
        | Op::UnmapDevice { .. }
        | Op::AtomicLoad { .. }
        | Op::AtomicStore { .. }
        | Op::CompareExchange { .. }
        | Op::DirtyLog { .. }
        | Op::TakeDirtyLog { .. }
        | Op::DumpDirty { .. } => {}
    }
}

/// The bytes as an expression: runs of zeros, pieces of patterns that were written there, and what is left, byte by
/// byte.
fn expected(address: u64, bytes: &[u8], written: &Written) -> String {
    let (mut parts, mut single) = (Vec::new(), String::new());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let run = match written.at(address + at as u64) {
            Some((payload, from, left)) => {
                let length = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                (length, format!("pattern({}, {from}, {length})", payload.seed))
            }
            None => {
                let zeros = rest.iter().take_while(|byte| **byte == 0).count();
                (zeros, format!("vec![0; {zeros}]"))
            }
        };
        if LEAST_RUN_BYTES <= run.0 {
            if !single.is_empty() {
                parts.push(format!("vec![{single}]"));
                single.clear();
            }
            parts.push(run.1);
            at += run.0;
        } else {
            // Writing to a string cannot fail.
            let _ = write!(single, "{}{:#04x}", if single.is_empty() { "" } else { ", " }, rest[0]);
            at += 1;
        }
    }
    if !single.is_empty() {
        parts.push(format!("vec![{single}]"));
    }
    match parts.as_slice() {
        [] => "Vec::<u8>::new()".to_owned(),
        [one] => one.clone(),
        _ => format!("[{}].concat()", parts.join(", ")),
    }
}
