//! What a person sees: lines on standard output (or error, when the output is for a machine), a progress bar on a
//! terminal. `anstream` leaves colours out for pipes and NO_COLOR.

use super::bar::Bar;
use crate::text;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::ser::Formatter;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// For what is as expected.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// For what is not.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// For what is said beside.
pub const DIM: Style = Style::new().dimmed();
/// For names.
pub const BOLD: Style = Style::new().bold();

/// How often a plain progress line is written where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Where lines go.
pub struct Screen {
    lines: Mutex<Box<dyn Write + Send>>,
    bar: Bar,
    last_plain: Mutex<Instant>,
}

impl Screen {
    /// Lines go to standard output, or to standard error when standard output is for a machine.
    pub fn new(is_for_machine: bool) -> Self {
        let lines: Box<dyn Write + Send> =
            if is_for_machine { Box::new(anstream::stderr()) } else { Box::new(anstream::stdout()) };
        Screen { lines: Mutex::new(lines), bar: Bar::new(), last_plain: Mutex::new(Instant::now()) }
    }

    /// One line. Where the reader has gone away it is nobody's: the run goes on, and its end is that of the run.
    pub fn line(&self, text: &str) -> io::Result<()> {
        let mut lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match self.bar.suspend(|| writeln!(lines, "{text}").and_then(|()| lines.flush())) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                *lines = Box::new(io::sink());
                Ok(())
            }
            written => written,
        }
    }

    /// How far it is: moving on a terminal, now and then a line elsewhere; always on standard error.
    pub fn progress(&self, text: &str) {
        let text = text::line(text);
        if Bar::is_seen() {
            self.bar.tell(text.into_owned());
            return;
        }
        let mut last = self.last_plain.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if PLAIN_EVERY <= last.elapsed() {
            *last = Instant::now();
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// How much of a known whole is done.
    pub fn progress_of(&self, done: usize, all: usize, what: &str) {
        if Bar::is_seen() {
            self.bar.tell_part(done, all, what);
        } else {
            self.progress(&format!("{done} of {all} {what}"));
        }
    }

    /// Takes the progress bar away.
    pub fn finish(&self) {
        self.bar.finish();
    }
}

/// One clear line on standard error.
pub fn complain(text: &str) {
    let _ = writeln!(anstream::stderr(), "{BAD}error:{BAD:#} {}", text::line(text));
}

/// A path on one line, tame.
pub fn path(path: &Path) -> String {
    text::line(&path.to_string_lossy()).into_owned()
}

/// One line of JSON on standard output. It may end up on a terminal: what would be obeyed there is escaped in its
/// strings, which say the same for a machine.
pub fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, TameJson)).map_err(io::Error::from)?;
    writeln!(out).and_then(|()| out.flush())
}

/// JSON without characters that are obeyed.
struct TameJson;

impl Formatter for TameJson {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = text::first_obeyed(rest) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

/// One line on standard error that is no error.
pub fn remark(text: &str) {
    let _ = writeln!(anstream::stderr(), "{DIM}note:{DIM:#} {}", text::line(text));
}

/// A count in millions or thousands, for a person.
pub fn count(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{:.1} k", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", number as f64 / 1e6),
        _ => format!("{:.2} G", number as f64 / 1e9),
    }
}

/// A time, for a person.
pub fn time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.1} s") }
}
