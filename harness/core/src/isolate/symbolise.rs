//! From frames to functions. It runs in a process of its own that lies at the same addresses as the worker that faulted,
//! so that neither the zygote grows nor the supervisor needs the worker's addresses.

use super::slot::Slot;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

/// Writes a line for each frame of the slot's fault record to its output.
pub(super) fn run(slot: &mut Slot) {
    let count = slot.fault.frame_count.load(Ordering::Acquire) as usize;
    let mut text = String::new();
    for &address in slot.fault.frames.iter().take(count) {
        // A return address points behind its call; the byte before it belongs to the call. The faulting instruction is
        // where it is.
        let inside = if address == slot.fault.instruction { address } else { address.wrapping_sub(1) };
        backtrace::resolve(inside as *mut std::ffi::c_void, |symbol| {
            let Some(name) = symbol.name() else { return };
            let _ = write!(text, "{name:#}");
            if let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) {
                let _ = write!(text, " at {}:{line}", file.display());
            }
            text.push('\n');
        });
    }
    let length = text.len().min(slot.output.len());
    slot.output[..length].copy_from_slice(&text.as_bytes()[..length]);
    #[allow(clippy::cast_possible_truncation)] // at most OUTPUT_BYTES
    slot.output_length.store(length as u32, Ordering::Release);
}
