//! Shared libraries, loaded in workers: whatever their initialisers do, they do within the sandbox.

use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::{NonNull, null_mut};

/// A library that was loaded. It stays until the process ends.
#[derive(Debug, Clone, Copy)]
pub struct Handle(NonNull<c_void>);

/// Opens a library so that its symbols are nobody else's, and its own come first. Where it cannot be loaded, the
/// loader's words are on standard error.
#[must_use]
pub fn open(path: &Path) -> Option<Handle> {
    let name = CString::new(path.as_os_str().as_bytes()).ok()?;
    // AddressSanitizer's runtime refuses the flag (man 3 dlopen).
    let deep = if cfg!(target_env = "gnu") { libc::RTLD_DEEPBIND } else { 0 };
    for flags in [libc::RTLD_NOW | libc::RTLD_LOCAL | deep, libc::RTLD_NOW | libc::RTLD_LOCAL] {
        // SAFETY: runs the library's initialisers, which is what it is loaded for; the sandbox is closed.
        let handle = unsafe { libc::dlopen(name.as_ptr(), flags) };
        if let Some(handle) = NonNull::new(handle) {
            return Some(Handle(handle));
        }
    }
    // SAFETY: the message of the last failure, valid until the next call.
    let message = unsafe { libc::dlerror() };
    if !message.is_null() {
        // SAFETY: it ends with a zero.
        let text = unsafe { CStr::from_ptr(message) }.to_bytes();
        // SAFETY: standard error is the worker's pipe; what cannot be written is lost.
        let _ = unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }
    None
}

impl Handle {
    /// The address of a function or of data; null where the library has no such name.
    #[must_use]
    pub fn symbol(self, name: &str) -> *mut c_void {
        let name = CString::new(name);
        // SAFETY: the handle is open, and the name ends with a zero.
        name.map_or(null_mut(), |name| unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr()) })
    }
}
