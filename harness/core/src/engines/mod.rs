//! Engines: where traces come from. An engine sees wire bytes, never a component.

pub mod exhaustive;
pub mod guided;
pub mod random;

use serde::{Deserialize, Serialize};

/// An engine that campaigns run in workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum Engine {
    /// Keeps traces that reach new features and makes most new traces out of those.
    #[default]
    Guided = 0,
    /// Every trace is fresh.
    Random = 1,
}

impl std::fmt::Display for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Engine::Guided => "guided",
            Engine::Random => "random",
        })
    }
}

/// A source of traces.
pub trait TraceSource {
    /// Writes trace number `index` of a stream in wire bytes. The same stream and index give the same trace.
    fn write(&mut self, stream: u64, index: u64, wire: &mut Vec<u8>);
}
