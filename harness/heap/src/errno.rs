//! The thread's own `errno`. It says nothing of what set it.

fn place() -> *mut i32 {
    // SAFETY: it has no conditions.
    unsafe { libc::__errno_location() }
}

/// The present value.
#[must_use]
pub fn get() -> i32 {
    // SAFETY: the place is valid as long as the thread lives.
    unsafe { *place() }
}

/// Sets it.
pub fn set(value: i32) {
    // SAFETY: the place is valid as long as the thread lives.
    unsafe { *place() = value };
}
