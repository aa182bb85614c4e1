//! Reading: regular files only, and without waiting for anybody. How much is read is the caller's to say.

use super::{invalid, unusable};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Opens a regular file for reading. A folder, FIFO, socket or device is an error at once.
pub fn open(path: &Path) -> io::Result<File> {
    // Looked at first, because opening a device may do something; and again when it is open, because the name may have
    // been given to something else.
    must_be_regular(&std::fs::metadata(path)?)?;
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    must_be_regular(&file.metadata()?)?;
    Ok(file)
}

/// Whether a regular file holds these bytes and no others.
#[must_use]
pub fn holds(path: &Path, bytes: &[u8]) -> bool {
    let mut read = Vec::new();
    let most_bytes = bytes.len() as u64 + 1;
    open(path).and_then(|file| file.take(most_bytes).read_to_end(&mut read)).is_ok_and(|_| read == bytes)
}

fn must_be_regular(there: &std::fs::Metadata) -> io::Result<()> {
    if there.is_file() { Ok(()) } else { Err(invalid(&unusable(there.file_type()))) }
}
