//! From frames to functions. It runs in a process of its own that lies at the same addresses as the worker that
//! faulted, so that neither the zygote grows nor the supervisor needs the worker's addresses.

use super::shared::Shared;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

/// Writes a line for each frame of the shared's fault record to its output.
pub(super) fn run(shared: &mut Shared) {
    let count = shared.fault.frame_count.load(Ordering::Acquire) as usize;
    let mut text = String::new();
    for &address in shared.fault.frames.iter().take(count) {
        // A return address points behind its call; the byte before it belongs to the call. The faulting instruction is
        // where it is.
        let inside = if address == shared.fault.instruction { address } else { address.wrapping_sub(1) };
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
