//! The functions that programs call instead of their allocator's: each passes the call on and tells the session. Does
//! not decide anything.

use crate::next;
use crate::session::{begin, enter};
use libc::{c_int, c_void};
use memtwin_recording::Kind;
use std::ptr::{copy_nonoverlapping, null_mut};

/// Begins when the library is loaded, so that a program that asks for nothing has a file that says so.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = {
    extern "C" fn at_start() {
        begin();
    }
    at_start
};

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    let entered = enter();
    // SAFETY: any size may be asked for.
    let block = unsafe { next::malloc(size) };
    if let Some(mut session) = entered {
        session.got(Kind::Malloc, (size, 0), block);
    }
    block
}

#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    let entered = enter();
    // SAFETY: any size may be asked for.
    let block = unsafe { next::calloc(count, size) };
    if let Some(mut session) = entered {
        session.got(Kind::Calloc, (count, size), block);
    }
    block
}

#[unsafe(no_mangle)]
unsafe extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    let entered = enter();
    // SAFETY: any size may be asked for; the alignment is the caller's matter.
    let block = unsafe { next::aligned_alloc(align, size) };
    if let Some(mut session) = entered {
        session.got(Kind::AlignedAlloc, (size, align), block);
    }
    block
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memalign(align: usize, size: usize) -> *mut c_void {
    let entered = enter();
    // SAFETY: any size may be asked for; the alignment is the caller's matter.
    let block = unsafe { next::memalign(align, size) };
    if let Some(mut session) = entered {
        session.got(Kind::Memalign, (size, align), block);
    }
    block
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(place: *mut *mut c_void, align: usize, size: usize) -> c_int {
    let entered = enter();
    // SAFETY: the caller says that the place may be written.
    let returned = unsafe { next::posix_memalign(place, align, size) };
    if let Some(mut session) = entered {
        // SAFETY: the caller says that the place is one; it was written when the answer is 0.
        let block = if returned == 0 { unsafe { place.read() } } else { null_mut() };
        session.got_posix((size, align), returned, block);
    }
    returned
}

/// A block of the room has another place from now on; it is the allocator's.
fn out_of_room(block: *mut c_void, old_size: usize, size: usize) -> *mut c_void {
    // SAFETY: any size may be asked for.
    let new = unsafe { malloc(size) };
    if !new.is_null() {
        // SAFETY: both blocks have so many bytes, and a new block overlaps none that is live.
        unsafe { copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), old_size.min(size)) };
    }
    new
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if let Some(old_size) = next::size_in_room(block) {
        return out_of_room(block, old_size, size);
    }
    let Some(mut session) = enter() else {
        // SAFETY: the caller's promise.
        return unsafe { next::realloc(block, size) };
    };
    let old = session.begin_resize(block, Some(size));
    // SAFETY: the caller says that the block is live, or null.
    let new = unsafe { next::realloc(block, size) };
    if block.is_null() {
        session.got(Kind::Malloc, (size, 0), new);
    } else {
        session.end_resize(old, Kind::Realloc, (size, 0), new);
    }
    new
}

#[unsafe(no_mangle)]
unsafe extern "C" fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void {
    if let Some(old_size) = next::size_in_room(block) {
        return count.checked_mul(size).map_or(null_mut(), |size| out_of_room(block, old_size, size));
    }
    let Some(mut session) = enter() else {
        // SAFETY: the caller's promise.
        return unsafe { next::reallocarray(block, count, size) };
    };
    let old = session.begin_resize(block, count.checked_mul(size));
    // SAFETY: the caller says that the block is live, or null.
    let new = unsafe { next::reallocarray(block, count, size) };
    if block.is_null() {
        session.got(Kind::Malloc, (count.saturating_mul(size), 0), new);
    } else {
        session.end_resize(old, Kind::Reallocarray, (count, size), new);
    }
    new
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut c_void) {
    if next::size_in_room(block).is_some() {
        return;
    }
    let entered = enter();
    if let Some(mut session) = entered {
        session.free(block);
        // SAFETY: the caller says that the block is live, or null.
        return unsafe { next::free(block) };
    }
    // SAFETY: as above.
    unsafe { next::free(block) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    if let Some(size) = next::size_in_room(block) {
        return size;
    }
    let entered = enter();
    // SAFETY: the caller says that the block is live, or null.
    let bytes = unsafe { next::malloc_usable_size(block) };
    if let Some(mut session) = entered {
        session.told(block, bytes);
    }
    bytes
}
