//! The story of one trace on one subject, as data: what the terminal, the HTML report and others tell in their own
//! ways.

use crate::lockstep::ByteDifference;
use memtwin_models::picture::Picture;
use serde::{Deserialize, Serialize};

/// The story of one trace on one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The component.
    pub component: String,
    /// The subject.
    pub subject: String,
    /// What is wrong with the subject, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defect: Option<String>,
    /// What the trace's header says that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<String>,
    /// The trace's file.
    pub trace: String,
    /// The setup, in words.
    pub setup: String,
    /// Ops before the first told step; they agreed.
    pub earlier: usize,
    /// The told steps: all of a short trace, the last of a long one.
    pub steps: Vec<ToldStep>,
    /// Ops after the last told step; they did not run.
    pub later: usize,
    /// How it ended.
    pub end: End,
    /// What is probably wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<String>,
    /// The signature, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The command that shows it again.
    pub replay: String,
}

/// One op of a story.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToldStep {
    /// The op, in words.
    pub op: String,
    /// What the model allowed.
    pub allowed: String,
    /// What the subject showed; nothing if it died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What came of it.
    pub came: Came,
    /// The model's state before the op, with what the op asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// The model allowed it.
    Agreed,
    /// It broke a law, which a list of known findings accepts.
    Known,
    /// It broke a law.
    Diverged,
    /// The process died.
    Died,
    /// From here on the contract says nothing.
    Moot,
}

/// How a story ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// The subject agreed at every step.
    Agreed,
    /// The contract says nothing about the rest.
    Moot {
        /// The op that led there.
        op: u32,
        /// Why.
        reason: String,
    },
    /// The subject cannot serve the setup.
    Unsupported {
        /// Why.
        reason: String,
    },
    /// A law was broken.
    Diverged {
        /// Where, in words: `at op 3`, `at the audit after the last op`.
        place: String,
        /// The law.
        law: String,
        /// Its sentence.
        sentence: String,
        /// The part of the outcome or of the state that broke it.
        field: String,
        /// What was allowed; nothing at an audit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allowed: Option<String>,
        /// What was seen.
        seen: String,
        /// What a person should see of the place, in lines.
        scene: Vec<String>,
        /// The bytes that differ, where bytes do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<ByteDifference>,
        /// The model's state, at an audit; at an op it is the last step's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        picture: Option<Picture>,
    },
    /// The process died.
    Died {
        /// Where, in words.
        place: String,
        /// The class of the fault, as in signatures.
        class: String,
        /// The same in words.
        words: String,
        /// What was allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allowed: Option<String>,
        /// The address of the fault, as `0x…`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// What the process said last, in lines.
        said: Vec<String>,
        /// The subject's frames, innermost first.
        frames: Vec<String>,
    },
}
