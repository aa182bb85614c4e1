//! What is done to a corpus between campaigns: minimised, merged, checked and rewritten. It searches for nothing new.

use super::cover::{Cover, Footprint};
use super::inputs::{Inputs, LeftAlone};
use super::{CorpusError, SEED_PREFIX, refuse_link, short_hash};
use crate::files::{holds, write_atomically};
use crate::isolate::Isolation;
use crate::registry::Registry;
use crate::target::Dialect;
use crate::trace::TraceError;
use crate::trace_files::{Loaded, component_of};
use crate::vacuity;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Whether files are changed, or only named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Change {
    Files,
    Nothing,
}

/// What is wrong with one file. It stays where it is, and the work goes on.
#[derive(Debug)]
pub enum Trouble {
    /// It does not decode.
    Unreadable(TraceError),
    /// A sound subject fails on it.
    Failed {
        /// The file.
        path: PathBuf,
        /// The subject, as `component/subject`.
        target: String,
        /// How it fails.
        signature: String,
    },
    /// It was not judged on a sound subject.
    NotJudged {
        /// The file.
        path: PathBuf,
        /// The subject, as `component/subject`.
        target: String,
        /// Why.
        why: String,
    },
}

/// What became of a corpus.
#[derive(Debug, Default)]
pub struct Minimized {
    /// Files and bytes before.
    pub before: Size,
    /// Files and bytes after, those in trouble included.
    pub after: Size,
    /// Pairs of a subject and a feature in a class of magnitude that the corpus reaches.
    pub reached: usize,
    /// Files that became seeds, each with its new name.
    pub promoted: Vec<(PathBuf, PathBuf)>,
    /// The files that went.
    pub deleted: Vec<PathBuf>,
    /// Files that were kept without being run to their end.
    pub troubles: Vec<Trouble>,
    /// How many of the files that ran no sound subject judges. What none serves is kept.
    pub unjudged: Unjudged,
    /// What was not looked at.
    pub left_alone: LeftAlone,
}

/// What was taken over from another corpus.
#[derive(Debug, Default)]
pub struct Merged {
    /// The files looked at.
    pub looked_at: usize,
    /// The files written.
    pub added: Vec<PathBuf>,
    /// Files of either side that could not be used.
    pub troubles: Vec<Trouble>,
    /// How many of the files that ran no sound subject judges.
    pub unjudged: Unjudged,
    /// What was not looked at on either side.
    pub left_alone: LeftAlone,
}

/// What a look at a corpus showed.
#[derive(Debug, Default)]
pub struct Checked {
    /// How many files decode.
    pub decoded: usize,
    /// Those that do not.
    pub unreadable: Vec<TraceError>,
    /// What was not looked at.
    pub left_alone: LeftAlone,
}

/// What migrating did.
#[derive(Debug, Default)]
pub struct Migrated {
    /// How many files decode.
    pub decoded: usize,
    /// Those that were rewritten.
    pub rewritten: Vec<PathBuf>,
    /// Those that do not decode.
    pub unreadable: Vec<TraceError>,
    /// What was not looked at.
    pub left_alone: LeftAlone,
}

/// How many files ran, and how many of them no sound subject judges, because it does not serve them, or because most of
/// their ops are moot or skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Unjudged {
    pub ran: usize,
    pub files: usize,
}

/// A number of files, and of bytes in their wire form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Size {
    pub files: usize,
    pub bytes: usize,
}

/// Says which inputs decode. Runs nothing. A folder without any is an error, because nothing was checked.
pub fn check(registry: &Registry, folder: &Path) -> Result<Checked, CorpusError> {
    let Inputs { decoded, unreadable, left_alone } = Inputs::read(registry, folder)?;
    if decoded.is_empty() && unreadable.is_empty() {
        return Err(CorpusError::Nothing { folder: folder.to_owned() });
    }
    Ok(Checked { decoded: decoded.len(), unreadable, left_alone })
}

/// Rewrites the inputs that are not as this version writes them, in the form that they have. Idempotent.
pub fn migrate(registry: &Registry, folder: &Path, change: Change) -> Result<Migrated, CorpusError> {
    let Inputs { decoded, unreadable, left_alone } = Inputs::of_corpus(registry, folder)?;
    let mut migrated = Migrated { decoded: decoded.len(), unreadable, left_alone, ..Migrated::default() };
    for input in decoded {
        let canonical = if input.is_json {
            input.dialect.print(&input.wire, &input.header).into_bytes()
        } else {
            input.dialect.canonical(&input.wire)
        };
        if !holds(&input.path, &canonical) {
            if change == Change::Files {
                write(&input.path, &canonical)?;
            }
            migrated.rewritten.push(input.path);
        }
    }
    Ok(migrated)
}

/// Deletes what reaches nothing that smaller files do not reach; with `promote`, what is left and is no seed becomes
/// one. Idempotent. `None` when interrupted: then nothing was deleted.
pub fn minimize(
    isolation: &mut Isolation,
    registry: &Registry,
    folder: &Path,
    promote: bool,
    change: Change,
) -> Result<Option<Minimized>, CorpusError> {
    let Inputs { decoded, unreadable, left_alone } = Inputs::of_corpus(registry, folder)?;
    let mut minimized = Minimized {
        before: size(&decoded),
        troubles: unreadable.into_iter().map(Trouble::Unreadable).collect(),
        left_alone,
        ..Minimized::default()
    };
    let mut promotions = Vec::new();
    for (dialect, mut inputs) in by_component(decoded) {
        // What a person chose stays whatever it reaches, so it comes first; of the rest the smallest.
        inputs.sort_by_key(|input| (!is_chosen(input), input.wire.len(), input.path.clone()));
        let mut cover = Cover::new(registry, dialect)?;
        let Some(footprints) = cover.survey(isolation, &inputs)? else { return Ok(None) };
        let mut kept = Vec::new();
        for (input, footprint) in inputs.into_iter().zip(footprints) {
            footprint.iter().for_each(|footprint| minimized.unjudged.add(footprint));
            match footprint {
                Ok(footprint) if footprint.is_of_nobody() => minimized.after.add(&input),
                Ok(footprint) if is_chosen(&input) || cover.is_new(&footprint) => {
                    cover.add(&footprint);
                    kept.push((input, footprint));
                }
                Ok(_) => minimized.deleted.push(input.path),
                Err(trouble) => {
                    minimized.after.add(&input);
                    minimized.troubles.push(trouble);
                }
            }
        }
        // Some were new when they came, and later ones made them spare; the largest of those go first. Then each that
        // is left reaches something that no other does, so a second minimising finds nothing to do.
        for (input, footprint) in kept.into_iter().rev() {
            if !is_chosen(&input) && cover.is_spare(&footprint) {
                cover.remove(&footprint);
                minimized.deleted.push(input.path);
                continue;
            }
            minimized.after.add(&input);
            if promote && !is_chosen(&input) {
                let seed = input.path.with_file_name(format!("{SEED_PREFIX}{}", short_hash(&input.wire)));
                promotions.push((input, seed));
            }
        }
        minimized.reached += cover.reached();
    }
    for (input, seed) in promotions {
        if change == Change::Files {
            // The seed is whole before the file that it was is deleted.
            write_new(&seed, &input.wire)?;
            delete(&input.path)?;
        }
        minimized.promoted.push((input.path, seed));
    }
    if change == Change::Files {
        minimized.deleted.iter().try_for_each(|path| delete(path))?;
    }
    Ok(Some(minimized))
}

/// Adds what reaches something that `into` does not reach, smaller files first. `None` when interrupted: then nothing
/// was written.
pub fn merge(
    isolation: &mut Isolation,
    registry: &Registry,
    from: &Path,
    into: &Path,
    change: Change,
) -> Result<Option<Merged>, CorpusError> {
    let inputs = Inputs::of_corpus(registry, from)?;
    let known = if into.exists() { Inputs::of_corpus(registry, into)? } else { Inputs::default() };
    let unreadable = inputs.unreadable.into_iter().chain(known.unreadable);
    let mut merged = Merged {
        looked_at: inputs.decoded.len(),
        troubles: unreadable.map(Trouble::Unreadable).collect(),
        left_alone: inputs.left_alone.and(known.left_alone),
        ..Merged::default()
    };
    let only = component_of(registry, into);
    let mut known = by_component(known.decoded);
    let mut new = Vec::new();
    for (dialect, mut inputs) in by_component(inputs.decoded) {
        let component = dialect.name();
        if let Some(stranger) = inputs.first().filter(|_| only.is_some_and(|only| only.name() != component)) {
            return Err(CorpusError::WrongFolder { path: stranger.path.clone(), component, into: into.to_owned() });
        }
        let folder = if only.is_some() { into.to_owned() } else { into.join(component) };
        let position = known.iter().position(|(dialect, _)| dialect.name() == component);
        let known = position.map_or_else(Vec::new, |position| known.swap_remove(position).1);
        inputs.sort_by_key(|input| (input.wire.len(), input.path.clone()));
        let mut cover = Cover::new(registry, dialect)?;
        for (inputs, is_addition) in [(known, false), (inputs, true)] {
            let Some(footprints) = cover.survey(isolation, &inputs)? else { return Ok(None) };
            for (input, footprint) in inputs.into_iter().zip(footprints) {
                footprint.iter().for_each(|footprint| merged.unjudged.add(footprint));
                match footprint {
                    Ok(footprint) if cover.is_new(&footprint) => {
                        cover.add(&footprint);
                        if is_addition {
                            new.push((folder.join(short_hash(&input.wire)), input.wire));
                        }
                    }
                    Ok(_) => {}
                    Err(trouble) => merged.troubles.push(trouble),
                }
            }
        }
    }
    for (path, wire) in new {
        if change == Change::Files {
            write_new(&path, &wire)?;
        }
        merged.added.push(path);
    }
    Ok(Some(merged))
}

fn by_component(inputs: Vec<Loaded>) -> Vec<(&'static dyn Dialect, Vec<Loaded>)> {
    let mut components: BTreeMap<&str, (&'static dyn Dialect, Vec<Loaded>)> = BTreeMap::new();
    for input in inputs {
        components.entry(input.dialect.name()).or_insert_with(|| (input.dialect, Vec::new())).1.push(input);
    }
    components.into_values().collect()
}

fn is_chosen(input: &Loaded) -> bool {
    let name = input.path.file_name().and_then(|name| name.to_str());
    input.is_json || name.is_some_and(|name| name.starts_with(SEED_PREFIX))
}

fn size(inputs: &[Loaded]) -> Size {
    let mut size = Size::default();
    inputs.iter().for_each(|input| size.add(input));
    size
}

impl Unjudged {
    fn add(&mut self, footprint: &Footprint) {
        self.ran += 1;
        self.files += usize::from(!footprint.is_judged);
    }

    /// Whether what was seen of the corpus says too little.
    #[must_use]
    pub fn is_too_much(self) -> bool {
        vacuity::is_most(self.files as u64, self.ran as u64)
    }
}

impl Size {
    fn add(&mut self, input: &Loaded) {
        self.files += 1;
        self.bytes += input.wire.len();
    }
}

/// Writes a file that is named after what it holds.
fn write_new(path: &Path, wire: &[u8]) -> Result<(), CorpusError> {
    if holds(path, wire) {
        return Ok(());
    }
    refuse_link(path)?;
    if path.exists() { Err(CorpusError::Taken { path: path.to_owned() }) } else { write(path, wire) }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CorpusError> {
    refuse_link(path)?;
    write_atomically(path, bytes).map_err(|source| CorpusError::Write { path: path.to_owned(), source })
}

fn delete(path: &Path) -> Result<(), CorpusError> {
    match std::fs::remove_file(path) {
        // A fuzzer that works on the same folder may have been quicker.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CorpusError::Delete { path: path.to_owned(), source: error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
