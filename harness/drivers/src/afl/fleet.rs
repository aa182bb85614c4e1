//! AFL++ on one component's target: instances that run side by side, what each says of itself, and the crashes it
//! keeps. It judges nothing, and ends only what it started.

use super::statistics::Statistics;
use crate::Project;
use crate::command::{Run, Trouble, last_lines};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What an instance does differently from the others: some schedules favour what is new, some what is rare or long
/// unchanged, and an instance that takes its queue in order sees what chance leaves out.
const STRATEGIES: [&[&str]; 6] = [
    &["-p", "explore", "-a", "binary"],
    &["-p", "fast", "-P", "exploit"],
    &["-p", "coe", "-a", "binary", "-z"],
    &["-p", "rare", "-P", "explore"],
    &["-p", "lin", "-Z"],
    &["-p", "quad", "-u"],
];
/// An input that takes longer than this hangs, in milliseconds.
pub const INPUT_MILLISECONDS: &str = "2000";
/// What instances may take beyond their time, to start and to end.
const GRACE: Duration = Duration::from_secs(60);
/// What an instance says of itself, below its folder.
const STATISTICS: &str = "fuzzer_stats";
const POLL: Duration = Duration::from_millis(50);

/// When an instance stops.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// After this long.
    Time(Duration),
    /// After so many inputs, or at the first crash, with a seed for the random choices.
    #[allow(missing_docs)]
    Inputs { inputs: u64, seed: u64 },
}

/// Instances on one component.
#[derive(Debug)]
pub struct Fleet<'a> {
    /// Which.
    pub component: &'a str,
    /// The one subject to run on, in place of every sound one.
    pub subject: Option<&'a str>,
    /// How many.
    pub instances: usize,
    /// Whether the first of them is the main one; a fleet over all hosts has one.
    pub has_main: bool,
    /// When they stop.
    pub limit: Limit,
    /// Where instances keep what they find and look for what others found.
    pub sync: &'a Path,
    /// Inputs of another fuzzer, for the main instance.
    pub foreign: Option<&'a Path>,
    /// Whether AFL++ hears of the model's features.
    pub feedback: bool,
}

/// How an instance ended.
#[derive(Debug)]
pub struct Instance {
    /// Its host and number.
    pub name: String,
    /// What it says of itself.
    pub statistics: Statistics,
    /// Where it keeps the inputs that reach something new.
    queue: PathBuf,
    /// The inputs that crashed it, in the order it found them.
    pub crashes: Vec<PathBuf>,
}

impl Instance {
    /// Copies the inputs that it kept.
    ///
    /// # Errors
    /// If they cannot be copied.
    pub fn copy_queue(&self, to: &Path) -> Result<(), Trouble> {
        for kept in std::fs::read_dir(&self.queue)? {
            let kept = kept?.path();
            // It keeps notes of its own in a folder beside them.
            if kept.is_file() {
                std::fs::copy(&kept, to.join(kept.file_name().unwrap_or_default()))?;
            }
        }
        Ok(())
    }
}

/// How all ended.
#[derive(Debug)]
pub struct Ended {
    /// In the order of their numbers.
    pub instances: Vec<Instance>,
    /// Whether someone asked for the end.
    pub was_interrupted: bool,
}

/// The components that have an AFL++ target.
///
/// # Errors
/// Skipped where there is no cargo-afl, or no crate of targets.
pub fn targets(project: &Project) -> Result<BTreeSet<String>, Trouble> {
    if !Run::cargo(&project.root, ["afl", "--version"]).probe() {
        let remedy = "cargo install cargo-afl --locked && cargo afl config --build".to_owned();
        return Err(Trouble::Skipped { why: "no cargo-afl".to_owned(), remedy });
    }
    project.targets_in(&project.afl())
}

/// Builds the targets and returns the folder that they lie in.
///
/// # Errors
/// As [`targets`], and if they cannot be built.
pub fn build(project: &Project) -> Result<PathBuf, Trouble> {
    targets(project)?;
    let folder = project.afl();
    // Where the programs are then looked for, whatever the caller's environment says.
    let target = folder.join("target");
    Run::cargo(&folder, ["afl", "build", "--release", "--target-dir"]).with([&target]).pass()?;
    Ok(target.join("release"))
}

impl Fleet<'_> {
    /// Runs all instances at the same time, from the committed seeds, until they end or someone interrupts.
    ///
    /// # Errors
    /// If an instance cannot be started, ends before its time, or says nothing of itself.
    pub fn run(&self, project: &Project, programs: &Path, interrupted: &AtomicBool) -> Result<Ended, Trouble> {
        // Hidden, so that AFL++ takes them for no instance, and this host's own.
        let seeds = self.sync.join(format!(".seeds-{}", host()));
        if seeds.exists() {
            std::fs::remove_dir_all(&seeds)?;
        }
        crate::seeds::copy(project, self.component, self.subject, &seeds)?;
        let names: Vec<String> = (0..self.instances).map(instance_name).collect();
        let mut started = Vec::new();
        let mut trouble = None;
        for (number, name) in names.iter().enumerate() {
            let run = self.command(project, programs, &seeds, number, name);
            match run.start(&self.log(name)) {
                Ok(child) => started.push(child),
                Err(error) => {
                    trouble = Some(error);
                    break;
                }
            }
        }
        let most = match self.limit {
            _ if trouble.is_some() => Duration::ZERO,
            Limit::Time(time) => time + GRACE,
            // Slower than a hundred inputs a second is as good as hung.
            Limit::Inputs { inputs, .. } => Duration::from_millis(10 * inputs) + GRACE,
        };
        let ended = wait(&mut started, most, interrupted);
        std::fs::remove_dir_all(&seeds)?;
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        let codes = ended?;
        let was_interrupted = interrupted.load(Ordering::Relaxed);
        let mut instances = Vec::new();
        for (name, code) in names.into_iter().zip(codes) {
            // Who was told to end says so with its code, and has perhaps not begun.
            if was_interrupted && !self.sync.join(&name).join(STATISTICS).is_file() {
                continue;
            }
            instances.push(self.read(name, if was_interrupted { Some(0) } else { code })?);
        }
        Ok(Ended { instances, was_interrupted })
    }

    fn command(&self, project: &Project, programs: &Path, seeds: &Path, number: usize, name: &str) -> Run {
        let is_main = self.has_main && number == 0;
        let run = Run::cargo(&project.root, ["afl", "fuzz", if is_main { "-M" } else { "-S" }, name])
            .with(STRATEGIES[number % STRATEGIES.len()])
            .with(["-t", INPUT_MILLISECONDS]);
        let run = match self.limit {
            Limit::Time(time) => run.with(["-V", &time.as_secs().max(1).to_string()]),
            Limit::Inputs { inputs, seed } => {
                run.with(["-E", &inputs.to_string(), "-s", &seed.to_string()]).env("AFL_BENCH_UNTIL_CRASH", "1")
            }
        };
        let run = match self.foreign {
            Some(foreign) if is_main => run.with([Path::new("-F"), foreign]),
            Some(_) | None => run,
        };
        run.with([Path::new("-i"), seeds, Path::new("-o"), self.sync, &programs.join(self.component)])
            .env("MEMTWIN_SUBJECT", self.subject.unwrap_or_default())
            .env("MEMTWIN_FEEDBACK", if self.feedback { "on" } else { "off" })
            .env("AFL_NO_UI", "1")
            .env("AFL_FAST_CAL", "1")
            // There may be more instances than cores, and other work beside them.
            .env("AFL_NO_AFFINITY", "1")
            // Machines that pipe core files to a program, or scale their frequency, are as good as others here.
            .env("AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES", "1")
            .env("AFL_SKIP_CPUFREQ", "1")
            // The same command again goes on where it ended.
            .env("AFL_AUTORESUME", "1")
            // At the beginning and then every minute, the least that AFL++ allows.
            .env("AFL_SYNC_TIME", "1")
            .env("AFL_IMPORT_FIRST", "1")
    }

    fn log(&self, name: &str) -> PathBuf {
        // Beside the folders that AFL++ exchanges, and no folder itself.
        self.sync.join(format!("{name}.log"))
    }

    fn read(&self, name: String, code: Option<i32>) -> Result<Instance, Trouble> {
        let folder = self.sync.join(&name);
        if code != Some(0) {
            let log = String::from_utf8_lossy(&std::fs::read(self.log(&name))?).into_owned();
            let (component, end) = (self.component, last_lines(&log));
            return Err(Trouble::Failed(format!("{component}: instance {name} ended with {code:?}: {end}")));
        }
        let statistics = Statistics::parse(&std::fs::read_to_string(folder.join(STATISTICS))?)?;
        let mut crashes = Vec::new();
        for entry in std::fs::read_dir(folder.join("crashes"))? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("id:")) {
                crashes.push(path);
            }
        }
        crashes.sort();
        Ok(Instance { name, statistics, queue: folder.join("queue"), crashes })
    }
}

/// This host and a number, as AFL++ allows it: hosts that share a folder must not share names.
fn instance_name(number: usize) -> String {
    format!("{}-{number}", host())
}

fn host() -> String {
    plain(&nix::unistd::gethostname().unwrap_or_default().to_string_lossy())
}

/// The letters, digits and hyphens of a host's name, as many as leave project for a number.
fn plain(host: &str) -> String {
    let plain: String =
        host.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').take(24).collect();
    if plain.is_empty() { "host".to_owned() } else { plain }
}

/// The group of a child, where anything of it is still there: `cargo afl` ends at a signal before AFL++ has.
fn group(child: &Child) -> Option<Pid> {
    let group = Pid::from_raw(i32::try_from(child.id()).ok()?);
    killpg(group, None).is_ok().then_some(group)
}

/// Waits for all; asks them to end when someone interrupts or the time is over, and makes them if they do not.
fn wait(children: &mut [Child], most: Duration, interrupted: &AtomicBool) -> Result<Vec<Option<i32>>, Trouble> {
    let mut deadline = Instant::now() + most;
    let mut signals = [Signal::SIGTERM, Signal::SIGKILL].into_iter();
    let mut was_asked = false;
    loop {
        let mut codes = Vec::new();
        for child in children.iter_mut() {
            codes.push(child.try_wait()?.map(|status| status.code()));
        }
        let ended = codes.iter().copied().collect::<Option<Vec<_>>>();
        if let Some(codes) = ended.clone().filter(|_| children.iter().all(|child| group(child).is_none())) {
            return Ok(codes);
        }
        let is_asked = interrupted.load(Ordering::Relaxed);
        if deadline <= Instant::now() || (is_asked && !was_asked) {
            let Some(signal) = signals.next() else {
                // A machine whose first process buries nobody has groups without end.
                let alive = || Trouble::Failed("AFL++ does not end although it was killed".to_owned());
                return ended.ok_or_else(alive);
            };
            for group in children.iter().filter_map(group) {
                // A group that has ended meanwhile needs no signal.
                let _ = killpg(group, signal);
            }
            deadline = Instant::now() + GRACE;
            was_asked = true;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_names_that_afl_takes() {
        assert_eq!(plain("build-7.example.org"), "build-7exampleorg");
        assert_eq!(plain("ö/.."), "host");
        assert!(instance_name(usize::from(u16::MAX)).len() <= 32);
    }

    #[test]
    fn what_does_not_end_in_its_time_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let run = || Run::new(folder.path(), "sleep", ["600"]).start(&folder.path().join("log")).unwrap();
        let ended = wait(&mut [run(), run()], Duration::ZERO, &AtomicBool::new(false)).unwrap();
        assert_eq!(ended, [None, None], "ended by a signal");
        let ended = wait(&mut [run()], Duration::from_secs(600), &AtomicBool::new(true)).unwrap();
        assert_eq!(ended, [None]);
    }

    #[test]
    fn what_a_wrapper_started_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let script = "(trap 'sleep 0.3; touch written; exit' TERM; touch begun; while :; do sleep 0.05; done) & wait";
        let run = Run::new(folder.path(), "sh", ["-c", script]).start(&folder.path().join("log")).unwrap();
        while !folder.path().join("begun").exists() {
            std::thread::sleep(POLL);
        }
        let ended = wait(&mut [run], Duration::from_secs(600), &AtomicBool::new(true)).unwrap();
        assert_eq!(ended, [None]);
        assert!(folder.path().join("written").exists());
    }
}
