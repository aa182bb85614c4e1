//! The limits on what comes from elsewhere: files, and what is made of them. Each is met with one line that names it.
//! The limit of a trace, `MAX_WIRE_BYTES`, is part of the wire format and stands there; those of workers stand in
//! `isolate`.

/// The largest trace file that is read, in bytes. 1 MiB of wire bytes is up to some 40 MiB as JSON lines.
pub const TRACE_FILE_BYTES: u64 = 64 << 20;
/// The longest first line of a JSON trace, in bytes: a setup and three texts for a person.
pub const HEADER_BYTES: usize = 64 << 10;
/// The longest line of an op in a JSON trace, in bytes: an op has a few operands, and no blob.
pub const OP_LINE_BYTES: usize = 64 << 10;
/// The largest run file that is read or written by merging, in bytes. One of all subjects has some hundreds of
/// kilobytes.
pub const RUN_FILE_BYTES: u64 = 32 << 20;
/// The most memory that what a run file says takes, in bytes as they are counted while it is read: it keeps out files
/// of many tiny parts, each of which costs far more than its text.
pub const RUN_MEMORY_BYTES: usize = 192 << 20;
/// The most shortfalls of a run file, with those of each run that was merged.
pub const RUN_SHORTFALLS: usize = 20_000;
/// The longest text of a run file that is kept, in bytes; longer ones are cut.
pub const RUN_TEXT_BYTES: usize = 2000;
/// The longest name of a component or of a subject in a run file, in bytes: reports repeat names.
pub const RUN_NAME_BYTES: usize = 500;
/// The most subjects of a run file, with those of each run that was merged.
pub const RUN_SUBJECTS: usize = 20_000;
/// The most findings of a run file, with those of each run that was merged.
pub const RUN_FINDINGS: usize = 20_000;
/// The largest list of known findings, in bytes.
pub const KNOWN_FILE_BYTES: u64 = 4 << 20;
/// The largest test that `export` makes, in bytes.
pub const EXPORT_BYTES: usize = 16 << 20;
/// The most ops of a trace that becomes a test: nobody reads a longer one.
pub const EXPORT_OPS: usize = 10_000;
/// The most bytes of memory that the answers in a test have together, whatever few words tell them.
pub const EXPORT_ANSWER_BYTES: u64 = 256 << 20;
