//! The allocator that would serve the program without the recorder, by the names of its functions; and a little memory
//! for what the search for it asks itself. Records nothing.

use libc::{c_char, c_int, c_void};
use std::cell::UnsafeCell;
use std::mem::transmute;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The bytes for those who ask before the allocator is found.
const ROOM_BYTES: usize = 1 << 18;
/// Before each block of the room lies its size; blocks are aligned to this as well.
const STEP_BYTES: usize = 16;

#[repr(C, align(4096))]
struct Room(UnsafeCell<[u8; ROOM_BYTES]>);

// SAFETY: each byte is given out once, to one caller.
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new([0; ROOM_BYTES]));
static ROOM_USED: AtomicUsize = AtomicUsize::new(0);

/// A block of the room, of zeros; null where it is full. It is never given back.
fn block_of_room(size: usize, align: usize) -> *mut c_void {
    if ROOM_BYTES < size || ROOM_BYTES < align {
        return null_mut();
    }
    let step = align.max(STEP_BYTES);
    let taken = (size + STEP_BYTES + step).next_multiple_of(STEP_BYTES);
    let from = ROOM_USED.fetch_add(taken, Ordering::Relaxed);
    if ROOM_BYTES < from.saturating_add(taken) {
        return null_mut();
    }
    let block = ROOM.0.get().cast::<u8>().wrapping_add((from + STEP_BYTES).next_multiple_of(step));
    // SAFETY: the word before the block is within what was just taken, and aligned.
    unsafe { block.wrapping_sub(STEP_BYTES).cast::<usize>().write(size) };
    block.cast()
}

/// The size of a block of the room; `None` for every other pointer.
#[inline]
pub(crate) fn size_in_room(block: *mut c_void) -> Option<usize> {
    let distance = (block as usize).wrapping_sub(ROOM.0.get() as usize);
    if ROOM_BYTES <= distance {
        return None;
    }
    // SAFETY: every block of the room has its size before it.
    Some(unsafe { block.cast::<u8>().wrapping_sub(STEP_BYTES).cast::<usize>().read() })
}

/// Functions of the allocator: for each the cell that it is kept in, and how it is called where it was found.
macro_rules! functions {
    ($($cell:ident $name:ident($($argument:ident: $type:ty),*) $(-> $answer:ty, else $otherwise:expr)?;)*) => {
        $(
            static $cell: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

            /// The allocator's function of this name.
            ///
            /// # Safety
            /// As the function's own.
            #[inline]
            pub(crate) unsafe fn $name($($argument: $type),*) $(-> $answer)? {
                let found = $cell.load(Ordering::Relaxed);
                if found.is_null() {
                    return $($otherwise)?;
                }
                // SAFETY: it was found under this name, whose type C and POSIX say.
                let function: unsafe extern "C" fn($($type),*) $(-> $answer)? = unsafe { transmute(found) };
                // SAFETY: the caller's promise.
                unsafe { function($($argument),*) }
            }
        )*

        /// Looks for the allocator. What the search itself asks for is served from the room.
        pub(crate) fn find() {
            $(
                let name = concat!(stringify!($name), "\0").as_ptr().cast::<c_char>();
                // SAFETY: the name ends with a zero.
                $cell.store(unsafe { libc::dlsym(libc::RTLD_NEXT, name) }, Ordering::Relaxed);
            )*
        }
    };
}

functions! {
    MALLOC malloc(size: usize) -> *mut c_void, else block_of_room(size, STEP_BYTES);
    CALLOC calloc(count: usize, size: usize) -> *mut c_void,
        else count.checked_mul(size).map_or(null_mut(), |size| block_of_room(size, STEP_BYTES));
    REALLOC realloc(block: *mut c_void, size: usize) -> *mut c_void,
        else if block.is_null() { block_of_room(size, STEP_BYTES) } else { null_mut() };
    REALLOCARRAY reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void, else null_mut();
    FREE free(block: *mut c_void);
    POSIX_MEMALIGN posix_memalign(place: *mut *mut c_void, align: usize, size: usize) -> c_int, else libc::ENOMEM;
    ALIGNED_ALLOC aligned_alloc(align: usize, size: usize) -> *mut c_void, else block_of_room(size, align);
    MEMALIGN memalign(align: usize, size: usize) -> *mut c_void, else block_of_room(size, align);
    USABLE_SIZE malloc_usable_size(block: *mut c_void) -> usize, else 0;
}
