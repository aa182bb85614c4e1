//! Files of ours: how they are written, and how those of others are read. A regular file is written to a temporary file
//! beside it, synced and renamed, so that it is whole or not there; what is there and no regular file is written
//! through. Only regular files are read. It knows nothing of what is in a file.

mod input;
mod sweep;
mod unfinished;

pub use input::{holds, open};
pub(crate) use sweep::sweep;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};
use std::fs::{File, FileType, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use unfinished::Unfinished;

/// How the name of a file begins that is not whole yet.
const UNFINISHED: &str = ".memtwin-";
/// The links that one name may lead through, as for the kernel.
const MOST_LINKS: usize = 40;
/// The bits of a mode that say who may do what.
const PERMISSION_BITS: u32 = 0o7777;
/// Those of them that lend a file's owner and group to whoever runs it.
const LENDING_BITS: u32 = 0o6000;

/// Writes a file whole or not at all, and lasting: it is there after a power cut. Folders are made as needed. What is
/// there and no regular file (a device, a FIFO, a descriptor of a process) is written through and never replaced.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, &|file| file.write_all(bytes), true)
}

/// As [`write_atomically`], for what is too large to be held in memory beside what it is made of.
pub fn write_streamed(path: &Path, content: &Content<'_>) -> io::Result<()> {
    write(path, content, true)
}

/// Writes what a file holds.
pub type Content<'a> = dyn Fn(&mut dyn io::Write) -> io::Result<()> + 'a;

/// Writes a file whole or not at all. A power cut may take it: for what is also kept elsewhere.
pub(crate) fn write_unsynced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, &|file| file.write_all(bytes), false)
}

fn write(path: &Path, content: &Content<'_>, is_lasting: bool) -> io::Result<()> {
    match destination(path)? {
        Destination::Beside { path, old } => write_beside(&path, content, old.as_ref(), is_lasting),
        Destination::Through { path, kind } => write_through(&path, content, kind),
    }
}

/// Where the bytes for a name go.
enum Destination {
    /// To a file beside this one, which is then renamed to it.
    Beside { path: PathBuf, old: Option<Metadata> },
    /// Into what is there.
    Through { path: PathBuf, kind: FileType },
}

/// Follows links as the kernel does, but for those of procfs, which lead to what a process has open.
fn destination(path: &Path) -> io::Result<Destination> {
    let mut path = path.to_owned();
    for _ in 0..=MOST_LINKS {
        let name = path.as_os_str().as_bytes();
        if name.is_empty() {
            return Err(invalid("its name is empty"));
        }
        if name.ends_with(b"/") || path.file_name().is_none() {
            return Err(invalid("that is the name of a folder"));
        }
        let there = match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Destination::Beside { path, old: None });
            }
            there => there?,
        };
        let kind = there.file_type();
        if kind.is_dir() {
            return Err(invalid(&unusable(kind)));
        }
        if !kind.is_symlink() && !kind.is_file() {
            return Ok(Destination::Through { path, kind });
        }
        if is_on_procfs(&path) {
            let kind = std::fs::metadata(&path)?.file_type();
            return if kind.is_dir() { Err(invalid(&unusable(kind))) } else { Ok(Destination::Through { path, kind }) };
        }
        if kind.is_file() {
            return Ok(Destination::Beside { path, old: Some(there) });
        }
        path = folder_of(&path).join(std::fs::read_link(&path)?);
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

/// Where a name lies.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_on_procfs(path: &Path) -> bool {
    statfs(folder_of(path)).is_ok_and(|system| system.filesystem_type() == PROC_SUPER_MAGIC)
}

fn write_beside(path: &Path, content: &Content<'_>, old: Option<&Metadata>, is_lasting: bool) -> io::Result<()> {
    if old.is_some() {
        // A rename asks the folder alone for leave; who may not write the file must not replace it either.
        OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    }
    let folder = folder_of(path);
    std::fs::create_dir_all(folder)?;
    let unfinished = Unfinished::new(folder)?;
    let file = &unfinished.file;
    fill(file, content)?;
    if let Some(old) = old {
        take_after(file, old)?;
    }
    if is_lasting {
        file.sync_all()?;
    }
    unfinished.persist(path)?;
    if is_lasting {
        // The new name lasts as well, where the folder may be opened and its file system can sync folders.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

fn fill(file: &File, content: &Content<'_>) -> io::Result<()> {
    let mut buffered = io::BufWriter::new(file);
    content(&mut buffered)?;
    buffered.flush()
}

/// Gives a file the mode of the old one, and its owner where that is permitted.
fn take_after(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    let is_same = (new.uid(), new.gid()) == (old.uid(), old.gid());
    let is_owned_alike = is_same || fchown(file, Some(old.uid()), Some(old.gid())).is_ok();
    let taken = if is_owned_alike { PERMISSION_BITS } else { PERMISSION_BITS & !LENDING_BITS };
    file.set_permissions(Permissions::from_mode(old.mode() & taken))
}

fn write_through(path: &Path, content: &Content<'_>, kind: FileType) -> io::Result<()> {
    if let Some(file) = own_stream(path)? {
        return fill(&file, content);
    }
    if kind.is_socket() {
        return Err(invalid(&unusable(kind)));
    }
    // A FIFO that nobody reads is refused, not waited for. What a descriptor has behind it is added to, as nobody knows
    // how far its owner has come.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = OpenOptions::new().write(true).append(kind.is_file()).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ENXIO) if kind.is_fifo() => io::Error::new(error.kind(), "it is a FIFO that nobody reads"),
        _ => error,
    })?;
    // A slow reader is waited for.
    let flags = OFlag::from_bits_truncate(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    fill(&file, content)?;
    if kind.is_file() || kind.is_block_device() { file.sync_all() } else { Ok(()) }
}

/// Standard output or error, if that is what lies behind this path. Written through the descriptor that we have, the
/// bytes are followed by what is printed afterwards, not overwritten.
fn own_stream(path: &Path) -> io::Result<Option<File>> {
    if !is_on_procfs(path) {
        return Ok(None);
    }
    let there = std::fs::metadata(path)?;
    io::stdout().flush()?;
    for stream in [io::stdout().as_fd(), io::stderr().as_fd()] {
        // A program may be started without either.
        let Ok(file) = stream.try_clone_to_owned().map(File::from) else { continue };
        let own = file.metadata()?;
        if (own.dev(), own.ino(), own.rdev()) == (there.dev(), there.ino(), there.rdev()) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// Why something is no file to read or to replace.
pub(crate) fn unusable(kind: FileType) -> String {
    let what = match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_symlink() => "a link",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    format!("it is {what}, not a regular file")
}

#[cfg(test)]
mod tests;
