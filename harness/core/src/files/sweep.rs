//! Deleting what a killed program left unfinished. Nothing is deleted that is not ours for certain, or that is still
//! written.

use super::UNFINISHED;
use super::unfinished::DRAWN;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Deletes the unfinished files of killed programs in a folder and in those rooms of it that are folders, not links.
/// What cannot be deleted stays: it is in nobody's way.
pub(crate) fn sweep<'a>(folder: &Path, rooms: impl IntoIterator<Item = &'a str>) {
    sweep_one(folder);
    for room in rooms {
        let room = folder.join(room);
        if std::fs::symlink_metadata(&room).is_ok_and(|there| there.is_dir()) {
            sweep_one(&room);
        }
    }
}

fn sweep_one(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_unfinished(&entry.file_name()) {
            delete_if_left(&entry.path());
        }
    }
}

fn is_unfinished(name: &OsStr) -> bool {
    let drawn = name.to_str().and_then(|name| name.strip_prefix(UNFINISHED));
    drawn.is_some_and(|drawn| drawn.len() == DRAWN && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Deletes a regular file that nobody has locked: who writes one holds a lock on it, which ends with the program.
fn delete_if_left(path: &Path) -> Option<()> {
    let file = open_regular(path)?;
    file.try_lock().ok()?;
    // Between the look at the folder and the lock it may have become whole and have got its name, and another its old
    // one.
    let (ours, there) = (file.metadata().ok()?, std::fs::symlink_metadata(path).ok()?);
    if (ours.dev(), ours.ino()) == (there.dev(), there.ino()) {
        std::fs::remove_file(path).ok()?;
    }
    Some(())
}

fn open_regular(path: &Path) -> Option<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    if !std::fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}
