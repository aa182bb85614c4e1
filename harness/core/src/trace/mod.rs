//! The trace: a setup and ops, in three forms. Typed for models and subjects, wire bytes for engines, JSON lines for
//! people and for ever. Typed to wire or JSON and back is the identity; wire to typed to wire is idempotent.

mod jsonl;

pub use jsonl::{Header, JSON_PREFIX, TraceError};
pub(crate) use jsonl::{parse, parse_header, print};

use crate::rig::Rig;
use memtwin_models::wire::{Reader, VERSION, Writer};
use std::fmt;

/// A setup and the ops that follow.
pub struct Trace<C: Rig> {
    /// What is fixed before the first op.
    pub setup: C::Setup,
    /// The ops, in order.
    pub ops: Vec<C::Op>,
}

impl<C: Rig> Clone for Trace<C> {
    fn clone(&self) -> Self {
        Trace { setup: self.setup.clone(), ops: self.ops.clone() }
    }
}

impl<C: Rig> fmt::Debug for Trace<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Trace").field("setup", &self.setup).field("ops", &self.ops).finish()
    }
}

impl<C: Rig> PartialEq for Trace<C> {
    fn eq(&self, other: &Self) -> bool {
        self.setup == other.setup && self.ops == other.ops
    }
}

impl<C: Rig> Trace<C> {
    /// Decodes any bytes.
    #[must_use]
    pub fn from_wire(bytes: &[u8]) -> Self {
        let mut reader = Reader::new(bytes);
        let setup = read_setup::<C>(&mut reader);
        let edges = C::edges(&setup);
        let ops = std::iter::from_fn(|| C::read_op(&edges, &mut reader)).collect();
        Trace { setup, ops }
    }

    /// The canonical wire bytes.
    #[must_use]
    pub fn to_wire(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_setup::<C>(&self.setup, &mut bytes);
        let edges = C::edges(&self.setup);
        let mut writer = Writer::new(&mut bytes);
        for op in &self.ops {
            C::write_op(&edges, op, &mut writer);
        }
        writer.finish();
        bytes
    }
}

/// Reads the version and the setup.
pub(crate) fn read_setup<C: Rig>(reader: &mut Reader<'_>) -> C::Setup {
    let _version = reader.byte();
    C::read_setup(reader)
}

/// Writes the version and the setup.
pub(crate) fn write_setup<C: Rig>(setup: &C::Setup, bytes: &mut Vec<u8>) {
    let mut writer = Writer::new(bytes);
    writer.byte(VERSION);
    C::write_setup(setup, &mut writer);
    writer.finish();
}
