//! What memtwin and a shared library agree on. harness/include/memtwin.h is made of this file (`cargo xtask generate`).

use std::ffi::c_void;

/// The version of `memtwin_guest_memory` that this header describes.
pub const MEMTWIN_GUEST_MEMORY_VERSION: u32 = 1;

/// The call did what it was asked to do.
pub const MEMTWIN_DONE: i32 = 0;
/// A store-conditional did not store.
pub const MEMTWIN_NOT_STORED: i32 = 1;
/// The size is none of 1, 2, 4 and 8, or the address is misaligned where alignment is strict.
pub const MEMTWIN_ALIGNMENT: i32 = 2;
/// The range is not within memory.
pub const MEMTWIN_INVALID_ADDRESS: i32 = 3;
/// The same, reported as a page fault.
pub const MEMTWIN_PAGE_FAULT: i32 = 4;
/// Anything else: a device's error, an access partly in a device, a restore of the wrong length.
pub const MEMTWIN_OTHER_ERROR: i32 = 5;

/// A device region. Where it covers memory, the device answers.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct memtwin_device {
    /// The first guest physical address.
    pub base: u64,
    /// The size in bytes.
    pub bytes: u64,
}

/// A range of RAM.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct memtwin_ram {
    /// The first guest physical address.
    pub base: u64,
    /// The size in bytes.
    pub bytes: u64,
}

/// What a memory is built with. It lives as long as the memory that was created with it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct memtwin_setup {
    /// The memory's size in bytes: the sum of all ranges of RAM.
    pub memory_bytes: u64,
    /// Where RAM lies: ranges sorted by base, disjoint, which may meet. With `flat_ram` always one, from 0 on.
    pub ram: *const memtwin_ram,
    /// How many there are.
    pub ram_count: usize,
    /// Whether scalar accesses must be aligned to their size.
    pub strict_alignment: bool,
    /// The device regions: sorted by base, disjoint.
    pub devices: *const memtwin_device,
    /// How many there are.
    pub device_count: usize,
    /// What the two functions below are called with.
    pub device_context: *mut c_void,
    /// Reads `bytes` bytes (1, 2, 4 or 8) at an offset in a device, little-endian; `MEMTWIN_DONE` or
    /// `MEMTWIN_OTHER_ERROR`.
    pub device_read:
        unsafe extern "C" fn(context: *mut c_void, device: usize, offset: u64, bytes: u8, value: *mut u64) -> i32,
    /// Writes likewise.
    pub device_write:
        unsafe extern "C" fn(context: *mut c_void, device: usize, offset: u64, bytes: u8, value: u64) -> i32,
}

/// A guest memory. A shared library exports one under the name `memtwin_guest_memory`, and the freedoms that it claims
/// as a string under the name `memtwin_guest_memory_contract` (see `memtwin list`), such as
/// "flat_ram,no_devices,largest_memory_bytes=1048576".
///
/// All functions are called from one thread, one at a time. `owner` is the virtual CPU that makes the call, 0 to 3.
/// Functions that answer do so with one of the constants above. A function that the contract says is missing may be
/// NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct memtwin_guest_memory {
    /// `MEMTWIN_GUEST_MEMORY_VERSION`.
    pub version: u32,
    /// A memory of zeros; NULL where the host refuses it. Nothing is judged then.
    pub create: Option<unsafe extern "C" fn(setup: *const memtwin_setup) -> *mut c_void>,
    /// Ends a memory.
    pub destroy: Option<unsafe extern "C" fn(memory: *mut c_void)>,
    /// Makes a memory as good as new; false where it is to be destroyed and created again. May be NULL; several times
    /// faster than that.
    pub reset: Option<unsafe extern "C" fn(memory: *mut c_void) -> bool>,
    /// Reads a scalar of 1, 2, 4 or 8 bytes, little-endian. Any other size is asked for, too.
    pub read:
        Option<unsafe extern "C" fn(memory: *mut c_void, owner: u8, address: u64, bytes: u8, value: *mut u64) -> i32>,
    /// Writes a scalar.
    pub write: Option<unsafe extern "C" fn(memory: *mut c_void, owner: u8, address: u64, bytes: u8, value: u64) -> i32>,
    /// Reads the 4 bytes of an instruction.
    pub fetch_instruction:
        Option<unsafe extern "C" fn(memory: *mut c_void, owner: u8, address: u64, value: *mut u32) -> i32>,
    /// Reads a scalar and leaves a reservation of this owner.
    pub load_reserved:
        Option<unsafe extern "C" fn(memory: *mut c_void, owner: u8, address: u64, bytes: u8, value: *mut u64) -> i32>,
    /// Writes a scalar if the owner's reservation stands; `MEMTWIN_NOT_STORED` otherwise.
    pub store_conditional:
        Option<unsafe extern "C" fn(memory: *mut c_void, owner: u8, address: u64, bytes: u8, value: u64) -> i32>,
    /// Ends every owner's reservation of the lines in the range.
    pub invalidate_reservation:
        Option<unsafe extern "C" fn(memory: *mut c_void, owner: u8, address: u64, bytes: u8) -> i32>,
    /// Fills the whole buffer from memory, or fails.
    pub read_bulk: Option<
        unsafe extern "C" fn(memory: *mut c_void, owner: u8, address: u64, buffer: *mut u8, bytes: usize) -> i32,
    >,
    /// Writes all bytes, or fails and writes none.
    pub write_bulk: Option<
        unsafe extern "C" fn(memory: *mut c_void, owner: u8, address: u64, data: *const u8, bytes: usize) -> i32,
    >,
    /// The memory's size in bytes.
    pub memory_bytes: Option<unsafe extern "C" fn(memory: *mut c_void, owner: u8) -> u64>,
    /// Writes the whole memory into the buffer, and how many bytes that were into `dumped`. The buffer has room for
    /// more than the memory.
    pub dump: Option<
        unsafe extern "C" fn(
            memory: *mut c_void,
            owner: u8,
            buffer: *mut u8,
            capacity: usize,
            dumped: *mut usize,
        ) -> i32,
    >,
    /// Makes these bytes the memory's; right only if they are as many as the memory has.
    pub restore: Option<unsafe extern "C" fn(memory: *mut c_void, owner: u8, data: *const u8, bytes: usize) -> i32>,
}
