//! Foreign text: what a trace's header, a file's name, a subject or a run file says. Here it is made tame, so that a
//! terminal, a browser or a build server shows it and obeys nothing in it. It judges no text and knows no place where
//! text goes.

use std::borrow::Cow;
use std::fmt::Write as _;

/// How commands to build servers begin that are obeyed anywhere in a line.
const COMMANDS: [&str; 2] = ["##[", "##vso["];
/// How those begin that are obeyed at the start of a line, with or without spaces before.
const LINE_COMMAND: &str = "::";
/// The most bytes of a name in a file's name: with what stands before and after it, a name stays below the 255 of file
/// systems.
const LONGEST_STEM_BYTES: usize = 150;
/// The most characters of one foreign text in Markdown.
const LONGEST_CODE: usize = 300;

/// Characters that terminals, browsers and XML readers obey or refuse: control characters but for the line feed, marks
/// that change the direction of text or that nobody sees, and what is no character at all.
#[must_use]
pub fn is_obeyed(character: char) -> bool {
    character.is_control() && character != '\n'
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(character, '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || u32::from(character) & 0xfffe == 0xfffe
}

/// The text with everything that is obeyed written out. Lines stay lines: whoever prints them puts something of its own
/// before each.
#[must_use]
pub fn tame(text: &str) -> Cow<'_, str> {
    if is_tame(text) { Cow::Borrowed(text) } else { Cow::Owned(escaped(text, false)) }
}

/// The text on one line, with everything that is obeyed written out.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    if is_tame(text) && !text.contains('\n') { Cow::Borrowed(text) } else { Cow::Owned(escaped(text, true)) }
}

/// The lines of a text, each tame.
pub fn lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(line)
}

/// Bytes as hexadecimal digits, two a byte.
#[must_use]
pub fn digits(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| _ = write!(digits, "{byte:02x}"));
    digits
}

/// The bytes that [`digits`] wrote.
#[must_use]
pub fn of_digits(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|nibble| u8::try_from(nibble).ok());
    let (pairs, []) = digits.as_bytes().as_chunks() else { return None };
    pairs.iter().map(|&[high, low]| Some(nibble(high)? << 4 | nibble(low)?)).collect()
}

/// The text in at most so many bytes. What is cut off is counted.
#[must_use]
pub fn cut(text: Cow<'_, str>, most_bytes: usize) -> Cow<'_, str> {
    /// Room for the words at the end.
    const WORDS_BYTES: usize = 48;
    if text.len() <= most_bytes {
        return text;
    }
    let end = text.floor_char_boundary(most_bytes.saturating_sub(WORDS_BYTES));
    let left = text[end..].chars().count();
    Cow::Owned(format!("{} … ({left} more characters)", &text[..end]))
}

/// A name as part of a file's name: lower-case letters, digits, `_`, `-` and `.` stay, `/` becomes `-`, all else `_`.
#[must_use]
pub fn file_stem(name: &str) -> String {
    let plain = |character: char| match character {
        'a'..='z' | '0'..='9' | '_' | '-' | '.' => character,
        '/' => '-',
        _ => '_',
    };
    name.chars().map(plain).take(LONGEST_STEM_BYTES).collect()
}

/// A name as part of a signature: letters, digits, `_`, `-` and `.` stay, all else becomes `_`.
#[must_use]
pub fn name(name: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    name.chars().map(|character| if plain(character) { character } else { '_' }).collect()
}

/// The first character of a string in JSON that must be escaped there, so that nothing is obeyed.
pub(crate) fn first_obeyed(text: &str) -> Option<(usize, char)> {
    let is_command = |at: usize| COMMANDS.iter().any(|command| text[at..].starts_with(command));
    text.char_indices().find(|(at, character)| is_obeyed(*character) || *character == '#' && is_command(*at))
}

fn is_tame(text: &str) -> bool {
    !text.chars().any(is_obeyed)
        && !COMMANDS.iter().any(|command| text.contains(command))
        && !text.split('\n').any(|line| line.trim_start().starts_with(LINE_COMMAND))
}

fn escaped(text: &str, is_line: bool) -> String {
    let mut tame = String::with_capacity(text.len() + 16);
    let mut begins_line = true;
    for (at, character) in text.char_indices() {
        let is_command = begins_line && text[at..].starts_with(LINE_COMMAND)
            || COMMANDS.iter().any(|command| text[at..].starts_with(command));
        begins_line = character == '\n' && !is_line || begins_line && character.is_whitespace();
        if is_obeyed(character) || is_line && character == '\n' {
            tame.extend(character.escape_default());
        } else if is_command {
            tame.extend(character.escape_unicode());
        } else {
            tame.push(character);
        }
    }
    tame
}

/// Foreign text as a code span of Markdown: on one line, cut, between more backticks than it has in a row. Make it tame
/// first where a terminal may show it.
#[must_use]
pub fn code(text: &str) -> String {
    let left = text.chars().count().saturating_sub(LONGEST_CODE);
    let line: String = text.chars().take(LONGEST_CODE).map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let line = if left == 0 { line } else { format!("{line} … ({left} more characters)") };
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A space keeps a backtick of the text apart from the fence; Markdown takes it away again.
    if line.is_empty() || line.starts_with('`') || line.ends_with('`') || line.starts_with(' ') && line.ends_with(' ') {
        format!("{fence} {line} {fence}")
    } else {
        format!("{fence}{line}{fence}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_spans_hold_whatever_stands_in_them() {
        assert_eq!(code("a/b"), "`a/b`");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code(""), "`  `");
        assert_eq!(code("a\n# b"), "`a # b`");
        assert!(code(&"x".repeat(1000)).ends_with("x … (700 more characters)`"));
    }

    #[test]
    fn what_a_viewer_would_obey_is_shown() {
        assert!(matches!(tame("guest_memory/bounds/read/result\nπ"), Cow::Borrowed(_)));
        assert_eq!(tame("\x1b[31m\0\u{202e}\u{9b}"), "\\u{1b}[31m\\u{0}\\u{202e}\\u{9b}");
        assert_eq!(tame("\u{200b}\u{2066}\u{feff}\u{ffff}\u{1fffe}\u{e0041}").matches("\\u{").count(), 6);
    }

    #[test]
    fn digits_are_read_as_they_were_written() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(of_digits(&digits(&all)), Some(all));
        assert_eq!((digits(&[0x0f, 0xa0]), of_digits("0FA0")), ("0fa0".to_owned(), Some(vec![0x0f, 0xa0])));
        for wrong in ["0", "0g", "+1", "0f ", "ö"] {
            assert_eq!(of_digits(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line("s\n::warning::\r\n"), "s\\n::warning::\\r\\n");
        assert_eq!(lines("one\r\ntwo\rthree\n").collect::<Vec<_>>(), ["one", "two\\rthree"]);
    }

    #[test]
    fn commands_to_build_servers_are_text() {
        assert_eq!(tame("a ##[error]b ##vso[task.complete]"), "a \\u{23}#[error]b \\u{23}#vso[task.complete]");
        assert_eq!(tame("## a heading"), "## a heading");
        assert_eq!(tame("a::b\n \t::warning::c"), "a::b\n \\t\\u{3a}:warning::c");
        assert_eq!(tame("a::b\n ::warning::c"), "a::b\n \\u{3a}:warning::c");
        assert_eq!(line("::a\n::b"), "\\u{3a}:a\\n::b");
    }

    #[test]
    fn taming_and_cutting_twice_is_as_good_as_once() {
        let long = "é\x1b##[".repeat(1000);
        let once = cut(tame(&long), 2000).into_owned();
        assert!(once.len() <= 2000 && once.ends_with(" more characters)"));
        assert_eq!(cut(tame(&once), 2000), once);
        assert_eq!(cut(Cow::Borrowed("short"), 5), "short");
    }

    #[test]
    fn names_hold_nothing_that_a_path_or_a_line_obeys() {
        assert_eq!(file_stem("bounds/read/result"), "bounds-read-result");
        assert_eq!(file_stem("a\0b\x1b[m\n../É"), "a_b__m_..-_");
        assert_eq!(file_stem(&"x".repeat(1000)).len(), LONGEST_STEM_BYTES);
        assert_eq!(name("GM/\n:: x"), "GM_____x");
    }
}
