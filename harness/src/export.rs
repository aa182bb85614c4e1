//! Exporting: a finding as a test that shows it without memtwin, for the project whose code it is about. Refuses traces
//! whose finding only memtwin's simulated machine can show.

use memtwin_core::explain::Telling;
use memtwin_core::program::{self, as_argument};
use memtwin_core::rig::About;
use memtwin_core::rig::rust_test::{NoTest, TestBody, c_comment, comment};
use std::sync::atomic::AtomicBool;

/// The trace as a Rust file with one test, or why it cannot be one; nothing when interrupted. What the trace says is
/// foreign text: it ends up in comments alone, without control characters.
pub fn rust_test(
    telling: &Telling<'_>,
    subject: Option<&str>,
    interrupted: &AtomicBool,
) -> Result<Option<String>, String> {
    if let Some(law) =
        law(telling).filter(|law| telling.dialect.unshown_laws().iter().any(|unshown| unshown.name == *law))
    {
        return Err(format!(
            "{} cannot be a test: the law {law} is about what a test of this component cannot see",
            telling.name
        ));
    }
    let made = telling.dialect.rust_test(telling.wire, interrupted);
    let Some(TestBody { place, support, calls }) = body(telling, made)? else { return Ok(None) };
    let mut text = String::new();
    for line in heading(telling, subject, "a test") {
        text.push_str(&format!("//! {line}\n"));
    }
    text.push_str(&format!("//!\n//! {place}\n\n{support}\n"));
    if calls.iter().any(|call| call.contains("pattern(")) {
        text.push_str(&format!("{PATTERN}\n"));
    }
    let expect = telling.header.expect.as_deref().unwrap_or_default();
    text.push_str(&format!("#[test]\nfn {}() {{\n", test_name(expect)));
    for call in calls {
        text.push_str(&format!("    {call}\n"));
    }
    text.push_str("}\n");
    Ok(Some(text))
}

/// The trace as a program in C, likewise. `claimed` are the freedoms of the subject that it is about.
pub fn c_program(
    telling: &Telling<'_>,
    subject: Option<&str>,
    claimed: &[&'static str],
    interrupted: &AtomicBool,
) -> Result<Option<String>, String> {
    let about = About { claimed, law: law(telling) };
    let made = telling.dialect.c_program(telling.wire, &about, interrupted);
    let Some(TestBody { place, support, calls }) = body(telling, made)? else { return Ok(None) };
    let mut text = String::new();
    for line in heading(telling, subject, "a program") {
        text.push_str(&format!("// {}\n", c_comment(&line)));
    }
    text.push_str(&format!("//\n// {place}\n\n{support}\nint main(void)\n{{\n"));
    for call in calls {
        text.push_str(&format!("    {call}\n"));
    }
    text.push_str("    return 0;\n}\n");
    Ok(Some(text))
}

/// The law that the trace is said to break, or the class of its fault.
fn law<'a>(telling: &'a Telling<'_>) -> Option<&'a str> {
    telling.header.expect.as_deref().and_then(|expect| expect.split('/').nth(1))
}

/// What the component made of the trace; nothing when interrupted.
fn body(telling: &Telling<'_>, made: Result<TestBody, NoTest>) -> Result<Option<TestBody>, String> {
    let refused = |reason: &str| format!("{} cannot be a test: {reason}", telling.name);
    match made {
        Err(NoTest::Interrupted) => Ok(None),
        Err(NoTest::Refused(reason)) => Err(refused(reason)),
        Ok(_) if telling.header.expect.as_deref().is_some_and(|expect| expect.contains("/audit/")) => {
            Err(refused("its finding shows in state that only memtwin looks at, not in a call"))
        }
        Ok(body) => Ok(Some(body)),
    }
}

/// What stands above a test: whose finding it is, and how its story is told.
fn heading(telling: &Telling<'_>, subject: Option<&str>, what: &str) -> Vec<String> {
    let Telling { dialect, header, name, .. } = *telling;
    let mut lines = vec![format!("A finding of memtwin in {}, as {what}: {}", dialect.name(), comment(name))];
    lines.extend([header.story.as_deref(), header.expect.as_deref()].into_iter().flatten().map(comment));
    lines.extend(subject.map(|subject| {
        let (name, subject) = (as_argument(name), as_argument(subject));
        let program = program::called();
        format!("`{} explain {} --subject {}` tells the story.", comment(&program), comment(&name), comment(&subject))
    }));
    lines
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
