//! Accesses through pointers that were never valid: what a defect does that takes a guest address for a host pointer.
//! The other record that subjects share with the fault handler is in [`requests`]. Here, too, shared libraries are
//! loaded, and it is known whether AddressSanitizer is built in.
//!
//! Each access is one byte and one machine instruction, so that the processor answers and no check of the compiler's or
//! of the standard library's stands before it. This module refuses to make such an access safe: whoever calls it
//! expects the process to die, and must run in a worker process. Below [`WINDOW_END`] workers keep every page
//! inaccessible, so the access itself faults. Beyond, where real memory may happen to be, the fault is *simulated*: the
//! address is left in [`SIMULATED_FAULT`] and the null page is touched in its stead; the fault handler then reports the
//! address left there.

pub mod library;
pub mod requests;
mod sanitizer;

pub use sanitizer::HAS_ADDRESS_SANITIZER;

use std::arch::asm;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Host addresses below this one (64 GiB) are inaccessible in a worker, in bytes.
pub const WINDOW_END: u64 = 1 << 36;

/// The host address that a simulated fault stands for. Valid only while [`SIMULATED`] is true.
pub static SIMULATED_FAULT: AtomicU64 = AtomicU64::new(0);
/// Whether the fault that follows is simulated.
pub static SIMULATED: AtomicBool = AtomicBool::new(false);

/// An address in the null page, which no process maps.
const NULL_PAGE_ADDRESS: u64 = 8;

/// Reads the byte at `host_address`, whatever is there.
#[inline(never)]
#[must_use]
pub fn read_byte(host_address: u64) -> u8 {
    let address = faulting_address(host_address);
    let byte: u8;
    // SAFETY: deliberately none of the usual claims. The address is in a window that workers keep inaccessible, or in
    // the null page: the instruction raises SIGSEGV and the worker dies. The instruction touches no other state.
    unsafe {
        asm!("mov {byte}, byte ptr [{address}]", byte = out(reg_byte) byte, address = in(reg) address,
            options(nostack, readonly, preserves_flags));
    }
    byte
}

/// Writes the byte at `host_address`, whatever is there.
#[inline(never)]
pub fn write_byte(host_address: u64, byte: u8) {
    let address = faulting_address(host_address);
    // SAFETY: as in `read_byte`: the address is inaccessible in a worker, so nothing is overwritten.
    unsafe {
        asm!("mov byte ptr [{address}], {byte}", byte = in(reg_byte) byte, address = in(reg) address,
            options(nostack, preserves_flags));
    }
}

/// Keeps addresses inside the window; others are put on record and replaced by the null page.
fn faulting_address(host_address: u64) -> u64 {
    if host_address < WINDOW_END {
        return host_address;
    }
    SIMULATED_FAULT.store(host_address, Ordering::Relaxed);
    SIMULATED.store(true, Ordering::Release);
    NULL_PAGE_ADDRESS
}

/// Where in the host a simulated process's memory lies: the base and the length in bytes, 0 where there is none.
static ARENA_BASE: AtomicU64 = AtomicU64::new(0);
static ARENA_BYTES: AtomicU64 = AtomicU64::new(0);

/// Puts on record where the memory of the simulated process lies: faults in it are reported by their guest addresses. A
/// process has one such memory at a time; the last one counts.
pub fn register_arena(host_base: u64, bytes: u64) {
    ARENA_BASE.store(host_base, Ordering::Relaxed);
    ARENA_BYTES.store(bytes, Ordering::Release);
}

/// The guest address of a host address within the registered arena. Two loads: fit for a signal handler.
#[must_use]
pub fn guest_address(host_address: u64) -> Option<u64> {
    let bytes = ARENA_BYTES.load(Ordering::Acquire);
    let offset = host_address.wrapping_sub(ARENA_BASE.load(Ordering::Relaxed));
    (offset < bytes).then_some(offset)
}

/// The address that a simulated fault stands for, if the fault that is being handled is one.
#[must_use]
pub fn simulated_fault() -> Option<u64> {
    SIMULATED.load(Ordering::Acquire).then(|| SIMULATED_FAULT.load(Ordering::Relaxed))
}
