//! Exporting: a finding as a test that shows it without memtwin, for the project whose code it is about. Refuses traces whose
//! finding only memtwin's simulated machine can show.

use memtwin_core::explain::{Telling, as_argument};
use memtwin_core::rig::rust_test::{NoTest, TestBody, comment};
use std::sync::atomic::AtomicBool;

/// The trace as a Rust file with one test, or why it cannot be one; nothing when interrupted. What the trace says is foreign text: it ends up in
/// comments alone, without control characters.
pub fn rust_test(
    telling: &Telling<'_>,
    subject: Option<&str>,
    interrupted: &AtomicBool,
) -> Result<Option<String>, String> {
    let Telling { dialect, wire, header, name } = *telling;
    let expect = header.expect.as_deref().unwrap_or_default();
    let refused = |reason: &str| format!("{name} cannot be a test: {reason}");
    let TestBody { place, support, calls } = match dialect.rust_test(wire, interrupted) {
        Ok(body) => body,
        Err(NoTest::Interrupted) => return Ok(None),
        Err(NoTest::Refused(reason)) => return Err(refused(reason)),
    };
    if expect.contains("/audit/") {
        return Err(refused("its finding shows in state that only memtwin looks at, not in a call"));
    }
    let mut text = format!("//! A finding of memtwin in {}, as a test: {}\n", dialect.name(), comment(name));
    for line in [header.story.as_deref(), header.expect.as_deref().map(|_| expect)].into_iter().flatten() {
        text.push_str(&format!("//! {}\n", comment(line)));
    }
    if let Some(subject) = subject {
        text.push_str(&format!(
            "//! `memtwin explain {} --subject {}` tells the story.\n",
            comment(&as_argument(name)),
            comment(&as_argument(subject))
        ));
    }
    text.push_str(&format!("//!\n//! {place}\n\n{support}\n"));
    if calls.iter().any(|call| call.contains("pattern(")) {
        text.push_str(&format!("{PATTERN}\n"));
    }
    text.push_str(&format!("#[test]\nfn {}() {{\n", test_name(expect)));
    for call in calls {
        text.push_str(&format!("    {call}\n"));
    }
    text.push_str("}\n");
    Ok(Some(text))
}

/// The signature as the name of a function.
fn test_name(signature: &str) -> String {
    let words = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let name: String = signature.chars().map(words).collect();
    if name.is_empty() { "finding".to_owned() } else { format!("finding_{name}") }
}

/// `pattern` as the trace's payloads define it: the bytes of a seed, from an index on.
const PATTERN: &str = "\
/// Bytes `from` to `from + length` of the pattern with this seed; none of them is zero.
fn pattern(seed: usize, from: usize, length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let noise: Vec<u8> = (0..1 << 16)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let byte = (state >> 56) as u8;
            if byte == 0 { 0x5a } else { byte }
        })
        .collect();
    (0..length).map(|index| noise[(seed + from + index) % noise.len()]).collect()
}
";
