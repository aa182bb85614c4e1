//! The HTML report in a browser, judged as a reader would: ci/report-page/check.mjs says how. One report is of a real
//! campaign, the other of a run file whose every text tries to be more than text. It looks at nothing on the network.

use crate::room::Room;
use crate::run_file;
use memtwin::drivers::command::{Run, Trouble, last_lines};
use std::path::Path;

/// Where Chromium is on common systems.
const BROWSERS: [&str; 4] =
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium"];
/// What npm needs, without the packages themselves.
const PROGRAM: [&str; 3] = ["check.mjs", "package.json", "package-lock.json"];
/// How npm names a network that is not there.
const OFFLINE: [&str; 5] = ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT"];

pub(super) fn report_page(room: &Room) -> Result<(), Trouble> {
    for program in ["node", "npm"] {
        if !Run::new(&room.root, program, ["--version"]).probe() {
            return Err(skipped(&format!("no {program}"), "install Node.js 20.19 or newer"));
        }
    }
    let Some(browser) = BROWSERS.into_iter().find(|path| Path::new(path).exists()) else {
        return Err(skipped("no chromium", "apt-get install chromium"));
    };
    // Node looks for packages beside the program, and they must not lie among the sources.
    let source = room.root.join("ci/report-page");
    let place = room.target().join("report-page");
    std::fs::create_dir_all(&place)?;
    for file in PROGRAM {
        std::fs::copy(source.join(file), place.join(file))?;
    }
    install(&place)?;

    let found = tempfile::tempdir()?;
    let campaign = place.join("campaign.json");
    let arguments = ["fuzz", "--broken", "--json", "--seed", "7", "--ops", "2M", "--out"];
    let printed = room.memtwin().with(arguments).with([found.path()]).keep()?;
    run_file::parse(&printed.out).map_err(|_| Trouble::Failed(last_lines(&printed.err)))?;
    std::fs::write(&campaign, &printed.out)?;
    for (name, run) in [("campaign", campaign), ("hostile", source.join("hostile.json"))] {
        let folder = place.join(name);
        room.memtwin().with(["report", "--to", "html", "--out"]).with([&folder, &run]).pass()?;
        let check = Run::new(&place, "node", ["check.mjs", "--browser", browser, "--pictures"]);
        check.with([&folder, &folder.join("report.html")]).pass()?;
    }
    Ok(())
}

/// The packages that the lock file names, and no script of theirs.
fn install(place: &Path) -> Result<(), Trouble> {
    let printed = Run::new(place, "npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).keep()?;
    if printed.code == Some(0) {
        Ok(())
    } else if OFFLINE.iter().any(|name| printed.err.contains(name)) {
        Err(skipped("npm cannot reach its registry", "run it with a network"))
    } else {
        Err(Trouble::Failed(format!("npm ci: {}", last_lines(&printed.err))))
    }
}

fn skipped(why: &str, remedy: &str) -> Trouble {
    Trouble::Skipped { why: why.to_owned(), remedy: remedy.to_owned() }
}
