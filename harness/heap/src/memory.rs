//! Loads and stores in blocks. Every block was answered by an allocator that may be wrong: its caller has asked whether
//! the bytes can be touched.

use std::ptr;

static ZEROS: [u8; 4096] = [0; 4096];

/// Copies bytes of a block.
///
/// # Safety
/// So many bytes from `from` on can be read.
#[inline]
pub(crate) unsafe fn load(from: *const u8, into: &mut [u8]) {
    // SAFETY: the caller says that the bytes can be read; a buffer of the harness is no block.
    unsafe { ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
}

/// The bytes of a block, to be written.
///
/// # Safety
/// So many bytes from `at` on can be written, and nobody else looks at them meanwhile.
#[inline]
pub(crate) unsafe fn bytes_mut<'a>(at: *mut u8, length: usize) -> &'a mut [u8] {
    // SAFETY: the caller says so; any bytes are bytes.
    unsafe { std::slice::from_raw_parts_mut(at, length) }
}

/// The offset of the first byte that is not `byte`.
///
/// # Safety
/// So many bytes from `at` on can be read.
#[inline]
pub(crate) unsafe fn first_other(at: *const u8, length: usize, byte: u8) -> Option<usize> {
    // SAFETY: the caller says so.
    let bytes = unsafe { std::slice::from_raw_parts(at, length) };
    if byte == 0 {
        let chunk = bytes.chunks(ZEROS.len()).position(|chunk| chunk != &ZEROS[..chunk.len()])?;
        let start = chunk * ZEROS.len();
        return bytes[start..].iter().position(|other| *other != 0).map(|offset| start + offset);
    }
    bytes.iter().position(|other| *other != byte)
}
