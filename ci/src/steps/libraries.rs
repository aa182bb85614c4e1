//! The step on malloc libraries that nobody here wrote: those of the distribution, under the contract `c`. They are installed
//! where that can be done.

use crate::command::{Run, Trouble};
use crate::room::Room;
use crate::run_file;
use std::path::Path;

/// The package, the file, and whether it is known to break a law.
const LIBRARIES: [(&str, &str, Option<&str>); 4] = [
    ("libjemalloc2", "libjemalloc.so.2", None),
    ("libtcmalloc-minimal4", "libtcmalloc_minimal.so.4", None),
    ("libtbbmalloc2", "libtbbmalloc.so.2:scalable_", None),
    // mimalloc before 2.1 answers aligned_alloc(256, 256) with a block that is not aligned (its issue 700).
    ("libmimalloc2.0", "libmimalloc.so.2.0", Some("aligned")),
];
/// Where the distribution puts them.
const FOLDER: &str = "/usr/lib/x86_64-linux-gnu";
const OPS: &str = "5M";

/// Every library that is here agrees, or breaks the law that it is known to break.
pub(super) fn libraries(room: &Room) -> Result<(), Trouble> {
    let path = |file: &str| Path::new(FOLDER).join(file.split(':').next().unwrap_or(file));
    let absent = || LIBRARIES.iter().filter(|(_, file, _)| !path(file).exists()).map(|(package, ..)| *package);
    let packages: Vec<&str> = absent().collect();
    if !packages.is_empty() {
        // Where it is not allowed, or there is no such package manager, what is missing is said below.
        let _ = Run::new(&room.root, "apt-get", ["install", "--yes", "--quiet"]).with(&packages).pass();
    }
    for (_, file, breaks) in LIBRARIES.iter().filter(|(_, file, _)| path(file).exists()) {
        one(room, file, *breaks)?;
    }
    let packages: Vec<&str> = absent().collect();
    if packages.is_empty() {
        return Ok(());
    }
    let remedy = format!("sudo apt-get install {}", packages.join(" "));
    Err(Trouble::Skipped { why: format!("the others passed; not here: {}", packages.join(", ")), remedy })
}

fn one(room: &Room, file: &str, breaks: Option<&str>) -> Result<(), Trouble> {
    let out = tempfile::tempdir()?;
    let library = format!("{FOLDER}/{file}");
    let fuzz = ["fuzz", "heap", "--library", &library, "--ops", OPS, "--seed", "7", "--json", "--out"];
    let ended = Run::memtwin(room).with(fuzz).with([out.path()]).keep()?;
    let Some(law) = breaks else {
        let run = run_file::parse(&ended.success()?)?;
        return run_file::as_expected(&run, &[file.split(':').next().unwrap_or(file)]);
    };
    let findings = format!("heap/{law}/");
    if ended.code == Some(1) && ended.out.contains(&findings) {
        return Ok(());
    }
    Err(Trouble::Failed(format!("{file} is known to break the law {law}, and was not caught")))
}
