//! The step on malloc libraries that nobody here wrote: those of the distribution, under the contract `c`. They are
//! installed where that can be done.

use crate::room::Room;
use crate::run_file;
use memtwin::drivers::command::{Run, Trouble};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A malloc library.
struct Library {
    package: &'static str,
    /// The file, with the prefix of its functions.
    file: &'static str,
    /// What docs/findings/ says of it.
    known: Option<Known>,
}

/// A finding in it.
struct Known {
    signature: &'static str,
    /// The program in docs/findings/ that shows it.
    program: &'static str,
}

const fn library(package: &'static str, file: &'static str, known: Option<Known>) -> Library {
    Library { package, file, known }
}

const LIBRARIES: [Library; 4] = [
    library("libjemalloc2", "libjemalloc.so.2", None),
    library("libtcmalloc-minimal4", "libtcmalloc_minimal.so.4", None),
    library(
        "libtbbmalloc2",
        "libtbbmalloc.so.2:scalable_",
        Some(Known { signature: "heap/refusal/realloc/result", program: "onetbb-realloc" }),
    ),
    library(
        "libmimalloc2.0",
        "libmimalloc.so.2.0",
        Some(Known { signature: "heap/aligned/aligned_alloc/block", program: "mimalloc-aligned-alloc" }),
    ),
];
/// Where the distribution puts them.
const FOLDER: &str = "/usr/lib/x86_64-linux-gnu";
const OPS: &str = "5M";

impl Library {
    fn path(&self) -> PathBuf {
        Path::new(FOLDER).join(self.file.split(':').next().unwrap_or(self.file))
    }

    fn absent() -> Vec<&'static str> {
        LIBRARIES.iter().filter(|library| !library.path().exists()).map(|library| library.package).collect()
    }

    fn test(&self, room: &Room) -> Result<(), Trouble> {
        let out = tempfile::tempdir()?;
        let library = format!("{FOLDER}/{}", self.file);
        let fuzz = ["fuzz", "heap", "--library", &library, "--ops", OPS, "--seed", "7", "--json", "--out"];
        let ended = room.memtwin().with(fuzz).with([out.path()]).keep()?;
        let Some(known) = &self.known else {
            let run = run_file::parse(&ended.success()?)?;
            return run_file::as_expected(&run, &[self.file.split(':').next().unwrap_or(self.file)]);
        };
        if ended.code != Some(1) || !ended.out.contains(known.signature) {
            return Err(Trouble::Failed(format!("{}: the known finding {} was not found", self.file, known.signature)));
        }
        self.shows(room, known, out.path())
    }

    /// The program that shows the finding without memtwin does so.
    fn shows(&self, room: &Room, known: &Known, out: &Path) -> Result<(), Trouble> {
        let source = room.root.join("docs/findings").join(known.program).with_extension("c");
        let program = out.join(known.program);
        let compile = Run::new(&room.root, "cc", [source.as_os_str(), self.path().as_os_str(), OsStr::new("-o")]);
        compile.with([&program]).pass()?;
        match Run::new::<&str>(out, &program.to_string_lossy(), []).keep()?.code {
            Some(1) => Ok(()),
            code => Err(Trouble::Failed(format!("{} ended with exit code {code:?}, not 1", source.display()))),
        }
    }
}

/// The program in docs/findings/ that AddressSanitizer's malloc ends.
const ENDED_BY_SANITIZER: &str = "address-sanitizer-posix-memalign";

/// The compiler's AddressSanitizer ends it, although the process was to go on.
fn sanitizer(room: &Room) -> Result<(), Trouble> {
    let out = tempfile::tempdir()?;
    let source = room.root.join("docs/findings").join(ENDED_BY_SANITIZER).with_extension("c");
    let program = out.path().join(ENDED_BY_SANITIZER);
    let compile = Run::new(&room.root, "cc", [OsStr::new("-fsanitize=address"), source.as_os_str(), OsStr::new("-o")]);
    compile.with([&program]).pass()?;
    let run = Run::new::<&str>(out.path(), &program.to_string_lossy(), []);
    match run.env("ASAN_OPTIONS", "allocator_may_return_null=1").keep()?.code {
        Some(0 | 2) => Err(Trouble::Failed(format!("{} is not ended any more", source.display()))),
        _ => Ok(()),
    }
}

/// Every library that is here agrees, or shows the finding that is known of it.
pub(super) fn libraries(room: &Room) -> Result<(), Trouble> {
    let absent = Library::absent();
    if !absent.is_empty() {
        // Where it is not allowed, or there is no such package manager, what is missing is said below.
        let _ = Run::new(&room.root, "apt-get", ["install", "--yes", "--quiet"]).with(&absent).pass();
    }
    for library in LIBRARIES.iter().filter(|library| library.path().exists()) {
        library.test(room)?;
    }
    sanitizer(room)?;
    let absent = Library::absent();
    if absent.is_empty() {
        return Ok(());
    }
    let remedy = format!("sudo apt-get install {}", absent.join(" "));
    Err(Trouble::Skipped { why: format!("the others passed; not here: {}", absent.join(", ")), remedy })
}
