//! Explaining: one trace is run again, slowly, and told for a person: each op in the component's words, the law, what was
//! allowed, what was seen, the place, and what is probably wrong. Never part of the hot loop.

mod narrator;
pub mod story;

pub use narrator::Narrator;
pub(crate) use narrator::narrate;

use crate::finding::{Cause, Ending, Failure, Signature, Step};
use crate::isolate::{Isolation, IsolationError};
use crate::registry::Registry;
use crate::trace::Loaded;
use memtwin_models::Health;
use narrator::Told;
use std::fmt::Write as _;

/// Steps before the failure that are shown; earlier ones are counted.
const SHOWN_STEPS: usize = 24;
/// Frames of a fault that are shown.
const SHOWN_FRAMES: usize = 8;

/// The story of one trace on one subject.
#[derive(Debug)]
pub struct Explanation {
    /// The story, in lines for a terminal.
    pub text: String,
    /// How it ended.
    pub ending: Ending,
    /// The signature, if it failed.
    pub signature: Option<Signature>,
}

/// Runs the trace on the target at `index` of the registry and tells its story; `None` when interrupted.
pub fn explain(
    isolation: &mut Isolation,
    registry: &Registry,
    index: usize,
    loaded: &Loaded,
) -> Result<Option<Explanation>, IsolationError> {
    let Some(target) = registry.get(index) else { return Ok(None) };
    let dialect = loaded.dialect;
    let Some((output, ended)) = isolation.narrate(index, &loaded.wire)? else { return Ok(None) };
    let told: Vec<Told> =
        output.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let ending = true_ending(&told, ended);
    let (setup, ops) = dialect.words(&loaded.wire);

    let mut text = format!("{} runs {}\n", target.name(), loaded.path.display());
    let subject_story = match target.health() {
        Health::Sound => None,
        Health::Broken { story, .. } => Some(story),
    };
    if let Some(story) = loaded.header.story.as_deref().filter(|story| Some(*story) != subject_story) {
        let _ = writeln!(text, "  story    {story}");
    }
    if let Some(story) = subject_story {
        let _ = writeln!(text, "  subject  {story}");
    }
    let _ = writeln!(text, "  setup    {setup}\n");
    write_steps(&mut text, &ops, &told, &ending);

    let mut signature = None;
    match &ending {
        Ending::Agreed => text.push_str("\nThe subject agreed with the model at every step.\n"),
        Ending::Moot { op, reason } => {
            let _ = writeln!(text, "\nFrom op {op} on the contract says nothing: {reason}. The rest is not judged.");
        }
        Ending::Unsupported(reason) => {
            let _ = writeln!(text, "\nThe subject cannot serve this setup: {reason}. Nothing was judged.");
        }
        Ending::Failed(failure) => {
            let found = dialect.signature(&loaded.wire, failure);
            write_failure(&mut text, isolation, dialect.laws(), &told, failure)?;
            if let Some(diagnosis) = dialect.diagnose(&loaded.wire, failure) {
                let _ = writeln!(text, "\nDiagnosis: {diagnosis}");
            }
            let _ = writeln!(text, "\nSignature: {found}");
            signature = Some(found);
        }
    }
    let name = target.subject();
    let _ = writeln!(text, "Replay:    memtwin replay {} --subject {name}", loaded.path.display());
    Ok(Some(Explanation { text, ending, signature }))
}

/// What the narrator told last outranks a quiet end of the worker.
fn true_ending(told: &[Told], ended: Ending) -> Ending {
    let ops = told.iter().filter(|told| matches!(told, Told::Allowed { .. })).count();
    let op = u32::try_from(ops.saturating_sub(1)).unwrap_or(u32::MAX);
    match (ended, told.last()) {
        (Ending::Agreed, Some(Told::Diverged { words, law, field, place, .. })) => {
            let step = if words.starts_with("the state") { Step::Audit } else { Step::Op(op) };
            let cause = Cause::Law { law: law.clone(), field: field.clone(), place: *place };
            Ending::Failed(Failure { step, cause })
        }
        (Ending::Agreed, Some(Told::Moot { reason, .. })) => Ending::Moot { op, reason: reason.clone() },
        (Ending::Agreed, Some(Told::Unsupported { reason })) => Ending::Unsupported(reason.clone()),
        (ended, _) => ended,
    }
}

fn write_steps(text: &mut String, ops: &[String], told: &[Told], ending: &Ending) {
    let seen: Vec<&str> = told
        .iter()
        .filter_map(|told| match told {
            Told::Agreed { words } | Told::Diverged { words, .. } | Told::Moot { words, .. } => Some(words.as_str()),
            Told::Allowed { .. } | Told::Unsupported { .. } | Told::Audited => None,
        })
        .collect();
    let last = match ending {
        Ending::Failed(Failure { step: Step::Op(index), .. }) | Ending::Moot { op: index, .. } => *index as usize + 1,
        Ending::Failed(Failure { step: Step::Construct, .. }) | Ending::Unsupported(_) => 0,
        Ending::Failed(_) | Ending::Agreed => ops.len(),
    }
    .min(ops.len());
    let first = last.saturating_sub(SHOWN_STEPS);
    if 0 < first {
        let _ = writeln!(text, "  … {first} earlier ops agreed");
    }
    for (index, op) in ops.iter().enumerate().take(last).skip(first) {
        let mark = if index + 1 == last && matches!(ending, Ending::Failed(Failure { step: Step::Op(_), .. })) {
            "✗"
        } else {
            "✓"
        };
        let _ = writeln!(text, "{mark} op {index:<4} {op}");
        let _ = writeln!(text, "          {}", seen.get(index).copied().unwrap_or("no answer"));
    }
    if last < ops.len() {
        let _ = writeln!(text, "  … {} later ops did not run", ops.len() - last);
    }
}

fn write_failure(
    text: &mut String,
    isolation: &mut Isolation,
    laws: &[memtwin_models::Law],
    told: &[Told],
    failure: &Failure,
) -> Result<(), IsolationError> {
    let place = match failure.step {
        Step::Construct => "while the subject was built".to_owned(),
        Step::Op(index) => format!("at op {index}"),
        Step::Audit => "at the audit after the last op".to_owned(),
        Step::Teardown => "while the subject was torn down".to_owned(),
    };
    let allowed = told.iter().rev().find_map(|told| match told {
        Told::Allowed { words } => Some(words.as_str()),
        Told::Agreed { .. } | Told::Diverged { .. } | Told::Moot { .. } | Told::Unsupported { .. } | Told::Audited => {
            None
        }
    });
    match &failure.cause {
        Cause::Law { law, field, .. } => {
            let sentence = laws.iter().find(|known| known.name == law).map_or("", |known| known.sentence);
            let _ = writeln!(text, "\nDivergence {place}\n  law      {law}: {sentence}\n  field    {field}");
            if let (Some(allowed), Step::Op(_)) = (allowed, failure.step) {
                let _ = writeln!(text, "  allowed  {allowed}");
            }
            if let Some(Told::Diverged { words, scene, .. }) = told.last() {
                let _ = writeln!(text, "  seen     {words}");
                for (index, line) in scene.iter().enumerate() {
                    let _ = writeln!(text, "  {:<8} {line}", if index == 0 { "place" } else { "" });
                }
            }
        }
        Cause::Fault(fault) => {
            let _ = writeln!(text, "\nFault {place}\n  fault    {}", fault.class.words());
            if let (Some(allowed), Step::Op(_)) = (allowed, failure.step) {
                let _ = writeln!(text, "  allowed  {allowed}");
            }
            if let Some(address) = fault.address {
                let _ = writeln!(text, "  address  {address:#x}");
            }
            for (index, line) in fault.message.lines().take(4).enumerate() {
                let _ = writeln!(text, "  {:<8} {line}", if index == 0 { "said" } else { "" });
            }
            let frames = isolation.symbolise(&fault.frames)?;
            for (index, frame) in telling_frames(&frames).enumerate() {
                let _ = writeln!(text, "  {:<8} {frame}", if index == 0 { "frames" } else { "" });
            }
        }
    }
    Ok(())
}

/// The frames of the subject: without the fault handler and the panic machinery inside, without the harness outside, and
/// without the standard library between.
fn telling_frames(frames: &[String]) -> impl Iterator<Item = String> + '_ {
    const OUTSIDE: [&str; 3] = ["/src/lockstep.rs:", "/src/explain/narrator.rs:", "/src/isolate/worker.rs:"];
    const HANDLER: &str = "/src/isolate/fault.rs:";
    const STANDARD_LIBRARY: &str = "/rustc/";
    let from = frames.iter().rposition(|frame| frame.contains(HANDLER)).map_or(0, |index| index + 1);
    // A panic's hook lies in the worker's file, between the handler and the panic.
    let hook = frames.get(from).is_some_and(|frame| frame.contains(OUTSIDE[2]));
    let subject = frames.iter().skip(from + usize::from(hook));
    let subject = subject.take_while(|frame| !OUTSIDE.iter().any(|file| frame.contains(file)));
    subject.filter(|frame| !frame.contains(STANDARD_LIBRARY)).take(SHOWN_FRAMES).map(|frame| readable(frame))
}

/// `function at file:line`, without type parameters and without what lies above the working directory.
fn readable(frame: &str) -> String {
    let Some((name, place)) = frame.split_once(" at ") else { return frame.to_owned() };
    let name = if name.starts_with('<') { name } else { name.split('<').next().unwrap_or(name) };
    let here = std::env::current_dir().unwrap_or_default();
    let place = place.strip_prefix(&format!("{}/", here.display())).unwrap_or(place);
    format!("{name} at {place}")
}
