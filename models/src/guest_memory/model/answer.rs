//! The one right answer to an op, where the contract leaves one and no device is asked: for exports, which know the ops
//! and not what was seen. Nothing is judged.

use super::super::op::Op;
use super::super::setup::DUMP_LIMIT_BYTES;
use super::access::Route;
use super::flat_memory::mask;
use super::reservations::Lines;
use super::{GuestMemoryModel, payload_of};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A scalar.
    Value(u64),
    /// Bytes, from this address on.
    Bytes(u64, Vec<u8>),
    /// It is done.
    Done,
    /// Whether a store-conditional stores.
    Stored(bool),
    /// What a compare-exchange finds, and whether it stores.
    Exchanged {
        /// What memory held before.
        before: u64,
        /// Whether the value is stored.
        stored: bool,
    },
    /// An error.
    Refused,
}

impl GuestMemoryModel {
    /// Takes a step without judging it, and says what the answer must be; `None` where the contract leaves it open, or
    /// a device is asked, and then no step is taken. Behind a store that may have been done or not, all is open.
    pub fn follow(&mut self, op: &Op) -> Option<Answer> {
        if self.is_left_open {
            return None;
        }
        Some(match *op {
            Op::Read { address, size, .. } => self.value(self.layout.scalar(address.0, size), address.0, size)?,
            Op::FetchInstruction { address, .. } => self.value(self.layout.scalar(address.0, 4), address.0, 4)?,
            Op::LoadReserved { owner, address, size } => {
                let answer = self.value(self.layout.reserved(address.0, size), address.0, size)?;
                if answer != Answer::Refused {
                    self.reservations.reserve(owner, address.0, size);
                }
                answer
            }
            Op::Write { owner, address, value, size } => match self.layout.scalar(address.0, size) {
                Route::Memory => {
                    self.store(owner, address.0, value, size);
                    Answer::Done
                }
                Route::Refused(_) => Answer::Refused,
                Route::Device { .. } | Route::Open => return None,
            },
            Op::StoreConditional { owner, address, value, size } => {
                if let Route::Refused(_) = self.layout.reserved(address.0, size) {
                    self.reservations.doubt(owner);
                    return Some(Answer::Refused);
                }
                let answers = self.reservations.answers(&self.layout.contract, owner, address.0, size);
                if answers.may_store && answers.may_fail {
                    self.is_left_open = true;
                    return None;
                }
                self.conclude(owner, address.0, value, size, answers.may_store);
                Answer::Stored(answers.may_store)
            }
            Op::InvalidateReservation { owner, address, size } => {
                self.kill(owner, Lines::touched(address.0, u64::from(size)));
                Answer::Done
            }
            Op::ReadBulk { address, length, .. } => match self.layout.bulk(address.0, length.bytes()) {
                Route::Memory => self.bytes(address.0, length.bytes().into()),
                Route::Refused(_) => Answer::Refused,
                Route::Device { .. } | Route::Open => return None,
            },
            Op::WriteBulk { owner, address, seed, length } => match self.layout.bulk(address.0, length.bytes()) {
                Route::Memory => {
                    self.store_bytes(owner, address.0, payload_of(seed, length));
                    Answer::Done
                }
                Route::Refused(_) => Answer::Refused,
                Route::Device { .. } | Route::Open => return None,
            },
            Op::MemorySize { .. } => Answer::Value(self.layout.memory_size),
            Op::Dump { .. } | Op::Restore { .. } | Op::RestoreDump { .. }
                if DUMP_LIMIT_BYTES < self.layout.memory_size =>
            {
                return None;
            }
            Op::Dump { .. } => {
                let mut bytes = vec![0; usize::try_from(self.layout.memory_size).unwrap_or(0)];
                self.memory.copy_to(0, &mut bytes);
                Answer::Bytes(0, bytes)
            }
            Op::Restore { payload, .. } if u64::from(payload.length) != self.layout.memory_size => Answer::Refused,
            Op::Restore { payload, .. } => {
                self.memory.store_everywhere(payload);
                self.reservations.kill_all();
                Answer::Done
            }
            Op::RestoreDump { .. } => {
                self.reservations.kill_all();
                Answer::Done
            }
            Op::AtomicLoad { address, size, .. } => self.value(self.layout.atomic(address.0, size), address.0, size)?,
            Op::AtomicStore { owner, address, value, size } => match self.layout.atomic(address.0, size) {
                Route::Memory => {
                    self.store(owner, address.0, value, size);
                    Answer::Done
                }
                Route::Refused(_) => Answer::Refused,
                Route::Device { .. } | Route::Open => return None,
            },
            Op::CompareExchange { owner, address, expected, value, size } => {
                match self.value(self.layout.atomic(address.0, size), address.0, size)? {
                    Answer::Value(before) => {
                        let stored = before == expected & mask(size);
                        if stored {
                            self.store(owner, address.0, value, size);
                        }
                        Answer::Exchanged { before, stored }
                    }
                    Answer::Bytes(..)
                    | Answer::Done
                    | Answer::Stored(_)
                    | Answer::Exchanged { .. }
                    | Answer::Refused => Answer::Refused,
                }
            }
            // They change the log alone.
            Op::DirtyLog { .. } | Op::TakeDirtyLog { .. } | Op::DumpDirty { .. } => return None,
            Op::MapDevice { .. } | Op::UnmapDevice { .. } => {
                self.is_left_open = true;
                return None;
            }
        })
    }

    fn value(&self, route: Route, address: u64, size: u8) -> Option<Answer> {
        match route {
            Route::Memory => Some(Answer::Value(self.memory.load(self.layout.offset(address), size))),
            Route::Refused(_) => Some(Answer::Refused),
            Route::Device { .. } | Route::Open => None,
        }
    }

    fn bytes(&self, address: u64, length: u64) -> Answer {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.copy_to(address, &mut bytes);
        Answer::Bytes(address, bytes)
    }
}
