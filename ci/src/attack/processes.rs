//! What /proc says of the processes of a call. They are known by a mark in their environment, so that those are found
//! too whose parent has gone.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The variable that marks the processes of a call.
pub(super) const MARK: &str = "MEMTWIN_ATTACK";
/// A process whose parent was killed is told so, and needs a moment to go.
const GRACE: Duration = Duration::from_secs(2);
/// How many ticks of /proc's clock are a second, on every Linux.
const TICKS: u64 = 100;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A mark that no other call has.
pub(super) fn fresh_mark() -> String {
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// How busy a process and those below it were.
pub(super) struct Watched {
    root: u32,
    busy: Duration,
    moved: Instant,
}

impl Watched {
    pub(super) fn new(root: u32) -> Self {
        Watched { root, busy: Duration::ZERO, moved: Instant::now() }
    }

    /// The processor time so far, of those that live and those that were waited for.
    pub(super) fn measure(&mut self) -> Duration {
        let busy = below(self.root).iter().filter_map(|process| ticks(*process)).sum::<u64>();
        let busy = Duration::from_millis(busy * 1000 / TICKS);
        if self.busy < busy {
            self.moved = Instant::now();
            self.busy = busy;
        }
        self.busy
    }

    /// How long no processor time was used.
    pub(super) fn still_for(&self) -> Duration {
        self.moved.elapsed()
    }
}

/// The fields of /proc/…/stat after the name, which may hold anything.
fn fields(process: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

fn ticks(process: u32) -> Option<u64> {
    Some(fields(process)?.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum())
}

fn all() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// A process and all below it, parents first.
pub(super) fn below(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> =
        all().filter_map(|process| Some((process, fields(process)?.get(1)?.parse().ok()?))).collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
        next += 1;
    }
    found
}

/// The most memory that a process had so far; 0 for one that has ended.
pub(super) fn peak_bytes(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}

/// The processes with this mark that have not ended.
pub(super) fn marked(mark: &str) -> BTreeSet<u32> {
    let wanted = format!("{MARK}={mark}").into_bytes();
    all()
        .filter(|process| {
            let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
        })
        .collect()
}

/// Ends all processes with this mark.
pub(super) fn end_marked(mark: &str) {
    for process in marked(mark) {
        send(process, Signal::SIGKILL);
    }
}

/// Waits for the processes with this mark to go, ends those that stay, and says how many did.
pub(super) fn end_left(mark: &str) -> usize {
    let since = Instant::now();
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return 0;
        }
        if GRACE <= since.elapsed() {
            left.iter().for_each(|process| send(*process, Signal::SIGKILL));
            return left.len();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a process that may be gone.
pub(super) fn send(process: u32, signal: Signal) {
    if let Ok(id) = i32::try_from(process) {
        let _ = kill(Pid::from_raw(id), signal);
    }
}

/// Sends a signal to the group that a process leads.
pub(super) fn send_group(process: u32, signal: Signal) {
    if let Ok(id) = i32::try_from(process) {
        let _ = kill(Pid::from_raw(-id), signal);
    }
}
