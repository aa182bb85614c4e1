//! Campaigns on a full disk: they end with one line, and taken up with more room they end as if nothing had happened.
//! The disk is a small tmpfs in a mount namespace of its own; nobody else sees it.

use super::Count;
use super::calls::Call;
use super::judge::complaints;
use super::place::Place;
use crate::run_file;
use memtwin::drivers::command::{Run, Trouble};
use std::path::Path;

const CAMPAIGN: &str =
    "guest_memory/GM-06 guest_memory/physical_memory brk_heap/BH-12 --seed 7 --workers 2 --json --out disk/o";
const SHORT: (&str, &[&str]) = ("2M", &["16k", "64k", "256k"]);
const LONG: (&str, &[&str]) = ("8M", &["16k", "64k", "128k", "256k", "512k", "1m", "2m", "4m"]);

/// Runs with little room, then with enough: what both print and how they end lies beside.
const SCRIPT: &str = r#"
mount -t tmpfs -o size="$SIZE" small disk || exit 99
"$@" $CAMPAIGN >first.out 2>first.err
echo $? >first.code
mount -o remount,size=500m disk || exit 99
"$@" --resume --json --workers 2 --out disk/o >second.out 2>second.err
echo $? >second.code
find disk -name '.memtwin-*' >unfinished
"#;

pub(super) fn run(place: &Place) -> Result<Count, Trouble> {
    let namespace: &[&str] = if nix::unistd::geteuid().is_root() { &["-m"] } else { &["-rm"] };
    let probe = place.fresh_folder()?;
    let mounts = Run::new(&place.root().join(&probe), "unshare", namespace);
    if !mounts.with(["sh", "-c", "mount -t tmpfs -o size=64k small ."]).probe() {
        let skipped = vec!["no tmpfs can be mounted; run it as root, or where users may make namespaces".to_owned()];
        return Ok(Count { what: "0 full disks".to_owned(), skipped });
    }
    let (ops, sizes) = if place.long { LONG } else { SHORT };
    let whole = place.fresh_folder()?;
    let words: Vec<&str> = CAMPAIGN.split(' ').collect();
    let call = place.call(["fuzz"]).with(words).with(["--ops", ops]).busy(120);
    let ended = call.in_folder(&place.root().join(&whole)).run()?;
    let undisturbed = run_file::without_times(run_file::parse(&String::from_utf8_lossy(&ended.out))?);
    let (mut full, code) = (0, ended.code);
    for size in sizes {
        let own = place.fresh_folder()?;
        let folder = place.root().join(&own);
        std::fs::create_dir(folder.join("disk"))?;
        let campaign = format!("CAMPAIGN={CAMPAIGN} --ops {ops}");
        let call = Call::new(&folder, Path::new("env")).with([format!("SIZE={size}"), campaign]);
        let call = call.with(["unshare"]).with(namespace).with(["sh", "-c", SCRIPT, "sh"]);
        let call = call.with([&place.program]).with(["fuzz"]).busy(240);
        let script = call.run()?;
        let read = |name: &str| {
            std::fs::read(folder.join(name))
                .map_err(|error| Trouble::Failed(format!("{name}: {error}: {}", String::from_utf8_lossy(&script.err))))
        };
        let ended = |name: &str| -> Result<_, Trouble> {
            let code = String::from_utf8_lossy(&read(&format!("{name}.code"))?).trim().parse().unwrap_or(-1);
            let (out, err) = (read(&format!("{name}.out"))?, read(&format!("{name}.err"))?);
            Ok(super::calls::Ended {
                code,
                out,
                err,
                peak_bytes: script.peak_bytes,
                hung: script.hung.clone(),
                left: script.left,
            })
        };
        let (first, second) = (ended("first")?, ended("second")?);
        full += usize::from(first.code == 2);
        let mut found = complaints(&without_told(first), &[code, 2]);
        // A log without its first line is no campaign yet.
        if !String::from_utf8_lossy(&second.err).contains("no campaign") {
            found.extend(complaints(&second, &[code]));
            let same = run_file::parse(&String::from_utf8_lossy(&second.out))
                .is_ok_and(|run| run_file::without_times(run) == undisturbed);
            if !same {
                found.push("taken up it does not end as if undisturbed".to_owned());
            }
        }
        if !read("unfinished")?.is_empty() {
            found.push("unfinished files left".to_owned());
        }
        if !found.is_empty() {
            place.failures.say("disk", &found.join(", "), &format!("a tmpfs of {size}: {}", call.line()))?;
        }
    }
    if full == 0 {
        return Err(Trouble::Failed(format!("none of the disks {sizes:?} was too small for the campaign")));
    }
    Ok(Count { what: format!("{full} of {} disks were full", sizes.len()), skipped: Vec::new() })
}

/// A campaign tells of what it finds before it ends; only its last line is the error.
fn without_told(mut ended: super::calls::Ended) -> super::calls::Ended {
    let err = String::from_utf8_lossy(&ended.err).into_owned();
    if ended.code == 2 {
        let errors: Vec<&str> = err.lines().filter(|line| line.starts_with("error:")).collect();
        ended.err = errors.join("\n").into_bytes();
    }
    ended
}
