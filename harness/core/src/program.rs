//! How this program was called, for the commands that it prints: they can be run where they stand. Does not look
//! whether a program is there.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;
use std::sync::OnceLock;

/// The name where no command line said one: in tests, and in programs that are no command line.
const NAME: &str = "memtwin";

static CALLED: OnceLock<String> = OnceLock::new();

/// Notes the first word of the command line.
pub(crate) fn note(word: Option<OsString>) {
    if let Some(word) = word.and_then(|word| word.into_string().ok()).filter(|word| !word.is_empty()) {
        let _ = CALLED.set(word);
    }
}

/// What a shell takes for this program.
#[must_use]
pub fn called() -> String {
    as_argument(CALLED.get().map_or(NAME, String::as_str))
}

/// A text as one argument on a shell's command line.
#[must_use]
pub fn as_argument(text: &str) -> String {
    // A zero byte, which no argument can hold, is the one thing that cannot be quoted.
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), Cow::into_owned)
}

/// The program's name, without a folder.
#[must_use]
pub fn name() -> String {
    let called = CALLED.get().map_or(NAME, String::as_str);
    Path::new(called).file_name().map_or_else(|| NAME.to_owned(), |name| name.to_string_lossy().into_owned())
}
