//! Engines: where traces come from. An engine sees wire bytes, never a component.

pub mod in_process;
pub mod random;

/// A source of traces.
pub trait TraceSource {
    /// Writes trace number `index` of a stream in wire bytes. The same stream and index give the same trace.
    fn write(&mut self, stream: u64, index: u64, wire: &mut Vec<u8>);
}
