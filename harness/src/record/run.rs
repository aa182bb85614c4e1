//! Runs a program with the recorder loaded, and says why nothing was recorded where nothing was. The program is the
//! user's own and runs as if it were started without memtwin: no sandbox, its own input and output. Does not read what
//! was recorded.

use super::file::Recording;
use memtwin_recording::{FOLDER_VARIABLE, JUDGE_VARIABLE};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// The recorder's file.
const LIBRARY: &str = "libmemtwin_recorder.so";
/// The variable of the dynamic loader that names libraries to load before all others (man 8 ld.so).
const PRELOAD: &str = "LD_PRELOAD";
/// Bits of a file's mode with which the kernel runs it with other rights than its caller's.
const LENDING_BITS: u32 = 0o6000;
/// In an ELF file (elf(5)): where the program headers begin, how many there are and how large, the type of a segment
/// that names a loader.
const ELF_MAGIC: [u8; 5] = *b"\x7fELF\x02";
const INTERPRETER: u32 = 3;
/// The program headers lie within this many bytes from the beginning of a file.
const HEAD_BYTES: u64 = 64 << 10;

/// The recorder, ready to be loaded.
#[derive(Debug)]
pub struct Recorder {
    /// The libraries that are loaded before all others, the recorder first.
    preload: OsString,
    judges: bool,
}

/// A program that ran, and what was recorded.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// Its process.
    pub process: u64,
    /// The recordings, in the order in which they began: of the program, of what it became, and of what it started.
    pub recordings: Vec<Recording>,
    _folder: Folder,
}

/// A folder that goes when it is not needed any more.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Why nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NothingRecorded {
    /// No library is loaded into such a program.
    Static,
    /// The kernel lends it rights, so the loader does as it is told by nobody.
    Lending,
    /// The recorder was not loaded, or could not make its file.
    NotLoaded,
    /// It was loaded, and nothing was asked.
    AskedNothing,
}

impl fmt::Display for NothingRecorded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            NothingRecorded::Static => {
                "it is statically linked, so no library can be loaded into it: link it dynamically, or import a file \
                 of mtrace"
            }
            NothingRecorded::Lending => {
                "it runs with the rights of its owner or group (setuid), so the loader ignores LD_PRELOAD: record a \
                 copy of it"
            }
            NothingRecorded::NotLoaded => {
                "the recorder was not loaded: the program is not for this machine's loader, took LD_PRELOAD away, or \
                 may not write to the folder"
            }
            NothingRecorded::AskedNothing => {
                "the recorder was loaded, and nothing was asked of malloc: the program needs no memory, or has an \
                 allocator of its own"
            }
        })
    }
}

impl Recorder {
    /// Looks for the recorder beside this program. Behind it these libraries are loaded.
    ///
    /// # Errors
    /// In words, how to build it.
    pub fn find(others: &OsStr, judges: bool) -> Result<Self, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("cannot find out where memtwin lies: {error}"))?;
        let folders = program.ancestors().skip(1).take(2);
        let mut places = folders.flat_map(|folder| [folder.join(LIBRARY), folder.join("deps").join(LIBRARY)]);
        let Some(library) = places.find(|place| place.is_file()) else {
            return Err(format!(
                "{LIBRARY} is not beside {}: build it with `cargo build --release -p memtwin-recorder`",
                program.display()
            ));
        };
        if library.as_os_str().as_bytes().iter().any(|byte| byte.is_ascii_whitespace() || *byte == b':') {
            return Err(format!(
                "the loader takes no path with a space or a colon in it, and {} has one: build memtwin elsewhere",
                library.display()
            ));
        }
        let mut preload = library.into_os_string();
        if !others.is_empty() {
            preload.push(":");
            preload.push(others);
        }
        Ok(Recorder { preload, judges })
    }

    /// Runs a program to its end, in the folder where memtwin runs, with recordings below `room`.
    ///
    /// # Errors
    /// In words, when it cannot be run or a recording not be read.
    pub fn run(&self, program: &OsStr, arguments: &[OsString], room: &Path) -> Result<Ran, String> {
        let unusable = |error: io::Error| format!("cannot record into {}: {error}", room.display());
        fs::create_dir_all(room).map_err(unusable)?;
        let room = room.canonicalize().map_err(unusable)?;
        let folder = Folder(room.join(format!(".recording-{}", std::process::id())));
        fs::create_dir(&folder.0).map_err(unusable)?;
        let mut command = Command::new(program);
        command.args(arguments).env(PRELOAD, &self.preload).env(FOLDER_VARIABLE, &folder.0).env_remove(JUDGE_VARIABLE);
        if self.judges {
            command.env(JUDGE_VARIABLE, "1");
        }
        let cannot_run = |error: io::Error| format!("cannot run {}: {error}", program.display());
        let mut child = command.spawn().map_err(cannot_run)?;
        let status = child.wait().map_err(cannot_run)?;
        let mut recordings = Vec::new();
        for entry in fs::read_dir(&folder.0).map_err(unusable)? {
            let path = entry.map_err(unusable)?.path();
            let recording = Recording::open(&path);
            recordings.extend(recording.map_err(|error| format!("cannot read {}: {error}", path.display()))?);
        }
        recordings.sort_by_key(|recording| (recording.started, recording.process));
        Ok(Ran { status, process: child.id().into(), recordings, _folder: folder })
    }
}

impl Ran {
    /// Why nothing was recorded; `None` where something was.
    #[must_use]
    pub fn nothing(&self, program: &OsStr) -> Option<NothingRecorded> {
        if self.recordings.iter().any(|recording| recording.calls != 0) {
            return None;
        }
        if !self.recordings.is_empty() {
            return Some(NothingRecorded::AskedNothing);
        }
        let Some(path) = found(program) else { return Some(NothingRecorded::NotLoaded) };
        let lends = fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & LENDING_BITS != 0);
        Some(if lends {
            NothingRecorded::Lending
        } else if is_static(&path) {
            NothingRecorded::Static
        } else {
            NothingRecorded::NotLoaded
        })
    }
}

/// The file of a program, as the system looks for it.
fn found(program: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(program.into());
    }
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Whether a program is an ELF file of 64 bits that names no loader.
fn is_static(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut bytes));
    if read.is_err() || !bytes.starts_with(&ELF_MAGIC) {
        return false;
    }
    let number = |at: usize, length: usize| {
        let digits = bytes.get(at..at.saturating_add(length))?;
        Some(digits.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    let (Some(start), Some(size), Some(count)) = (number(32, 8), number(54, 2), number(56, 2)) else { return false };
    let segment = |index: u64| {
        let at = usize::try_from(start.checked_add(index * size)?).ok()?;
        number(at, 4)
    };
    (0..count).all(|index| segment(index).is_some_and(|kind| kind != u64::from(INTERPRETER)))
}
