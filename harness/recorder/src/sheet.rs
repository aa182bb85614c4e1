//! The file of this process: made and mapped once, then written through the mapping, so that what is in it survives
//! whatever ends the process. Room on the disk is taken before it is written to, because a full disk would otherwise be
//! a signal to the program. Knows no allocator.

use libc::{c_char, c_int};
use memtwin_recording::{
    BREACH_WORDS, BREACHES_AT_WORD, Breach, FOLDER_VARIABLE, Field, HEADER_BYTES, JUDGE_VARIABLE, MAGIC, MOST_BREACHES,
    RECORD_BYTES, RECORD_WORDS, Record, VERSION,
};
use std::ptr::{self, null_mut};

/// The most bytes of a file.
const MOST_BYTES: usize = 4 << 30;
/// The disk is asked for so many bytes at once.
const STEP_BYTES: usize = 4 << 20;
/// The most bytes of a file's path, with the zero at its end.
const PATH_BYTES: usize = 4096;
/// The most programs that one process becomes, each with a file.
const MOST_FILES: u64 = 1000;

/// The file.
#[derive(Debug)]
pub(crate) struct Sheet {
    words: *mut u64,
    path: [u8; PATH_BYTES],
    /// Records that were written.
    written: usize,
    /// Records that there is room for on the disk, and in the file at all.
    granted: usize,
    limit: usize,
}

/// The value of a variable of the environment; null where it is not there.
fn variable(name: &str) -> *const c_char {
    // SAFETY: reading where the environment is; nobody changes it this early, or the program has the same trouble.
    let mut entry = unsafe { ENVIRONMENT };
    if entry.is_null() {
        return ptr::null();
    }
    loop {
        // SAFETY: the environment is a list of texts that ends with null.
        let text = unsafe { entry.read() };
        if text.is_null() {
            return ptr::null();
        }
        // SAFETY: the text ends with a zero, and no byte is read beyond the first difference.
        let is_equal = |(index, byte): (usize, u8)| unsafe { text.cast::<u8>().wrapping_add(index).read() } == byte;
        if name.bytes().chain([b'=']).enumerate().all(is_equal) {
            return text.wrapping_add(name.len() + 1);
        }
        entry = entry.wrapping_add(1);
    }
}

unsafe extern "C" {
    #[link_name = "environ"]
    static ENVIRONMENT: *const *const c_char;
}

/// Whether there is an environment to look into.
pub(crate) fn has_environment() -> bool {
    // SAFETY: as above.
    !unsafe { ENVIRONMENT }.is_null()
}

/// Whether the recorder is to judge.
pub(crate) fn judges() -> bool {
    !variable(JUDGE_VARIABLE).is_null()
}

/// A text in room of its own.
struct Text<'a> {
    bytes: &'a mut [u8; PATH_BYTES],
    length: usize,
}

impl Text<'_> {
    fn push(&mut self, byte: u8) {
        // The last byte stays zero.
        if self.length < PATH_BYTES - 1 {
            self.bytes[self.length] = byte;
            self.length += 1;
        }
    }

    fn push_number(&mut self, number: u64) {
        let mut power = 1_u64;
        while power <= number / 10 {
            power *= 10;
        }
        while power != 0 {
            self.push(b'0' + (number / power % 10).to_le_bytes()[0]);
            power /= 10;
        }
    }
}

/// Writes the path of a file of this process; whether it fits.
fn write_path(path: &mut [u8; PATH_BYTES], folder: *const c_char, process: u64, file: u64) -> bool {
    path.fill(0);
    let mut text = Text { bytes: path, length: 0 };
    let mut at = folder.cast::<u8>();
    loop {
        // SAFETY: the folder's name ends with a zero, where this ends.
        let byte = unsafe { at.read() };
        if byte == 0 {
            break;
        }
        text.push(byte);
        at = at.wrapping_add(1);
    }
    text.push(b'/');
    text.push_number(process);
    text.push(b'.');
    text.push_number(file);
    text.length < PATH_BYTES - 1
}

fn open(path: &[u8; PATH_BYTES], flags: c_int) -> c_int {
    // SAFETY: the path ends with a zero.
    unsafe { libc::open(path.as_ptr().cast(), flags | libc::O_RDWR | libc::O_CLOEXEC, 0o600) }
}

fn close(descriptor: c_int) {
    // SAFETY: the descriptor is this module's own.
    unsafe { libc::close(descriptor) };
}

/// The thread's error number.
pub(crate) fn errno() -> c_int {
    // SAFETY: it says where the thread's own is.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: that place is there as long as the thread is.
    unsafe { place.read() }
}

/// Sets it: the program must not see what happened here.
pub(crate) fn set_errno(value: c_int) {
    // SAFETY: it says where the thread's own is.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: that place is there as long as the thread is.
    unsafe { place.write(value) };
}

/// The largest file that this process may write, in bytes.
fn most_bytes() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is this function's own.
    let answer = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    if answer == 0 { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX).min(MOST_BYTES) } else { 0 }
}

impl Sheet {
    /// The file of this process in the folder that the environment names; `None` where it names none, or the file
    /// cannot be made.
    pub(crate) fn open() -> Option<Self> {
        let folder = variable(FOLDER_VARIABLE);
        if folder.is_null() {
            return None;
        }
        // SAFETY: it asks for nothing but a number.
        let process = u64::try_from(unsafe { libc::getpid() }).ok()?;
        let mut path = [0; PATH_BYTES];
        let mut descriptor = -1;
        for file in 0..MOST_FILES {
            if !write_path(&mut path, folder, process, file) {
                return None;
            }
            descriptor = open(&path, libc::O_CREAT | libc::O_EXCL);
            // A program that this process was before has one, too.
            if 0 <= descriptor || errno() != libc::EEXIST {
                break;
            }
        }
        if descriptor < 0 {
            return None;
        }
        let sheet = Self::map(descriptor, path);
        close(descriptor);
        let mut sheet = sheet?;
        sheet.write_header(process);
        Some(sheet)
    }

    fn map(descriptor: c_int, path: [u8; PATH_BYTES]) -> Option<Self> {
        let bytes = most_bytes();
        let limit = bytes.checked_sub(HEADER_BYTES)? / RECORD_BYTES;
        let length = libc::off_t::try_from(bytes).ok()?;
        // SAFETY: the descriptor is that of the file.
        if unsafe { libc::ftruncate(descriptor, length) } != 0 || !take_room(descriptor, 0) {
            return None;
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory in use.
        let start = unsafe { libc::mmap(null_mut(), bytes, protection, libc::MAP_SHARED, descriptor, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        let granted = ((STEP_BYTES - HEADER_BYTES) / RECORD_BYTES).min(limit);
        Some(Sheet { words: start.cast(), path, written: 0, granted, limit })
    }

    fn set(&mut self, index: usize, word: u64) {
        // SAFETY: callers stay within the header and the records that are granted, which are mapped.
        unsafe { self.words.wrapping_add(index).write_volatile(word) };
    }

    fn get(&self, field: Field) -> u64 {
        // SAFETY: within the header.
        unsafe { self.words.wrapping_add(field as usize).read_volatile() }
    }

    fn write_header(&mut self, process: u64) {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the structure is this function's own.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        let started = now.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec.cast_unsigned());
        let mut name = [0_u64; 2];
        // SAFETY: the kernel writes at most 16 bytes with the zero at the end.
        unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
        self.set(Field::Version as usize, VERSION);
        self.set(Field::Process as usize, process);
        self.set(Field::Started as usize, started);
        self.set(Field::Name as usize, name[0]);
        self.set(Field::NameEnd as usize, name[1]);
        self.set(Field::Judges as usize, judges().into());
        self.set(Field::Magic as usize, MAGIC);
    }

    /// The number of the next call.
    pub(crate) fn next_call(&self) -> u64 {
        self.written as u64
    }

    /// Writes a record. Where there is no more room it counts instead.
    #[inline]
    pub(crate) fn write(&mut self, record: &Record) {
        if self.written == self.granted && !self.grow() {
            return self.count(Field::CallsLost);
        }
        let at = HEADER_BYTES / 8 + self.written * RECORD_WORDS;
        let [head, first, second] = record.words();
        self.set(at + 2, second);
        self.set(at + 1, first);
        // The compiler keeps this one last, and so does the processor.
        self.set(at, head);
        self.written += 1;
    }

    /// Whether another record has room.
    #[inline]
    pub(crate) fn has_room(&mut self) -> bool {
        self.written < self.granted || self.grow()
    }

    #[cold]
    fn grow(&mut self) -> bool {
        if self.limit <= self.granted {
            return false;
        }
        let before = errno();
        let descriptor = open(&self.path, 0);
        let has_room = 0 <= descriptor && take_room(descriptor, HEADER_BYTES + self.granted * RECORD_BYTES);
        if 0 <= descriptor {
            close(descriptor);
        }
        set_errno(before);
        if has_room {
            self.granted = (self.granted + (STEP_BYTES - RECORD_BYTES) / RECORD_BYTES).min(self.limit);
        } else {
            // It is not tried again: the disk would be asked at every call.
            self.limit = self.granted;
        }
        has_room
    }

    pub(crate) fn count(&mut self, field: Field) {
        let count = self.get(field).wrapping_add(1);
        self.set(field as usize, count);
    }

    /// Notes a broken law, if it is one of the first.
    pub(crate) fn note(&mut self, breach: &Breach) {
        let count = usize::try_from(self.get(Field::Breaches)).unwrap_or(usize::MAX);
        if count < MOST_BREACHES {
            for (index, word) in breach.words().into_iter().enumerate() {
                self.set(BREACHES_AT_WORD + count * BREACH_WORDS + index, word);
            }
        }
        self.count(Field::Breaches);
    }
}

/// Takes the room of the next step on the disk. Where the file system knows no such thing there is nothing to take.
fn take_room(descriptor: c_int, from: usize) -> bool {
    let (Ok(from), Ok(step)) = (libc::off_t::try_from(from), libc::off_t::try_from(STEP_BYTES)) else { return false };
    // SAFETY: the descriptor is that of the file.
    let answer = unsafe { libc::fallocate(descriptor, libc::FALLOC_FL_KEEP_SIZE, from, step) };
    answer == 0 || matches!(errno(), libc::EOPNOTSUPP | libc::ENOSYS)
}
