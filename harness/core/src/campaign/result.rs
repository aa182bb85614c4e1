//! What an epoch found, as the ledger takes it and the log keeps it.

use super::files::Filed;
use super::tally::Tally;
use crate::feedback::Kept;
use crate::finding::Signature;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// Traces of other shapes with this signature.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<Filed>,
    /// How many earlier traces are part of the filed one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub earlier_traces: u32,
}

/// A trace whose worker something outside of memtwin ended each time, or that took too long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NotJudged {
    pub path: PathBuf,
    pub why: String,
}

/// What an epoch found and counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct EpochResult {
    pub tally: Tally,
    pub found: Vec<Found>,
    /// Traces that were not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<NotJudged>,
    /// Traces that reached something new.
    #[serde(with = "super::log::pack")]
    pub kept: Vec<Kept>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_zero(number: &u32) -> bool {
    *number == 0
}
