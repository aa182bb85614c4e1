//! A story as lines for a terminal. Decides nothing about what is told, and escapes nothing: who prints does.

use super::story::{Came, End, Story};
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
    writeln!(text, "{}/{} runs {}", story.component, story.subject, story.trace)?;
    if let Some(shows) = &story.shows {
        writeln!(text, "  story    {shows}")?;
    }
    if let Some(defect) = &story.defect {
        writeln!(text, "  subject  {defect}")?;
    }
    writeln!(text, "  setup    {}\n", story.setup)?;
    write_steps(text, story)?;
    write_end(text, &story.end)?;
    if let Some(diagnosis) = &story.diagnosis {
        writeln!(text, "\nDiagnosis: {diagnosis}")?;
    }
    if let Some(signature) = &story.signature {
        writeln!(text, "\nSignature: {signature}")?;
    }
    writeln!(text, "Replay:    {}", story.replay)
}

fn write_steps(text: &mut String, story: &Story) -> std::fmt::Result {
    if 0 < story.earlier {
        writeln!(text, "  … {} earlier ops agreed", story.earlier)?;
    }
    for (index, step) in (story.earlier..).zip(&story.steps) {
        let mark = match step.came {
            Came::Agreed => "✓",
            Came::Diverged | Came::Died => "✗",
            Came::Moot => "?",
        };
        writeln!(text, "{mark} op {index:<4} {}", step.op)?;
        writeln!(text, "          {}", step.seen.as_deref().unwrap_or("no answer"))?;
    }
    if 0 < story.later {
        writeln!(text, "  … {} later ops did not run", story.later)?;
    }
    Ok(())
}

fn write_end(text: &mut String, end: &End) -> std::fmt::Result {
    match end {
        End::Agreed => writeln!(text, "\nThe subject agreed with the model at every step."),
        End::Moot { op, reason } => {
            writeln!(text, "\nFrom op {op} on the contract says nothing: {reason}. The rest is not judged.")
        }
        End::Unsupported { reason } => {
            writeln!(text, "\nThe subject cannot serve this setup: {reason}. Nothing was judged.")
        }
        End::Diverged { place, law, sentence, field, allowed, seen, scene, .. } => {
            writeln!(text, "\nDivergence {place}\n  law      {law}: {sentence}\n  field    {field}")?;
            if let Some(allowed) = allowed {
                writeln!(text, "  allowed  {allowed}")?;
            }
            writeln!(text, "  seen     {seen}")?;
            write_lines(text, "place", scene)
        }
        End::Died { place, words, allowed, address, said, frames, .. } => {
            writeln!(text, "\nFault {place}\n  fault    {words}")?;
            if let Some(allowed) = allowed {
                writeln!(text, "  allowed  {allowed}")?;
            }
            if let Some(address) = address {
                writeln!(text, "  address  {address}")?;
            }
            write_lines(text, "said", said)?;
            write_lines(text, "frames", frames)
        }
    }
}

/// The lines, the first beside its head.
fn write_lines(text: &mut String, head: &str, lines: &[String]) -> std::fmt::Result {
    for (index, line) in lines.iter().enumerate() {
        writeln!(text, "  {:<8} {line}", if index == 0 { head } else { "" })?;
    }
    Ok(())
}
