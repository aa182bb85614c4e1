//! Explaining: one trace is run again, slowly, and told for a person: each op in the component's words, the law, what
//! was allowed, what was seen, the place, and what is probably wrong. Never part of the hot loop.

mod bound;
mod frames;
pub mod story;
pub mod terminal;

pub use bound::MOST_STORY_BYTES;

use crate::finding::{Cause, Ending, Failure, Step};
use crate::isolate::{Isolation, IsolationError};
use crate::library;
use crate::lockstep::{Audits, ByteDifference, Told};
use crate::program::{self, as_argument};
use crate::registry::Registry;
use crate::target::{Dialect, Target};
use crate::trace::Header;
use crate::trace_files::Loaded;
use memtwin_models::Health;
use memtwin_models::picture::Picture;
use story::{Came, End, Story, ToldStep};

/// The most steps of a story: the last ones matter, earlier ones are counted.
const TOLD_STEPS: usize = 48;
/// The most records of a narrator: two a step, and the place. They come from memory that a subject may have written
/// over.
const MOST_RECORDS: usize = 2 * TOLD_STEPS + 1;
/// The largest record of a narrator, in bytes.
const MOST_RECORD_BYTES: usize = 1 << 20;

/// A trace that is to be told, in a file or not.
#[derive(Clone, Copy)]
pub struct Telling<'a> {
    /// The component's dialect.
    pub dialect: &'static dyn Dialect,
    /// The wire bytes.
    pub wire: &'a [u8],
    /// What the header says.
    pub header: &'a Header,
    /// The trace's file, as the story calls it.
    pub name: &'a str,
}

impl std::fmt::Debug for Telling<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Telling")
            .field("name", &self.name)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// Runs a trace from a file on the target at `index` of the registry and tells its story; `None` when interrupted.
pub fn tell(
    isolation: &mut Isolation,
    registry: &Registry,
    index: usize,
    loaded: &Loaded,
) -> Result<Option<Story>, IsolationError> {
    let name = loaded.path.to_string_lossy();
    let telling = Telling { dialect: loaded.dialect, wire: &loaded.wire, header: &loaded.header, name: &name };
    tell_trace(isolation, registry, index, &telling)
}

/// Runs a trace on the target at `index` of the registry and tells its story; `None` when interrupted.
pub fn tell_trace(
    isolation: &mut Isolation,
    registry: &Registry,
    index: usize,
    telling: &Telling<'_>,
) -> Result<Option<Story>, IsolationError> {
    let Telling { dialect, wire, header, name } = *telling;
    let Some(target) = registry.get(index) else { return Ok(None) };
    let ops = dialect.op_count(wire);
    isolation.accept(&registry.accepted(index, header));
    let Some(first) = first_told(isolation, index, wire, ops)? else { return Ok(None) };
    let Some((output, ending)) = isolation.narrate(index, wire, first)? else { return Ok(None) };
    let records = output.split(|&byte| byte == b'\n').filter(|record| record.len() <= MOST_RECORD_BYTES);
    let told: Vec<Told> = records.filter_map(|record| serde_json::from_slice(record).ok()).take(MOST_RECORDS).collect();
    let (setup, words) = dialect.words(wire, first..(first + TOLD_STEPS).min(ops));

    let defect = match target.health() {
        Health::Sound => None,
        Health::Broken { story, .. } => Some(story.to_owned()),
    };
    let shows = header.story.clone().filter(|story| defect.as_ref() != Some(story));
    let (steps, told_place) = steps(&words, told, came(&ending));
    let failure = match &ending {
        Ending::Failed(failure) => Some(failure),
        Ending::Agreed | Ending::Moot { .. } | Ending::Unsupported(_) => None,
    };
    let mut story = Story {
        component: dialect.name().to_owned(),
        subject: target.subject().to_owned(),
        defect,
        shows,
        trace: name.to_owned(),
        setup,
        earlier: first,
        later: ops - first - steps.len(),
        diagnosis: failure.and_then(|failure| dialect.diagnose(wire, failure)),
        signature: failure.map(|failure| dialect.signature(wire, failure).as_str().to_owned()),
        replay: format!(
            "{} replay {} --subject {}{}",
            program::called(),
            as_argument(name),
            as_argument(&target.name()),
            library::options(target.origin())
        ),
        end: end(isolation, target, &ending, &steps, told_place)?,
        steps,
    };
    bound::keep_small(&mut story);
    Ok(Some(story))
}

/// The first op of the story; `None` when interrupted. Only the last ops of a long trace are told, and which one is the
/// last is known after a run.
fn first_told(
    isolation: &mut Isolation,
    index: usize,
    wire: &[u8],
    ops: usize,
) -> Result<Option<usize>, IsolationError> {
    if ops <= TOLD_STEPS {
        return Ok(Some(0));
    }
    let Some(ending) = isolation.replay(index, wire, Audits::Full)? else { return Ok(None) };
    let run = match ending {
        Ending::Moot { op, .. } | Ending::Failed(Failure { step: Step::Op(op), .. }) => (op as usize + 1).min(ops),
        Ending::Unsupported(_) | Ending::Failed(Failure { step: Step::Construct, .. }) => 0,
        Ending::Agreed | Ending::Failed(_) => ops,
    };
    Ok(Some(run.saturating_sub(TOLD_STEPS)))
}

/// What came of the last told step.
fn came(ending: &Ending) -> Came {
    match ending {
        Ending::Failed(Failure { step: Step::Op(_), cause: Cause::Law { .. } }) => Came::Diverged,
        Ending::Failed(Failure { step: Step::Op(_), cause: Cause::Fault(_) }) => Came::Died,
        Ending::Moot { .. } => Came::Moot,
        Ending::Failed(_) | Ending::Agreed | Ending::Unsupported(_) => Came::Agreed,
    }
}

/// What was told of the place of a divergence.
#[derive(Debug, Default)]
struct ToldPlace {
    state: Option<String>,
    scene: Vec<String>,
    bytes: Option<ByteDifference>,
    picture: Option<Picture>,
}

/// The told steps of these ops, and the place.
fn steps(ops: &[String], told: Vec<Told>, came: Came) -> (Vec<ToldStep>, ToldPlace) {
    let mut steps: Vec<ToldStep> = Vec::new();
    let mut place = ToldPlace::default();
    for told in told {
        match told {
            Told::Before { allowed, picture } => {
                let Some(op) = ops.get(steps.len()).cloned() else { break };
                steps.push(ToldStep { op, allowed, seen: None, came: Came::Agreed, picture: Some(picture) });
            }
            Told::Seen { words } => {
                if let Some(step) = steps.last_mut() {
                    step.seen = Some(words);
                }
            }
            Told::Known => {
                if let Some(step) = steps.last_mut() {
                    step.came = Came::Known;
                }
            }
            Told::Place { state, scene, bytes, picture } => place = ToldPlace { state, scene, bytes, picture },
        }
    }
    if let Some(step) = steps.last_mut().filter(|step| step.came != Came::Known) {
        step.came = came;
    }
    (steps, place)
}

fn end(
    isolation: &mut Isolation,
    target: &dyn Target,
    ending: &Ending,
    steps: &[ToldStep],
    told: ToldPlace,
) -> Result<End, IsolationError> {
    let failure = match ending {
        Ending::Agreed => return Ok(End::Agreed),
        Ending::Moot { op, reason } => return Ok(End::Moot { op: *op, reason: reason.clone() }),
        Ending::Unsupported(reason) => return Ok(End::Unsupported { reason: reason.clone() }),
        Ending::Failed(failure) => failure.believed(target.dialect().laws()),
    };
    let place = match failure.step {
        Step::Construct => "while the subject was built".to_owned(),
        Step::Op(index) => format!("at op {index}"),
        Step::Audit => "at the audit after the last op".to_owned(),
        Step::Teardown => "while the subject was torn down".to_owned(),
    };
    let last = steps.last().filter(|_| matches!(failure.step, Step::Op(_)));
    let allowed = last.map(|step| step.allowed.clone());
    Ok(match &failure.cause {
        Cause::Law { law, field, .. } => End::Diverged {
            place,
            law: law.clone(),
            sentence: target
                .dialect()
                .laws()
                .iter()
                .find(|known| known.name == law)
                .map_or("", |law| law.sentence)
                .to_owned(),
            field: field.clone(),
            allowed,
            seen: last.and_then(|step| step.seen.clone()).or(told.state).unwrap_or_default(),
            scene: told.scene,
            bytes: told.bytes,
            picture: told.picture,
        },
        Cause::Fault(fault) => End::Died {
            place,
            class: fault.class.name().to_owned(),
            words: fault.class.words().to_owned(),
            allowed,
            address: fault.address.map(|address| format!("{address:#x}")),
            said: fault.message.lines().take(4).map(str::to_owned).collect(),
            frames: frames::telling(&isolation.symbolise(&fault.frames)?),
        },
    })
}
