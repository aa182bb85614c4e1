//! A file that is being written, beside where it will lie: under a name of its own, locked as long as it is written,
//! and gone if it never becomes whole. It knows nothing of what is in it.

use super::UNFINISHED;
use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How often a file is made anew: because its name was taken, or because somebody took it for a killed program's.
const TRIES: usize = 8;
/// The letters and digits that are drawn for a name.
pub(super) const DRAWN: usize = 6;
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A file without its name.
pub(super) struct Unfinished {
    pub(super) file: File,
    /// None where it has got its name.
    pub(super) path: Option<PathBuf>,
}

impl Unfinished {
    /// A new one in a folder, with the mode of any other file of the user's.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        for _ in 0..TRIES {
            let path = folder.join(drawn_name());
            let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            let unfinished = Unfinished { file, path: Some(path) };
            match unfinished.file.try_lock() {
                // Whoever sweeps has it, and deletes it.
                Err(TryLockError::WouldBlock) => {}
                // Not every file system has locks.
                Ok(()) | Err(TryLockError::Error(_)) if unfinished.file.metadata()?.nlink() != 0 => {
                    return Ok(unfinished);
                }
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
        }
        Err(io::Error::other("its temporary files are deleted by somebody else"))
    }

    /// Gives it its name, in place of what has it now.
    pub(super) fn persist(mut self, path: &Path) -> io::Result<()> {
        if let Some(own) = &self.path {
            std::fs::rename(own, path)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn drawn_name() -> String {
    // The standard library keys its hash maps with numbers from the system.
    let mut left = RandomState::new().hash_one(std::process::id());
    let mut name = UNFINISHED.to_owned();
    for _ in 0..DRAWN {
        name.push(char::from(DIGITS[(left % 36) as usize]));
        left /= 36;
    }
    name
}
