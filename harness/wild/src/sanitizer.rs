//! AddressSanitizer, where the program is built with it: it brings fault handlers, system calls and a malloc of its
//! own.

/// Whether this program was built with it.
pub const HAS_ADDRESS_SANITIZER: bool = cfg!(memtwin_address_sanitizer);

/// What AddressSanitizer's runtime takes for its options, besides those of the environment: its malloc answers null to
/// what it cannot serve, as malloc does, and the process goes on. It notes an eighth of what a block has, and of the
/// largest ones that would be more memory than there is; of what was freed it keeps no more than a fuzzer's limit
/// leaves room for.
#[cfg(memtwin_address_sanitizer)]
#[unsafe(no_mangle)]
extern "C" fn __asan_default_options() -> *const libc::c_char {
    c"allocator_may_return_null=1:max_allocation_size_mb=1024:quarantine_size_mb=64".as_ptr()
}
