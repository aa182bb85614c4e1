//! The limits on what comes from elsewhere: files, and what is made of them. Each is met with one line that names it. The limit of
//! a trace, `MAX_WIRE_BYTES`, is part of the wire format and stands there; those of workers stand in `isolate`.

/// The largest trace file that is read, in bytes. 1 MiB of wire bytes is up to some 40 MiB as JSON lines.
pub const TRACE_FILE_BYTES: u64 = 64 << 20;
/// The longest first line of a JSON trace, in bytes: a setup and three texts for a person.
pub const HEADER_BYTES: usize = 64 << 10;
/// The longest line of an op in a JSON trace, in bytes: an op has a few operands, and no blob.
pub const OP_LINE_BYTES: usize = 64 << 10;
/// The largest list of known findings, in bytes.
pub const KNOWN_FILE_BYTES: u64 = 4 << 20;
/// The largest test that `export` makes, in bytes.
pub const EXPORT_BYTES: usize = 16 << 20;
/// The most ops of a trace that becomes a test: nobody reads a longer one.
pub const EXPORT_OPS: usize = 10_000;
/// The most bytes of memory that the answers in a test have together, whatever few words tell them.
pub const EXPORT_ANSWER_BYTES: u64 = 256 << 20;
