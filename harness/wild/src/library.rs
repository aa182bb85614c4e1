//! Shared libraries, loaded in workers: whatever their initialisers do, they do within the sandbox.

use std::ffi::{CStr, CString, c_void};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::{NonNull, null_mut};
use std::sync::OnceLock;

/// The library that was loaded first: its name, and where it lies.
static LOADED: OnceLock<(CString, Range<u64>)> = OnceLock::new();

/// A library that was loaded. It stays until the process ends.
#[derive(Debug, Clone, Copy)]
pub struct Handle(NonNull<c_void>);

/// Moves the end of the range that begins where this library does to the library's end.
unsafe extern "C" fn find_end(info: *mut libc::dl_phdr_info, _size: usize, found: *mut c_void) -> libc::c_int {
    // SAFETY: the loader passes a description of a loaded library (man 3 dl_iterate_phdr).
    let info = unsafe { &*info };
    // SAFETY: [`Handle::addresses`] passes a range.
    let found = unsafe { &mut *found.cast::<Range<u64>>() };
    if info.dlpi_addr == found.start {
        // SAFETY: the description has so many headers.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let loaded = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        found.end = loaded.map(|header| found.start + header.p_vaddr + header.p_memsz).max().unwrap_or(0);
    }
    0
}

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
            let _ = LOADED.set((name, Handle(handle).addresses()));
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

/// The library that was loaded first, and the addresses where it lies. May be asked for in a signal handler.
#[must_use]
pub fn loaded() -> Option<(&'static CStr, Range<u64>)> {
    LOADED.get().map(|(name, addresses)| (name.as_c_str(), addresses.clone()))
}

impl Handle {
    /// From the first to the last byte of its segments; nothing where the loader does not say.
    fn addresses(self) -> Range<u64> {
        let mut map = null_mut::<c_void>();
        // SAFETY: the handle is open; for this request the loader writes a pointer (man 3 dlinfo).
        let status = unsafe { libc::dlinfo(self.0.as_ptr(), libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
        if status != 0 || map.is_null() {
            return 0..0;
        }
        // SAFETY: the first field of a link map is the difference of the library's addresses from those of its file
        // (link.h).
        let mut found = unsafe { map.cast::<u64>().read() }..0;
        // SAFETY: the function is called with the range that is passed, before this call returns.
        unsafe { libc::dl_iterate_phdr(Some(find_end), (&raw mut found).cast()) };
        found
    }

    /// The address of a function or of data; null where the library has no such name.
    #[must_use]
    pub fn symbol(self, name: &str) -> *mut c_void {
        let name = CString::new(name);
        // SAFETY: the handle is open, and the name ends with a zero.
        name.map_or(null_mut(), |name| unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr()) })
    }
}
