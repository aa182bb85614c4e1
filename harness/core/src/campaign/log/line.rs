//! Lines of a log: sealed with a checksum when they are written, looked at one at a time when they are read. What a
//! line says is not known here.

use crate::random::hash_bytes;
use std::io::{self, BufRead};

/// The longest line that is read, in bytes. The longest that is written has all that an epoch can keep, and its
/// findings.
const LONGEST_BYTES: u64 = 128 << 20;
/// How a seal begins; sixteen hexadecimal digits and [`SEAL_END`] follow.
const SEAL: &[u8] = b",\"check\":\"";
const SEAL_END: &[u8] = b"\"}";
const SEAL_BYTES: usize = SEAL.len() + 16 + SEAL_END.len();

/// Makes a line of a JSON object: its last field says what all before it should be.
pub(super) fn seal(mut object: Vec<u8>) -> Vec<u8> {
    let check = hash_bytes(&object);
    object.pop();
    object.extend_from_slice(SEAL);
    object.extend_from_slice(format!("{check:016x}").as_bytes());
    object.extend_from_slice(SEAL_END);
    object.push(b'\n');
    object
}

/// Whether a line is as it was written.
pub(super) fn is_sealed(line: &[u8]) -> bool {
    let Some((object, end)) = line.len().checked_sub(SEAL_BYTES).map(|at| line.split_at(at)) else { return false };
    let digits = end.strip_prefix(SEAL).and_then(|end| end.strip_suffix(SEAL_END));
    digits == Some(format!("{:016x}", hash_bytes(&[object, b"}"].concat())).as_bytes())
}

/// A line of a file.
pub(super) enum Read {
    /// Without its end.
    Whole(Vec<u8>),
    /// Longer than any that is written.
    TooLong,
    /// What a kill or a power cut left of one, or nothing at all.
    End,
}

/// Reads a line, and adds its length to `read_bytes` if it is whole.
pub(super) fn read(reader: &mut impl BufRead, read_bytes: &mut u64) -> io::Result<Read> {
    let mut line = Vec::new();
    io::Read::take(&mut *reader, LONGEST_BYTES).read_until(b'\n', &mut line)?;
    if line.pop_if(|byte| *byte == b'\n').is_some() {
        *read_bytes += line.len() as u64 + 1;
        return Ok(Read::Whole(line));
    }
    Ok(if (line.len() as u64) < LONGEST_BYTES { Read::End } else { Read::TooLong })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_a_sealed_line_shows() {
        let line = seal(br#"{"target":"a/b","what":{"epoch":[1,{}]}}"#.to_vec());
        let line = &line[..line.len() - 1];
        assert!(is_sealed(line));
        assert!(serde_json::from_slice::<serde_json::Value>(line).is_ok());
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut changed = line.to_vec();
                changed[at] ^= 1 << bit;
                assert!(!is_sealed(&changed), "bit {bit} of byte {at}");
            }
            assert!(!is_sealed(&line[..at]) && !is_sealed(&line[at + 1..]));
        }
        assert!(!is_sealed(b"") && !is_sealed(br#"{"target":"a/b"}"#));
    }

    #[test]
    fn a_last_line_without_its_end_is_none() {
        let mut reader = &b"one\n\ntwo\nthr"[..];
        let (mut lines, mut read_bytes) = (Vec::new(), 0);
        while let Read::Whole(line) = read(&mut reader, &mut read_bytes).unwrap() {
            lines.push(line);
        }
        assert_eq!((lines, read_bytes), (vec![b"one".to_vec(), Vec::new(), b"two".to_vec()], 9));
    }
}
