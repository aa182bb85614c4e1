//! Poor surroundings: few descriptors, processes and bytes, odd environments, and folders that are not what they should
//! be. The program says so in one line, or runs as ever; nothing of the user's changes.

use super::Count;
use super::judge::complaints;
use super::place::Place;
use memtwin::drivers::command::{Run, Trouble};

/// A campaign of a second or less; `"$@"` is the program.
const FUZZ: &str = "\"$@\" fuzz guest_memory/GM-01 guest_memory/physical_memory --seed 1 --ops 300k --workers 2 --out";

/// What must have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// As ever.
    Runs,
    /// One line, exit code 2.
    Refuses,
    /// Either.
    Either,
}

/// A surrounding: what it is, the script that makes it, and what must happen. `FUZZ` stands for the campaign; the
/// script runs in a folder of its own, with the copies in `../..`.
const SURROUNDINGS: &[(&str, &str, Then)] = &[
    ("20 descriptors", "ulimit -n 20; FUZZ out", Then::Either),
    ("8 descriptors", "ulimit -n 8; FUZZ out", Then::Refuses),
    ("5 descriptors", "ulimit -n 5; FUZZ out", Then::Refuses),
    ("descriptors for one replay", "ulimit -n 12; \"$@\" replay ../../crashes/guest_memory", Then::Either),
    ("500 MB of addresses", "ulimit -v 500000; FUZZ out", Then::Either),
    ("100 MB of addresses", "ulimit -v 100000; FUZZ out", Then::Either),
    ("70 MB of addresses", "ulimit -v 70000; FUZZ out", Then::Either),
    (
        "70 MB of addresses for explain",
        "ulimit -v 70000; \"$@\" explain ../../crashes/guest_memory/GM-01.jsonl",
        Then::Either,
    ),
    ("files of no byte", "ulimit -f 0; FUZZ out", Then::Refuses),
    ("files of 8 blocks", "ulimit -f 8; FUZZ out", Then::Refuses),
    (
        "no file to convert to",
        "ulimit -f 0; \"$@\" convert ../../crashes/guest_memory/GM-01.jsonl --to wire -o x",
        Then::Refuses,
    ),
    ("no file for a replay", "ulimit -f 0; \"$@\" replay ../../crashes/guest_memory/GM-01.jsonl", Then::Either),
    ("a stack of 64 kB", "ulimit -s 64; FUZZ out", Then::Either),
    ("a stack of 256 kB", "ulimit -s 256; FUZZ out", Then::Either),
    ("no limit of the stack", "ulimit -s unlimited 2>/dev/null; FUZZ out", Then::Runs),
    ("no home", "unset HOME; FUZZ out", Then::Runs),
    ("an empty environment", "exec env -i FUZZ out", Then::Runs),
    ("no folder for temporary files", "TMPDIR=/nowhere FUZZ out", Then::Runs),
    ("a dumb terminal", "TERM=dumb FUZZ out", Then::Runs),
    ("20 columns", "COLUMNS=20 FUZZ out", Then::Runs),
    ("a Turkish locale", "LC_ALL=tr_TR.UTF-8 FUZZ out", Then::Runs),
    ("a locale that there is not", "LC_ALL=xx_YY LANG=zz FUZZ out", Then::Runs),
    ("wishes of others", "RUST_BACKTRACE=full RUST_LOG=trace RAYON_NUM_THREADS=x CLICOLOR=1 FUZZ out", Then::Runs),
    ("a worker's variable", "MEMTWIN_ZYGOTE=x \"$@\" list", Then::Either),
    ("the working folder is gone", "mkdir gone; cd gone; rmdir ../gone; FUZZ out", Then::Refuses),
    (
        "--out is a file",
        "echo mine >out; FUZZ out; code=$?; echo mine | cmp -s - out || exit 99; exit $code",
        Then::Refuses,
    ),
    ("--out is a device", "FUZZ /dev/null; code=$?; test -c /dev/null || exit 99; exit $code", Then::Refuses),
    ("--out is on /proc", "FUZZ /proc/x", Then::Refuses),
    ("--out cannot be shown", "FUZZ \"$(printf 'a\\n::x\\033[31m')\"", Then::Either),
    ("the log is a folder", "mkdir -p out/.campaign.jsonl; FUZZ out", Then::Refuses),
    ("the log is a FIFO", "mkdir out; mkfifo out/.campaign.jsonl; FUZZ out", Then::Refuses),
    ("a FIFO is taken up", "mkdir out; mkfifo out/.campaign.jsonl; \"$@\" fuzz --resume --out out", Then::Refuses),
    (
        "the log is a link to a file of mine",
        "mkdir out; echo mine >precious; ln -s ../precious out/.campaign.jsonl; FUZZ out; code=$?; test \"$(cat \
         precious)\" = mine || exit 99; exit $code",
        Then::Refuses,
    ),
    ("a component's folder is a file", "mkdir out; echo mine >out/guest_memory; FUZZ out", Then::Refuses),
    (
        "a component's folder is a link to nowhere",
        "mkdir out; ln -s /nowhere/x out/guest_memory; FUZZ out",
        Then::Refuses,
    ),
    (
        "--out is removed meanwhile",
        "\"$@\" fuzz guest_memory/physical_memory --seed 1 --ops 20M --workers 1 --out out 2>err >/dev/null & while ! \
         test -s out/.campaign.jsonl; do sleep 0.05; done; rm -rf out; wait $!; code=$?; grep error: err >&2; exit \
         $code",
        Then::Refuses,
    ),
    (
        "the program is removed meanwhile",
        "cp \"$1\" copy; ./copy fuzz guest_memory/physical_memory --seed 1 --ops 4M --workers 1 --out out & while ! \
         test -e out/.campaign.jsonl; do sleep 0.05; done; rm copy; wait $!",
        Then::Either,
    ),
    (
        "two campaigns in one folder",
        "\"$@\" fuzz guest_memory/physical_memory --seed 1 --ops 40M --workers 1 --out out >/dev/null 2>&1 & \
         first=$!; while ! test -s out/.campaign.jsonl; do sleep 0.05; done; FUZZ out; code=$?; kill $first; wait \
         $first; exit $code",
        Then::Refuses,
    ),
];

/// The same for a user that may have few processes, if this is root, who may have all.
const OF_ANOTHER_USER: &[(&str, &str, Then)] = &[
    ("another user", "AS FUZZ out", Then::Runs),
    ("2 processes", "AS prlimit --nproc=2 -- FUZZ out", Then::Refuses),
    (
        "1 process for a replay",
        "AS prlimit --nproc=1 -- \"$@\" replay ../../crashes/guest_memory/GM-01.jsonl",
        Then::Refuses,
    ),
    ("8 processes", "AS prlimit --nproc=8 -- FUZZ out", Then::Either),
    ("a folder of somebody else", "chmod 755 .; mkdir -m 755 shut; chown 0:0 shut; AS FUZZ shut/out", Then::Refuses),
    (
        "a file that is somebody else's",
        "echo mine >theirs; chmod 644 theirs; chmod 755 .; chown 0:0 . theirs; AS \"$@\" convert \
         ../../crashes/guest_memory/GM-01.jsonl --to wire -o theirs; code=$?; test \"$(cat theirs)\" = mine || exit \
         99; exit $code",
        Then::Refuses,
    ),
];

const AS_NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups";

pub(super) fn run(place: &Place) -> Result<Count, Trouble> {
    let mut done = place.each(SURROUNDINGS, |surrounding| judge(place, surrounding))?;
    let mut skipped = Vec::new();
    let is_root = nix::unistd::geteuid().is_root();
    if is_root && Run::new(place.root(), "setpriv", ["--version"]).probe() {
        // Another user must get to the program and to the copies.
        Run::new(place.root(), "chmod", ["-R", "a+rX", "."]).quietly()?;
        Run::new(place.root(), "cp", ["--"]).with([place.program.as_path(), "memtwin".as_ref()]).quietly()?;
        done += place.each(OF_ANOTHER_USER, |surrounding| judge(place, surrounding))?;
    } else {
        skipped.push("few processes: another user is needed; run it as root with util-linux".to_owned());
    }
    Ok(Count { what: format!("{done} surroundings"), skipped })
}

fn judge(place: &Place, (what, script, then): &(&str, &str, Then)) -> Result<(), Trouble> {
    let own = place.fresh_folder()?;
    let folder = place.root().join(&own);
    let of_another = script.contains("AS ");
    if of_another {
        Run::new(&folder, "chown", ["65534:65534", "."]).quietly()?;
    }
    let script = script.replace("FUZZ", FUZZ).replace("AS ", &format!("{AS_NOBODY} "));
    let program = if of_another { place.root().join("memtwin") } else { place.program.clone() };
    let call = super::calls::Call::new(&folder, "sh".as_ref()).with(["-c", &script, "sh"]).with([program]).busy(60);
    let mut ended = call.run()?;
    // What a campaign tells before it ends is no error.
    if ended.code == 2 {
        let err = String::from_utf8_lossy(&ended.err);
        let errors: Vec<&str> = err.lines().filter(|line| line.contains("error:")).collect();
        ended.err = errors.join("\n").into_bytes();
    }
    let codes: &[i32] = match then {
        Then::Runs => &[0],
        Then::Refuses => &[2],
        Then::Either => &[0, 2],
    };
    let found = complaints(&ended, codes);
    if !found.is_empty() {
        let last = String::from_utf8_lossy(&ended.err).lines().last().map(str::to_owned).unwrap_or_default();
        place.failures.say("environment", &format!("{what}: {}: {last}", found.join(", ")), &call.line())?;
    }
    Ok(std::fs::remove_dir_all(&folder)?)
}
