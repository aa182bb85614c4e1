//! Reads what glibc's mtrace wrote (mtrace(3)). It says no alignments, no threads and not that memory was zeroed, so
//! they are not in the calls either.

use memtwin_recording::{Kind, Record};
use std::collections::HashMap;
use std::io::{self, BufRead};

/// The longest line, in bytes: a caller's name and two numbers.
const LINE_BYTES: u64 = 64 << 10;

/// Why a file cannot be read as one of mtrace's.
#[derive(Debug)]
pub enum NotMtrace {
    /// The system says so.
    Unreadable(io::Error),
    /// A line, counted from 1 on, that mtrace does not write.
    Line(u64),
}

/// What a line says.
enum Said {
    Nothing,
    Got { address: u64, size: u64 },
    Freed { address: u64 },
    ResizeBegins { address: u64 },
    Resized { address: u64, size: u64 },
    NotResized { address: u64, size: u64 },
}

fn number(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if word == "(nil)" => Some(0),
        None => word.parse().ok(),
    }
}

fn read_line(line: &str) -> Option<Said> {
    let line = line.trim();
    if line.is_empty() || line.starts_with("= ") {
        return Some(Said::Nothing);
    }
    // Behind an @ stands the caller, which may be the name of any file.
    let mut words = line.split_whitespace().peekable();
    if words.peek() == Some(&"@") {
        words.next();
        words.next();
    }
    let sign = words.find(|word| matches!(*word, "+" | "-" | "<" | ">" | "!"))?;
    let address = number(words.next()?)?;
    let size = words.next().map(number);
    let said = match (sign, size) {
        ("+", Some(Some(size))) => Said::Got { address, size },
        (">", Some(Some(size))) => Said::Resized { address, size },
        ("!", Some(Some(size))) => Said::NotResized { address, size },
        ("-", None) => Said::Freed { address },
        ("<", None) => Said::ResizeBegins { address },
        _ => return None,
    };
    words.next().is_none().then_some(said)
}

/// The calls in a file of mtrace's, in order.
#[derive(Debug)]
pub struct Mtrace<R> {
    file: R,
    bytes: Vec<u8>,
    line: u64,
    numbers: HashMap<u64, u32>,
    last_number: u32,
    /// The block that is given another size: the next line says which.
    resizing: Option<u32>,
}

impl<R: BufRead> Mtrace<R> {
    /// The calls in this file.
    pub fn new(file: R) -> Self {
        Mtrace { file, bytes: Vec::new(), line: 0, numbers: HashMap::new(), last_number: 0, resizing: None }
    }

    fn next_line(&mut self) -> Result<Option<Said>, NotMtrace> {
        self.bytes.clear();
        self.line += 1;
        let mut line = io::Read::take(&mut self.file, LINE_BYTES);
        line.read_until(b'\n', &mut self.bytes).map_err(NotMtrace::Unreadable)?;
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let said = read_line(&String::from_utf8_lossy(&self.bytes));
        said.map(Some).ok_or(NotMtrace::Line(self.line))
    }

    fn new_block(&mut self, address: u64) -> u32 {
        self.last_number = self.last_number.wrapping_add(1);
        self.numbers.insert(address, self.last_number);
        self.last_number
    }

    /// The call of a line, if it is one.
    fn call(&mut self, said: &Said) -> Option<Record> {
        let record =
            |kind, is_answered, block, first| Some(Record { kind, is_answered, thread: 0, block, first, second: 0 });
        match *said {
            Said::Nothing => None,
            Said::Got { address: 0, size } => record(Kind::Malloc, false, 0, size),
            Said::Got { address, size } => record(Kind::Malloc, true, self.new_block(address), size),
            Said::Freed { address: 0 } => record(Kind::FreeNull, true, 0, 0),
            Said::Freed { address } => match self.numbers.remove(&address) {
                Some(block) => record(Kind::Free, true, block, 0),
                None => record(Kind::FreeUnknown, true, 0, 0),
            },
            Said::ResizeBegins { address } => {
                self.resizing = self.numbers.remove(&address);
                None
            }
            Said::Resized { address, size } => match self.resizing.take() {
                Some(block) => {
                    self.numbers.insert(address, block);
                    record(Kind::Realloc, true, block, size)
                }
                None => record(Kind::Malloc, true, self.new_block(address), size),
            },
            Said::NotResized { address, size } => {
                self.numbers.get(&address).and_then(|block| record(Kind::Realloc, false, *block, size))
            }
        }
    }
}

impl<R: BufRead> Iterator for Mtrace<R> {
    type Item = Result<Record, NotMtrace>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_line() {
                Err(error) => return Some(Err(error)),
                Ok(None) => return None,
                Ok(Some(said)) => {
                    if let Some(call) = self.call(&said) {
                        return Some(Ok(call));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Record>, u64> {
        let calls: Result<Vec<Record>, NotMtrace> = Mtrace::new(text.as_bytes()).collect();
        calls.map_err(|error| match error {
            NotMtrace::Line(line) => line,
            NotMtrace::Unreadable(error) => panic!("{error}"),
        })
    }

    #[test]
    fn what_mtrace_writes_is_read() {
        let text = "= Start\n@ ./a.out:(main+0x1c)[0x55d0] + 0x5501 0x10\n@ ./a.out:[0x55d1] + 0x5502 0x20\n@ /lib/a \
                    - b.so:[0x55d1] < 0x5501\n@ /lib/c.so:[0x55d1] > 0x5503 0x40\n@ ./a.out:[0x55d1] ! 0x5502 \
                    0x7fffffffffff\n@ ./a.out:[0x55d1] - 0x5503\n- 0x5504\n@ ./a.out:[0x55d1] + (nil) \
                    0xffffffffffff\n= End\n";
        // A file's name may be anything, so a sign in it is taken for one, and then the line is refused.
        assert_eq!(read(text), Err(4));
        let text = text.replace("a - b", "ab");
        let record = |kind, is_answered, block, first| Record { kind, is_answered, thread: 0, block, first, second: 0 };
        assert_eq!(
            read(&text).unwrap(),
            [
                record(Kind::Malloc, true, 1, 16),
                record(Kind::Malloc, true, 2, 32),
                record(Kind::Realloc, true, 1, 64),
                record(Kind::Realloc, false, 2, 0x7fff_ffff_ffff),
                record(Kind::Free, true, 1, 0),
                record(Kind::FreeUnknown, true, 0, 0),
                record(Kind::Malloc, false, 0, 0xffff_ffff_ffff),
            ]
        );
    }

    #[test]
    fn what_mtrace_does_not_write_is_named_by_its_line() {
        assert_eq!(read("= Start\nheaptrack\n"), Err(2));
        assert_eq!(read("@ a + 0x10\n"), Err(1));
        assert_eq!(read("@ a - 0x10 0x20\n"), Err(1));
        assert_eq!(read("@ a + 0x10 0x20 0x30\n"), Err(1));
        assert_eq!(read("@ a + zero 0x20\n"), Err(1));
    }
}
