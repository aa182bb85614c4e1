//! What every call must hold to, whatever it was given: it ends by itself, with a code that the help names, in little
//! memory, without a panic, and nothing that it prints is obeyed by a terminal or a CI service.

use super::calls::Ended;

/// The most memory of the program itself.
const MOST_BYTES: u64 = 500 << 20;
/// Commands of CI services begin a line so.
const COMMAND: &str = "::";

/// Exit codes of a call that nobody ends from outside.
pub(super) const CODES: &[i32] = &[0, 1, 2];

/// What is wrong with how a call ended.
pub(super) fn complaints(ended: &Ended, codes: &[i32]) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(hung) = &ended.hung {
        found.push(hung.clone());
    } else if !codes.contains(&ended.code) {
        found.push(format!("exit code {}", ended.code));
    }
    if MOST_BYTES < ended.peak_bytes {
        found.push(format!("{} MB of memory", ended.peak_bytes >> 20));
    }
    if 0 < ended.left {
        found.push(format!("{} processes left", ended.left));
    }
    let (out, err) = (String::from_utf8_lossy(&ended.out), String::from_utf8_lossy(&ended.err));
    // A subject's panic is told on standard output; one of ours goes to standard error, and aborts or says where it
    // was.
    if err.contains("panicked") || out.contains("panicked at") {
        found.push("a panic".to_owned());
    }
    if ended.code == 2 && ended.hung.is_none() {
        let lines = err.lines().count();
        if lines != 1 {
            found.push(format!("{lines} lines of errors"));
        }
    }
    let is_data = out.starts_with('{');
    for text in [&out, &err] {
        if text.lines().any(|line| line.trim_start().starts_with(COMMAND)) {
            found.push("a line that CI services obey".to_owned());
        }
        // Data is for programs, which take every character but those that JSON forbids.
        let is_obeyed = |character: char| character.is_ascii_control() || (character.is_control() && !is_data);
        if text.contains(|character| is_obeyed(character) && !matches!(character, '\n' | '\t')) {
            found.push("a control character".to_owned());
        }
        if !is_data && text.contains(turns) {
            found.push("a mark that turns the direction of text".to_owned());
        }
    }
    found.dedup();
    found
}

/// Whether the character changes the direction of the text around it.
fn turns(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: i32, out: &str, err: &str) -> Ended {
        Ended { code, out: out.into(), err: err.into(), peak_bytes: 1, hung: None, left: 0 }
    }

    #[test]
    fn good_ends_are_taken() {
        for (code, err) in [(0, ""), (1, ""), (2, "error: no such file\n")] {
            assert_eq!(complaints(&ended(code, "one\ntwo\n", err), CODES), Vec::<String>::new());
        }
    }

    #[test]
    fn each_bad_end_is_seen() {
        let panic = "thread 'main' panicked at src/main.rs:1\n";
        let bad = [
            ended(101, "", ""),
            ended(139, "", ""),
            ended(1, "", panic),
            ended(2, "", ""),
            ended(2, "", "error: a\nerror: b\n"),
            ended(0, "fine\n::stop-commands::x\n", ""),
            ended(0, "\u{1b}[31m", ""),
            ended(2, "", "error: \u{202e}txt\n"),
            Ended { peak_bytes: 600 << 20, ..ended(0, "", "") },
            Ended { hung: Some("did nothing".to_owned()), ..ended(137, "", "") },
            Ended { left: 1, ..ended(0, "", "") },
        ];
        for end in bad {
            assert_eq!(complaints(&end, CODES).len(), 1, "{end:?}");
        }
    }
}
