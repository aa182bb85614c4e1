//! `memtwin record`: what a real program asks of its allocator, as traces of heap; and whether its allocator answered
//! by the laws.

use super::screen::{self, BAD, GOOD, Screen, remark};
use super::{Context, Exit, Failed};
use crate::record::{Cutter, Mtrace, NotMtrace, Piece, Recorder, Recording, breach_words, ending_at};
use clap::{Args, ValueEnum};
use memtwin_core::files::{self, write_atomically};
use memtwin_core::program;
use memtwin_core::registry::Registry;
use memtwin_core::text::{file_stem, line};
use memtwin_core::trace::Header;
use memtwin_models::Component as _;
use memtwin_models::heap::{Heap, MAX_THREADS, SLOTS};
use memtwin_recording::Record as Call;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::BufReader;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::Ordering;

/// The calls before a broken law that are kept with it.
const KEPT_CALLS: usize = 1000;

#[derive(Debug, Args)]
pub(super) struct Record {
    /// The folder for the traces, empty or not there yet; without it one below target/memtwin/recorded
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Judge the allocator that the program has anyway, while it runs
    #[arg(long, conflicts_with = "import")]
    judge: bool,
    /// The libraries that are loaded behind the recorder; without it those of LD_PRELOAD, which memtwin runs with, too
    #[arg(long, value_name = "PATH[:PATH…]", conflicts_with = "import")]
    preload: Option<OsString>,
    /// The most traces that are written of one program; one has some 4,000 calls
    #[arg(long, value_name = "N", default_value_t = 1000)]
    traces: u64,
    /// Make traces of a file that another tool recorded
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    import: Option<PathBuf>,
    /// The form of that file
    #[arg(long, value_enum, default_value_t = Form::Mtrace, requires = "import")]
    format: Form,
    /// The program to run, and its arguments
    #[arg(
        value_name = "PROGRAM",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "import"
    )]
    command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// glibc's mtrace
    Mtrace,
    /// heaptrack, which cannot be read
    Heaptrack,
}

/// Where traces go, and what is said of them: on standard error, because standard output is the program's.
struct Writing<'a> {
    registry: &'a Registry,
    folder: PathBuf,
    screen: Screen,
    most_traces: u64,
}

impl Record {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let name = match (&self.import, self.command.first()) {
            (Some(path), _) => path.file_stem(),
            (None, program) => program.and_then(|program| Path::new(program).file_name()),
        };
        let name = file_stem(&name.unwrap_or_default().to_string_lossy());
        let writing = Writing {
            registry: context.registry,
            folder: folder(self.out.as_deref(), &name)?,
            screen: Screen::new(true),
            most_traces: self.traces,
        };
        if let Some(path) = &self.import {
            writing.import(path, self.format, &name)?;
            return Ok(Exit::Clean);
        }
        let exit = self.record(&writing)?;
        let is_interrupted = exit == Exit::Clean && context.interrupted.load(Ordering::Relaxed);
        Ok(if is_interrupted { Exit::Interrupted } else { exit })
    }

    fn record(&self, writing: &Writing<'_>) -> Result<Exit, Failed> {
        let Some((program, arguments)) = self.command.split_first() else { return Err("no program to run".into()) };
        let preload = self.preload.clone().or_else(|| std::env::var_os("LD_PRELOAD")).unwrap_or_default();
        let recorder = Recorder::find(&preload, self.judge)?;
        let ran = recorder.run(program, arguments, &writing.folder)?;
        remark(&format!("{} {}", program.display(), ending(ran.status)));
        if let Some(why) = ran.nothing(program) {
            // Nobody needs a folder with nothing in it; one that has something in it stays.
            drop(ran);
            let _ = std::fs::remove_dir(&writing.folder);
            return Err(format!("nothing was recorded of {}: {why}", program.display()).into());
        }
        let mut stems: Vec<String> = Vec::new();
        let (mut judged, mut broken) = (0, 0);
        for recording in ran.recordings.iter().filter(|recording| recording.calls != 0) {
            let stem = stem(recording, ran.process, &mut stems);
            let mut traces = Traces::new(writing, &stem);
            recording.records()?.try_for_each(|call| traces.push(call))?;
            traces.finish()?;
            tell_losses(recording);
            if self.judge {
                writing.tell_breaches(&stem, recording, &subject(&preload))?;
                judged += recording.calls;
                broken += recording.breach_count;
            }
        }
        if self.judge {
            let not = "not judged: what the program wrote into its blocks (contents, redzone, over_read), and when \
                       null is right";
            if broken == 0 {
                writing.screen.line(&format!("{GOOD}{} judged, no law broken{GOOD:#}", counted(judged, "call")))?;
            } else {
                let (calls, times) = (counted(judged, "call"), counted(broken, "time"));
                writing.screen.line(&format!("{BAD}{calls} judged, a law broken {times}{BAD:#}"))?;
            }
            remark(not);
        }
        Ok(if broken == 0 { Exit::Clean } else { Exit::Finding })
    }
}

/// The traces of one recording, written as the calls come.
struct Traces<'a> {
    writing: &'a Writing<'a>,
    stem: &'a str,
    cutter: Cutter,
    written: u64,
    /// Pieces beyond the most.
    left: u64,
    /// The threads that were seen.
    threads: BTreeSet<u16>,
}

impl<'a> Traces<'a> {
    fn new(writing: &'a Writing<'a>, stem: &'a str) -> Self {
        Traces { writing, stem, cutter: Cutter::default(), written: 0, left: 0, threads: BTreeSet::new() }
    }

    fn push(&mut self, call: Call) -> Result<(), Failed> {
        self.threads.insert(call.thread);
        self.cutter.push(call).map_or(Ok(()), |piece| self.write(&piece))
    }

    fn write(&mut self, piece: &Piece) -> Result<(), Failed> {
        if self.writing.most_traces <= self.written {
            self.left += 1;
            return Ok(());
        }
        self.written += 1;
        let story = format!("what {} asked of its allocator, part {}", self.stem, self.written);
        self.writing.write(&format!("{}-{:04}", self.stem, self.written), piece, story).map(drop)
    }

    /// Writes what is left, and says what became of the recording.
    fn finish(mut self) -> Result<(), Failed> {
        let (rest, calls) = std::mem::take(&mut self.cutter).finish();
        if let Some(piece) = rest {
            self.write(&piece)?;
        }
        let (stem, folder) = (self.stem, screen::path(&self.writing.folder));
        let traces = counted(self.written, "trace");
        self.writing.screen.line(&format!(
            "{GOOD}{stem}{GOOD:#} {} became {traces} in {folder}/{stem}-*.jsonl; at most {} were live at once",
            counted(calls.all, "call"),
            counted(calls.most_live as u64, "block")
        ))?;
        if self.left != 0 {
            remark(&format!("{stem}: {} more could be made: --traces", counted(self.left, "trace")));
        }
        if usize::from(SLOTS) < calls.most_live {
            remark(&format!(
                "{stem}: a trace holds {SLOTS} blocks: of the others those that it does not touch are not in it"
            ));
        }
        if calls.unknown_frees != 0 {
            let frees = counted(calls.unknown_frees, "block");
            remark(&format!("{stem}: {frees} that nobody was seen to ask for were freed"));
        }
        if calls.left_out != 0 {
            let calls = counted(calls.left_out, "call");
            remark(&format!("{stem}: {calls} with alignments that are no powers of two are in no trace"));
        }
        if usize::from(MAX_THREADS) < self.threads.len() {
            let threads = self.threads.len();
            remark(&format!("{stem}: {threads} threads asked, and share the {MAX_THREADS} threads that a trace has"));
        }
        Ok(())
    }
}

impl Writing<'_> {
    /// Writes a trace; its file.
    fn write(&self, stem: &str, piece: &Piece, story: String) -> Result<PathBuf, Failed> {
        let path = self.folder.join(format!("{stem}.jsonl"));
        let wire = piece.trace().to_wire();
        let Some(dialect) = self.registry.dialect(Heap::NAME) else {
            return Err("this program has no subject of heap, so it has no use for such traces".into());
        };
        let text = dialect.print(&wire, &Header { story: Some(story), ..Header::plain() });
        write_atomically(&path, text.as_bytes())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(path)
    }

    fn import(&self, path: &Path, form: Form, stem: &str) -> Result<(), Failed> {
        if form == Form::Heaptrack {
            return Err("heaptrack's files say how much was freed and not which block, so no trace can be made of \
                        them; record the program itself"
                .into());
        }
        let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        let file = files::open(path).map_err(unreadable)?;
        let mut traces = Traces::new(self, stem);
        for call in Mtrace::new(BufReader::new(file)) {
            let call = call.map_err(|error| match error {
                NotMtrace::Unreadable(error) => unreadable(error),
                NotMtrace::Line(number) => format!("{}:{number}: mtrace writes no such line", path.display()),
            })?;
            traces.push(call)?;
        }
        traces.finish()
    }

    /// Says which laws were broken by which functions, and keeps the calls before the first time of each.
    fn tell_breaches(&self, stem: &str, recording: &Recording, subject: &str) -> Result<(), Failed> {
        let mut told = Vec::new();
        for breach in &recording.breaches {
            let Some(call) = recording.records()?.nth(usize::try_from(breach.call)?) else { continue };
            if told.contains(&(breach.law, call.kind)) {
                continue;
            }
            told.push((breach.law, call.kind));
            let (law, number) = (breach.law.name(), grouped(breach.call + 1));
            let words = breach_words(breach, &call);
            let words = format!("your allocator broke law {law} at call {number}: {words}");
            self.screen.line(&format!("{BAD}{}{BAD:#}", line(&format!("{stem}: {words}"))))?;
            let Some(piece) = ending_at(recording.records()?, breach.call, KEPT_CALLS) else { continue };
            let name = format!("{stem}-broken-{law}-{}", call.kind.name());
            let file = self.write(&name, &piece, words)?;
            self.screen.line(&format!("    {} replay {} {subject}", program::called(), screen::path(&file)))?;
        }
        Ok(())
    }
}

/// The allocator that the program has, as the command line names it.
fn subject(preload: &OsStr) -> String {
    let libraries = preload.to_string_lossy();
    match libraries.split([':', ' ']).find(|library| !library.is_empty()) {
        Some(library) => format!("--library {}", line(library)),
        None => "--subject libc".to_owned(),
    }
}

/// The folder for traces: the one that was asked for, or the first one for this name that nothing is in.
fn folder(asked: Option<&Path>, name: &str) -> Result<PathBuf, Failed> {
    let is_empty = |folder: &Path| std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if let Some(asked) = asked {
        if !is_empty(asked) {
            return Err(format!("there is something in {}: name another folder with --out", asked.display()).into());
        }
        return Ok(asked.to_owned());
    }
    let below = Path::new("target/memtwin/recorded");
    let mut folders = (1..).map(|number| if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
    let free = folders.find(|name| is_empty(&below.join(name)));
    Ok(below.join(free.unwrap_or_default()))
}

/// How a program ended.
fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
    }
}

/// What the traces of a recording are called: the program's name, and of what it started the process, too.
fn stem(recording: &Recording, process: u64, taken: &mut Vec<String>) -> String {
    let name = file_stem(&recording.name);
    let plain = if recording.process == process { name } else { format!("{name}.{}", recording.process) };
    let mut stems = (1..).map(|number| if number == 1 { plain.clone() } else { format!("{plain}.{number}") });
    let stem = stems.find(|stem| !taken.contains(stem)).unwrap_or_default();
    taken.push(stem.clone());
    stem
}

/// So many things.
fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn tell_losses(recording: &Recording) {
    let Recording { name, calls_lost, blocks_lost, .. } = recording;
    if *calls_lost != 0 {
        let lost = grouped(*calls_lost);
        remark(&format!("{name}: {lost} calls at the end are not recorded, because the file or the disk was full"));
    }
    if *blocks_lost != 0 {
        let lost = grouped(*blocks_lost);
        remark(&format!(
            "{name}: {lost} blocks were not known to the recorder; they are new where they got another size"
        ));
    }
}
