//! JSON lines: a header, then one op a line. For people, for git, for ever: old files stay readable.

use super::{Head, Trace};
use crate::accepted::Accepted;
use crate::limits::{HEADER_BYTES, OP_LINE_BYTES};
use crate::rig::Rig;
use memtwin_models::wire::{MAX_WIRE_BYTES, Version};
use memtwin_models::{Lane, Origin};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error as _, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

/// How every JSON trace begins; no wire bytes that an engine keeps do, for a first byte of `{` is no version.
pub const JSON_PREFIX: &[u8] = b"{\"memtwin\":";
/// The version that says what wire bytes of version 1 say.
const VERSION: u32 = 1;
/// The version of traces that need wire bytes of version 2, whose ops may have a `lane`, and of those that name a
/// library or known findings.
const VERSION_2: u32 = 2;

/// The first line of a JSON trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the JSON form.
    pub memtwin: u32,
    /// The component's name.
    pub component: String,
    /// The setup, as the component writes it.
    pub setup: serde_json::Value,
    /// The subject that the trace speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The library that this subject is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<Origin>,
    /// The signature that a run on that subject ends with; without it the run agrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// Signatures of known findings that the run on that subject goes on behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
    /// What the trace shows, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<String>,
}

/// Why a trace cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TraceError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is empty; a trace begins with a line {{\"memtwin\":1,…}}")]
    Empty { path: PathBuf },
    #[error("{path} is larger than {limit} bytes, the most a trace file may be")]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{path}:{line}: {message}")]
    Line { path: PathBuf, line: usize, message: String },
    #[error(
        "{path} has version {version} of the trace format; this memtwin reads versions {VERSION} and {VERSION_2}: use \
         a newer one"
    )]
    Version { path: PathBuf, version: u32 },
    #[error("{path} is for the unknown component {component:?}; known are {known}")]
    Component { path: PathBuf, component: String, known: String },
    #[error("{path} is for the unknown subject {component}/{subject}; see `{} list`", crate::program::called())]
    Subject { path: PathBuf, component: String, subject: String },
    #[error(
        "{path} is not a JSON trace (it does not begin with {{\"memtwin\":) and names no component as wire bytes do \
         by lying below a folder of that name, such as corpus/guest_memory/"
    )]
    NotATrace { path: PathBuf },
    #[error("{path} encodes to {bytes} wire bytes; a trace is at most {MAX_WIRE_BYTES}: shorten it")]
    TooLong { path: PathBuf, bytes: usize },
    #[error("no trace in {path}: it holds no *.jsonl file and no corpus input")]
    NoTrace { path: PathBuf },
}

/// Reads the header line.
pub(crate) fn parse_header(path: &std::path::Path, text: &str) -> Result<Header, TraceError> {
    let line = text.lines().next().unwrap_or_default();
    let at = |message: String| TraceError::Line { path: path.to_owned(), line: 1, message };
    if HEADER_BYTES < line.len() {
        return Err(at(format!("the header has {} bytes; it may have at most {HEADER_BYTES}", line.len())));
    }
    // The version is judged first: a newer header may have fields that this version does not know.
    #[derive(Deserialize)]
    struct Version {
        memtwin: u32,
    }
    let version: Version = serde_json::from_str(line).map_err(|error| at(words(&error)))?;
    if !matches!(version.memtwin, VERSION | VERSION_2) {
        return Err(TraceError::Version { path: path.to_owned(), version: version.memtwin });
    }
    serde_json::from_str(line).map_err(|error| at(words(&error)))
}

/// Reads the setup and the ops of a JSON trace whose header is known.
pub(crate) fn parse<C: Rig>(path: &std::path::Path, header: &Header, text: &str) -> Result<Trace<C>, TraceError> {
    let at = |line: usize, message: String| TraceError::Line { path: path.to_owned(), line, message };
    let setup = C::Setup::deserialize(&header.setup).map_err(|error| at(1, format!("setup: {}", words(&error))))?;
    C::check_setup(&setup).map_err(|message| at(1, format!("setup: {message}")))?;
    let mut ops = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        if OP_LINE_BYTES < line.len() {
            let message = format!("the line has {} bytes; an op may have at most {OP_LINE_BYTES}", line.len());
            return Err(at(index + 1, message));
        }
        // Each op takes a wire byte or more, so that more ops than those never fit.
        if MAX_WIRE_BYTES <= ops.len() {
            return Err(at(
                index + 1,
                format!("more than {MAX_WIRE_BYTES} ops: a trace is at most {MAX_WIRE_BYTES} wire bytes"),
            ));
        }
        let wrong = |error: serde_json::Error| at(index + 1, words(&error));
        ops.push(if header.memtwin == VERSION_2 {
            let Step { lane, op } = serde_json::from_str(line).map_err(wrong)?;
            if C::LANES <= lane {
                let message = format!("lane {lane}: a trace of {} has lanes below {} only", C::NAME, C::LANES);
                return Err(at(index + 1, message));
            }
            (Lane::new_folded(lane, C::LANES), op)
        } else {
            (Lane::FIRST, serde_json::from_str(line).map_err(wrong)?)
        });
    }
    Ok(Trace::of_threads(setup, ops))
}

/// Writes a JSON trace.
pub(crate) fn print<C: Rig>(trace: &Trace<C>, header: &Header) -> String {
    let version = match Head::of::<C>(&trace.setup).version(trace.needs_two()) {
        Version::One if header.library.is_none() && header.known.is_empty() => VERSION,
        Version::One | Version::Two => VERSION_2,
    };
    let header = Header {
        memtwin: version,
        component: C::NAME.to_owned(),
        setup: serde_json::to_value(&trace.setup).expect("a setup has a JSON form"),
        ..header.clone()
    };
    let mut text = serde_json::to_string(&header).expect("a header has a JSON form");
    text.push('\n');
    for (lane, op) in trace.steps() {
        text.push_str(&serde_json::to_string(op).expect("an op has a JSON form"));
        if lane != Lane::FIRST {
            // Ops are objects, and never empty.
            text.pop();
            text.push_str(&format!(",\"lane\":{}}}", u8::from(lane)));
        }
        text.push('\n');
    }
    text
}

impl Header {
    /// What a run goes on behind.
    #[must_use]
    pub fn accepted(&self) -> Accepted {
        Accepted::new(self.known.iter().map(String::as_str))
    }

    /// The header of a trace of this subject, and of the library that it is made of.
    #[must_use]
    pub fn of(subject: &str, library: Option<&Origin>) -> Self {
        Header { subject: Some(subject.to_owned()), library: library.cloned(), ..Header::plain() }
    }

    /// A header that says nothing but what the trace is; component and setup are filled in when it is written.
    #[must_use]
    pub fn plain() -> Self {
        Header {
            memtwin: VERSION,
            component: String::new(),
            setup: serde_json::Value::Null,
            subject: None,
            library: None,
            expect: None,
            known: Vec::new(),
            story: None,
        }
    }
}

/// An op's line where it may have a lane. Preemptions are read, and nothing comes of them.
struct Step<O> {
    lane: u8,
    op: O,
}

/// A point of an op at which another thread goes on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preemption {
    #[serde(rename = "point")]
    _point: u64,
    #[serde(rename = "to")]
    _to: u8,
}

impl<'de, O: Deserialize<'de>> Deserialize<'de> for Step<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StepVisitor(PhantomData))
    }
}

struct StepVisitor<O>(PhantomData<O>);

impl<'de, O: Deserialize<'de>> Visitor<'de> for StepVisitor<O> {
    type Value = Step<O>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an op")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Step<O>, M::Error> {
        let mut lane = None;
        let op = O::deserialize(MapAccessDeserializer::new(OpFields { map, lane: &mut lane }))?;
        Ok(Step { lane: lane.unwrap_or(0), op })
    }
}

/// The fields of a line that are the op's.
struct OpFields<'a, M> {
    map: M,
    lane: &'a mut Option<u8>,
}

impl<'de, M: MapAccess<'de>> MapAccess<'de> for OpFields<'_, M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, M::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            match key.as_str() {
                "lane" if self.lane.is_some() => return Err(M::Error::duplicate_field("lane")),
                "lane" => *self.lane = Some(self.map.next_value()?),
                "preempt" => drop(self.map.next_value::<Vec<Preemption>>()?),
                _ => return seed.deserialize(key.into_deserializer()).map(Some),
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, M::Error> {
        self.map.next_value_seed(seed)
    }
}

/// serde's message without its own line numbers, cut to one readable line.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    let short: String = text.chars().take(200).collect();
    if error.column() == 0 { short } else { format!("{short} (column {})", error.column()) }
}
