//! From frames to functions. It runs in a process of its own that lies at the same addresses as the worker that
//! faulted, so that neither the zygote grows nor the supervisor needs the worker's addresses. A shared library that
//! the worker had loaded is loaded here too, in the sandbox, and may lie elsewhere.

use super::shared::{FaultRecord, Shared};
use super::{fault, sandbox};
use memtwin_wild::library;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Writes a line for each frame of the shared's fault record to its output.
pub(super) fn run(shared: &mut Shared) {
    let count = shared.fault.frame_count.load(Ordering::Acquire) as usize;
    let library_start = library_start(&shared.fault);
    let mut text = String::new();
    for &address in shared.fault.frames.iter().take(count) {
        // A return address points behind its call; the byte before it belongs to the call. The faulting instruction is
        // where it is.
        let inside = if address == shared.fault.instruction { address } else { address.wrapping_sub(1) };
        let is_in_library = (shared.fault.library_start..shared.fault.library_end).contains(&inside);
        let inside = match library_start {
            Some(start) if is_in_library => inside - shared.fault.library_start + start,
            Some(_) | None => inside,
        };
        backtrace::resolve(inside as *mut std::ffi::c_void, |symbol| {
            let Some(name) = symbol.name() else { return };
            let _ = write!(text, "{name:#}");
            if let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) {
                let _ = write!(text, " at {}:{line}", file.display());
            }
            text.push('\n');
        });
    }
    let length = text.len().min(shared.output.len());
    shared.output[..length].copy_from_slice(&text.as_bytes()[..length]);
    #[allow(clippy::cast_possible_truncation)] // at most OUTPUT_BYTES
    shared.output_length.store(length as u32, Ordering::Release);
}

/// Loads the library that the worker had loaded, if a frame may lie in it; says where it begins here.
fn library_start(record: &FaultRecord) -> Option<u64> {
    let name = record.library.get();
    if name.is_empty() {
        return None;
    }
    // Its initialisers are as little trusted here as there.
    fault::answer_refusals();
    if !super::has_address_sanitizer() && !sandbox::enter() {
        return None;
    }
    library::open(Path::new(&name))?;
    let (_, addresses) = library::loaded()?;
    Some(addresses.start)
}
