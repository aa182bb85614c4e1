//! guest_memory: bulk access to a virtual machine's sharded guest physical memory.
//!
//! The interface is the one of a VM project whose bulk methods once used guest addresses as host pointers: scalar and
//! bulk reads and writes, load-reserved and store-conditional, dump and restore, devices, optional strict alignment.
//! This module holds its words; [`model::GuestMemoryModel`] judges.

mod contract;
mod device;
pub mod laws;
pub mod model;
mod op;
mod outcome;
mod setup;

pub use contract::GuestMemoryContract;
pub use device::{DeviceCall, DeviceFault, Direction, RegisterFile};
pub use op::{DeviceIndex, GuestAddress, MAX_TRANSFER_BYTES, OWNERS, Op, OpKind, Owner, TransferLength};
pub use outcome::{Error, Outcome, POISON, PageWrite, Seen, View};
pub use setup::{
    DIRTY_PAGE_BYTES, DUMP_LIMIT_BYTES, DeviceSetup, DirtyLogSetup, EDGES, MAX_DEVICE_BYTES, MAX_DEVICES,
    MAX_MEMORY_BYTES, MAX_RAM_RANGES, MAX_REFUSED_PAGES, RamRange, SHARDS, Setup,
};

use crate::vocabulary::Vocabulary;
use crate::{Component, Contract as _, Effect, Law, OutcomeClass, Unsupported, vocabulary};

/// The component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestMemory;

impl Component for GuestMemory {
    const NAME: &'static str = "guest_memory";
    const LAWS: &'static [Law] = laws::ALL;
    const OP_KINDS: &'static [&'static str] = OpKind::NAMES;
    const OUTCOME_CLASSES: &'static [OutcomeClass] = outcome::CLASSES;
    const VOCABULARY: Vocabulary = vocabulary!(GuestMemory, setup::NUMBERS, op::NUMBERS, outcome::NUMBERS);

    type Setup = Setup;
    type Op = Op;
    type Outcome = Outcome;
    type Contract = GuestMemoryContract;
    type View = View;
    type Model = model::GuestMemoryModel;

    #[inline]
    fn op_kind(op: &Op) -> usize {
        op.kind() as usize
    }

    #[inline]
    fn outcome_class(seen: &Outcome) -> usize {
        seen.result.class()
    }

    fn permits(contract: &GuestMemoryContract, op_kind: usize, outcome_class: usize) -> bool {
        outcome::permits(contract, OpKind::ALL[op_kind], outcome_class)
    }

    fn serves(contract: &GuestMemoryContract, setup: &Setup) -> Result<(), Unsupported> {
        contract.serves(setup)
    }
}

const _: () = {
    assert!(OpKind::ALL.len() == OpKind::NAMES.len());
    assert!(!GuestMemoryContract::STRICT.no_devices);
    assert!(matches!(outcome::CLASSES[0].effect, Effect::Success));
};
