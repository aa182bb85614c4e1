//! Files of ours: written to a temporary file, synced, renamed, so that a file is whole or not there.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// How the name of a file begins that is not whole yet.
const UNFINISHED: &str = ".memtwin-";

/// Writes a file whole or not at all, and lasting: it is there after a power cut. Folders are made as needed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, true)
}

/// Writes a file whole or not at all. A power cut may take it: for what is also kept elsewhere.
pub(crate) fn write_unsynced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, false)
}

fn write(path: &Path, bytes: &[u8], is_lasting: bool) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // As any other file of the user's, not private as temporary files are.
    let permissions = std::fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).permissions(permissions).tempfile_in(folder)?;
    file.write_all(bytes)?;
    if is_lasting {
        file.as_file().sync_all()?;
    }
    file.persist(path)?;
    Ok(())
}

/// Deletes what a killed program left unfinished in the folders below this one. Only while no other program writes there.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)?.chain(folders_in(folder)?.iter().flat_map(std::fs::read_dir).flatten()) {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn folders_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    paths.filter(|path| path.as_ref().is_ok_and(|path| path.is_dir())).collect()
}
