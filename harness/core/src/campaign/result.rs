//! What an epoch found, as the ledger takes it and the log keeps it.

use super::files::Filed;
use super::tally::Tally;
use crate::feedback::Kept;
use crate::finding::Signature;
use serde::{Deserialize, Serialize};

/// A finding of one epoch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Found {
    pub signature: Signature,
    /// Traces of this epoch up to and with the one that failed.
    pub executions: u64,
    /// Ops of this epoch up to and with the one that failed.
    pub ops: u64,
    pub seconds: f64,
    pub filed: Filed,
}

/// What an epoch found and counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EpochResult {
    pub tally: Tally,
    pub found: Vec<Found>,
    /// Traces that reached something new.
    pub kept: Vec<Kept>,
}
