//! The bar or spinner on a terminal, where the program has the feature `terminal`. Elsewhere there is none, and how far
//! a run is is told in lines.

#[cfg(feature = "terminal")]
use indicatif::{ProgressBar, ProgressStyle};

/// A line on standard error that changes in place.
pub(super) struct Bar(#[cfg(feature = "terminal")] ProgressBar);

#[cfg(feature = "terminal")]
impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{spinner} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Bar(bar)
    }

    /// Whether anybody sees it.
    pub(super) fn is_seen() -> bool {
        std::io::IsTerminal::is_terminal(&std::io::stderr())
    }

    /// Takes it away while something else is written.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }

    pub(super) fn tell(&self, text: String) {
        self.0.set_message(text);
        self.0.tick();
    }

    /// How much of a known whole is done.
    pub(super) fn tell_part(&self, done: usize, all: usize, what: &str) {
        if self.0.length() != Some(all as u64) {
            let style = ProgressStyle::with_template("{bar:40} {pos} of {len} {msg}");
            self.0.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.0.set_length(all as u64);
            self.0.set_message(what.to_owned());
        }
        self.0.set_position(done as u64);
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(not(feature = "terminal"))]
#[allow(clippy::unused_self, clippy::needless_pass_by_value)] // both forms are called alike
impl Bar {
    pub(super) fn new() -> Self {
        Bar()
    }

    pub(super) fn is_seen() -> bool {
        false
    }

    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        write()
    }

    pub(super) fn tell(&self, _text: String) {}

    pub(super) fn tell_part(&self, _done: usize, _all: usize, _what: &str) {}

    pub(super) fn finish(&self) {}
}
