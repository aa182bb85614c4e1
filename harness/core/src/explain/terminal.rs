//! A story as lines for a terminal, each text of it tame. Decides nothing about what is told.

use super::story::{Came, End, Story};
use crate::lockstep::{ByteDifference, LINE_BYTES};
use crate::text::{line, lines};
use std::borrow::Cow;
use std::fmt::Write as _;

/// The story, in lines for a terminal.
#[must_use]
pub fn text(story: &Story) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, story);
    text
}

fn write(text: &mut String, story: &Story) -> std::fmt::Result {
    writeln!(text, "{}/{} runs {}", line(&story.component), line(&story.subject), line(&story.trace))?;
    if let Some(shows) = &story.shows {
        write_lines(text, "story", lines(shows))?;
    }
    if let Some(defect) = &story.defect {
        writeln!(text, "  subject  {}", line(defect))?;
    }
    writeln!(text, "  setup    {}", line(&story.setup))?;
    if 0 < story.earlier + story.steps.len() + story.later {
        writeln!(text)?;
    }
    write_steps(text, story)?;
    write_end(text, &story.end)?;
    if let Some(diagnosis) = &story.diagnosis {
        writeln!(text, "\nDiagnosis: {}", line(diagnosis))?;
    }
    writeln!(text)?;
    if let Some(signature) = &story.signature {
        writeln!(text, "Signature: {}", line(signature))?;
    }
    writeln!(text, "Replay:    {}", line(&story.replay))
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn write_steps(text: &mut String, story: &Story) -> std::fmt::Result {
    if 0 < story.earlier {
        writeln!(text, "  … {} agreed", counted(story.earlier, "earlier op"))?;
    }
    for (index, step) in (story.earlier..).zip(&story.steps) {
        let mark = match step.came {
            Came::Agreed => "✓",
            Came::Known => "≈",
            Came::Diverged | Came::Died => "✗",
            Came::Moot => "?",
        };
        writeln!(text, "{mark} op {index:<4} {}", line(&step.op))?;
        writeln!(text, "          {}", line(step.seen.as_deref().unwrap_or("no answer")))?;
    }
    if 0 < story.later {
        writeln!(text, "  … {} did not run", counted(story.later, "later op"))?;
    }
    Ok(())
}

fn write_end(text: &mut String, end: &End) -> std::fmt::Result {
    match end {
        End::Agreed => {
            writeln!(
                text,
                "\nThe subject agreed with the model at every step, and in the state that it showed at the end."
            )
        }
        End::Moot { op, reason } => writeln!(
            text,
            "\nMoot: with op {op} the trace went where the contract says nothing: {}. From there on the subject may \
             do what it likes, so that nothing more was judged. This is no finding: up to that op the subject agreed.",
            line(reason)
        ),
        End::Unsupported { reason } => writeln!(
            text,
            "\nUnsupported: the subject cannot serve this setup: {}. No op was run, and nothing judged. This is no \
             finding.",
            line(reason)
        ),
        End::Diverged { place, law, sentence, field, allowed, seen, scene, bytes, picture: _ } => {
            writeln!(text, "\nDivergence {}\n  law      {}: {}", line(place), line(law), line(sentence))?;
            writeln!(text, "  field    {}", line(field))?;
            if let Some(allowed) = allowed {
                writeln!(text, "  allowed  {}", line(allowed))?;
            }
            writeln!(text, "  seen     {}", line(seen))?;
            if let Some(bytes) = bytes {
                write_lines(text, "bytes", tamed(&byte_lines(bytes)))?;
            }
            write_lines(text, "place", tamed(scene))
        }
        End::Died { place, words, allowed, address, said, frames, .. } => {
            writeln!(text, "\nFault {}\n  fault    {}", line(place), line(words))?;
            if let Some(allowed) = allowed {
                writeln!(text, "  allowed  {}", line(allowed))?;
            }
            if let Some(address) = address {
                writeln!(text, "  address  {}", line(address))?;
            }
            write_lines(text, "said", tamed(said))?;
            write_lines(text, "frames", tamed(frames))
        }
    }
}

fn tamed(lines: &[String]) -> impl Iterator<Item = Cow<'_, str>> {
    lines.iter().map(|text| line(text))
}

/// The lines, the first beside its head.
fn write_lines<'a>(text: &mut String, head: &str, lines: impl Iterator<Item = Cow<'a, str>>) -> std::fmt::Result {
    for (index, line) in lines.enumerate() {
        writeln!(text, "  {:<8} {line}", if index == 0 { head } else { "" })?;
    }
    Ok(())
}

/// Both rows of bytes, line by line, with carets below those that differ. A line without a difference is shown once.
fn byte_lines(difference: &ByteDifference) -> Vec<String> {
    let start = u64::from_str_radix(difference.start.trim_start_matches("0x"), 16).unwrap_or(0);
    let rows =
        difference.allowed.as_bytes().chunks(2 * LINE_BYTES).zip(difference.seen.as_bytes().chunks(2 * LINE_BYTES));
    let mut lines = Vec::new();
    for (index, (allowed, seen)) in (0..).zip(rows) {
        let address = format!("{:#x}", start.wrapping_add(index * LINE_BYTES as u64));
        let words = |digits: &[u8]| {
            digits.chunks(2).map(|byte| String::from_utf8_lossy(byte).into_owned()).collect::<Vec<_>>().join(" ")
        };
        if allowed == seen {
            lines.push(format!("{address:>18}  both     {}", words(seen)));
            continue;
        }
        lines.push(format!("{address:>18}  allowed  {}", words(allowed)));
        lines.push(format!("{:>18}  seen     {}", "", words(seen)));
        let carets =
            allowed.chunks(2).zip(seen.chunks(2)).map(|(allowed, seen)| if allowed == seen { "  " } else { "^^" });
        lines.push(format!("{:>18}           {}", "", carets.collect::<Vec<_>>().join(" ")).trim_end().to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_with_carets_below_what_differs() {
        let bytes = ByteDifference {
            start: "0xff0".to_owned(),
            allowed: format!("{}000102", "aa".repeat(16)),
            seen: format!("{}000202", "aa".repeat(16)),
            first: 17,
        };
        let both = format!("             0xff0  both     {}", ["aa"; 16].join(" "));
        let expected = [
            both.as_str(),
            "            0x1000  allowed  00 01 02",
            "                    seen     00 02 02",
            "                                ^^",
        ];
        assert_eq!(byte_lines(&bytes), expected);
    }
}
