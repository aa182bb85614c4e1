//! Mutants of files: bytes turned, cut and repeated, lines shuffled, values replaced by awkward ones. It knows no
//! format, only lines and what a JSON value looks like.

use memtwin::random::Random;
use std::ops::Range;

/// Values that programs trip over.
const AWKWARD: &[&[u8]] = &[
    b"0",
    b"-1",
    b"18446744073709551615",
    b"18446744073709551616",
    b"4294967295",
    b"4294967296",
    b"1e309",
    b"1.5",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"\"\"",
    b"\"\\u0000\"",
    b"\"\\ud800\"",
    b"\"0xffffffffffffffff\"",
    b"\"0x0\"",
    b"\"0x10000000000000000\"",
    b"\"../../x\"",
    b"\"\\n::stop-commands::x\"",
    b"\"\\u001b[31m\\u202e\"",
    b"\xff",
    b"\x00",
    b"\n",
    b"\r\n",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
];

/// Numbers at which something changes.
const EDGES: [u64; 9] = [u64::MAX, 1 << 63, 1 << 47, 1 << 32, 1 << 31, 0x1000, 0xfff, 1, 0];

/// A mutant of a file; bytes of the donor may come into it.
pub(super) fn mutant(random: &mut Random, parent: &[u8], donor: &[u8]) -> Vec<u8> {
    let mut bytes = parent.to_vec();
    for _ in 0..random.choose(&[1, 1, 1, 2, 3, 8]) {
        if bytes.is_empty() {
            bytes.push(b'x');
        }
        change(random, &mut bytes, donor);
    }
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, donor: &[u8]) {
    let at = index(random, bytes.len());
    match random.below(12) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = byte(random),
        2 => {
            let end = (at + random.choose(&[1, 2, 8, 64])).min(bytes.len());
            bytes.drain(at..end);
        }
        3 => {
            let new: Vec<u8> = (0..random.choose(&[1, 4, 32])).map(|_| byte(random)).collect();
            bytes.splice(at..at, new);
        }
        4 => bytes.truncate(at),
        5..8 => lines(random, bytes),
        8..11 => value(random, bytes),
        _ => {
            let from = index(random, donor.len());
            let end = (from + random.choose(&[8, 80, 400])).min(donor.len());
            bytes.splice(at..at, donor[from..end].iter().copied());
        }
    }
}

/// Repeats a line, takes one away, or puts two in each other's place.
fn lines(random: &mut Random, bytes: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, other) = (index(random, lines.len()), index(random, lines.len()));
    match random.below(3) {
        0 => lines.insert(other, lines[one].clone()),
        1 => drop(lines.remove(one)),
        _ => lines.swap(one, other),
    }
    *bytes = lines.join(&b'\n');
}

/// Replaces a value by another of the file, by a number, or by something awkward.
fn value(random: &mut Random, bytes: &mut Vec<u8>) {
    let values = values(bytes);
    if values.is_empty() {
        return;
    }
    let pick = |random: &mut Random| values[index(random, values.len())].clone();
    let place = pick(random);
    let new = match random.below(4) {
        0 | 1 => bytes[pick(random)].to_vec(),
        2 => {
            let number = if random.one_in(2) { random.magnitude(64) } else { random.choose(&EDGES) };
            format!("\"0x{number:x}\"").into_bytes()
        }
        _ => random.choose(AWKWARD).to_vec(),
    };
    bytes.splice(place, new);
}

/// Where texts, numbers and words stand.
fn values(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = match bytes[at] {
            b'"' => bytes[at + 1..].iter().position(|byte| matches!(byte, b'"' | b'\n')).map_or(1, |end| end + 2),
            first if first.is_ascii_alphanumeric() => {
                bytes[at..].iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(bytes.len() - at)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        found.push(at..(at + length).min(bytes.len()));
        at += length;
    }
    found
}

fn byte(random: &mut Random) -> u8 {
    random.bits().to_le_bytes()[0]
}

/// An index into something of this length; 0 where it is empty.
pub(super) fn index(random: &mut Random, length: usize) -> usize {
    usize::try_from(random.below(u32::try_from(length).unwrap_or(u32::MAX))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_as_they_stand() {
        let text = b"{\"a\":12,\"b\":true,\"cut";
        let found: Vec<_> = values(text).into_iter().map(|range| std::str::from_utf8(&text[range]).unwrap()).collect();
        assert_eq!(found, ["\"a\"", "12", "\"b\"", "true", "\"", "cut"]);
    }

    #[test]
    fn a_seed_draws_the_same_mutants_and_most_differ_from_their_parent() {
        let parent = b"{\"memtwin\":1}\n{\"op\":\"read\",\"address\":\"0x10\"}\n";
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..1_000).map(|_| mutant(&mut random, parent, b"donor")).collect::<Vec<_>>()
        };
        let drawn = draw(7);
        assert_eq!(drawn, draw(7));
        assert_ne!(drawn, draw(8));
        let others = drawn.iter().filter(|mutant| mutant.as_slice() != parent).count();
        assert!(800 < others, "only {others} of 1000 differ");
    }

    #[test]
    fn empty_files_have_mutants_too() {
        let mut random = Random::new(7);
        for _ in 0..1_000 {
            let _ = mutant(&mut random, b"", b"");
        }
    }
}
