//! A corpus: a folder of traces that engines start from, for one component (its name, or that of the nearest folder above,
//! says which) or a folder of such folders. Here they are minimised, merged, checked and rewritten. Committed seeds and JSON
//! traces are never deleted: a person chose them.

mod carry;
mod cover;

use crate::files::{write_atomically, write_unsynced};
use crate::isolate::{Isolation, IsolationError};
use crate::registry::Registry;
use crate::target::Dialect;
use crate::trace::TraceError;
use crate::trace_files::{Loaded, component_of, find_traces, load};
pub(crate) use carry::carry_chosen;
use cover::Cover;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// How the files are named that git keeps.
const SEED_PREFIX: &str = "seed-";

/// Why a corpus tool could not do its work.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CorpusError {
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    #[error("{path} is no folder; corpus tools work on folders")]
    NotAFolder { path: PathBuf },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot delete {path}: {source}")]
    Delete { path: PathBuf, source: io::Error },
    #[error("{path} is there already and holds another trace; move it away")]
    Taken { path: PathBuf },
    #[error("{component} has no sound subject here, so nothing says what a trace is worth")]
    NoSubject { component: &'static str },
    #[error("{path} is a trace of {component}, which does not belong into {into}")]
    WrongFolder { path: PathBuf, component: &'static str, into: PathBuf },
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
    /// Files that became seeds, by their new names.
    pub promoted: Vec<PathBuf>,
    /// Files that were kept without being run to their end.
    pub troubles: Vec<Trouble>,
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
}

/// What a look at a corpus showed.
#[derive(Debug, Default)]
pub struct Checked {
    /// How many files decode.
    pub decoded: usize,
    /// Those that do not.
    pub unreadable: Vec<TraceError>,
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
}

/// A number of files, and of bytes in their wire form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Size {
    pub files: usize,
    pub bytes: usize,
}

/// Says which files decode. Runs nothing.
pub fn check(registry: &Registry, folder: &Path) -> Result<Checked, CorpusError> {
    let (inputs, unreadable) = read(registry, folder)?;
    Ok(Checked { decoded: inputs.len(), unreadable })
}

/// Rewrites the files that are not as this version writes them, in the form that they have. Idempotent.
pub fn migrate(registry: &Registry, folder: &Path) -> Result<Migrated, CorpusError> {
    let (inputs, unreadable) = read(registry, folder)?;
    let mut migrated = Migrated { decoded: inputs.len(), unreadable, ..Migrated::default() };
    for input in inputs {
        let canonical = if input.is_json {
            input.dialect.print(&input.wire, &input.header).into_bytes()
        } else {
            input.dialect.canonical(&input.wire)
        };
        let unreadable = |source| TraceError::Read { path: input.path.clone(), source };
        if std::fs::read(&input.path).map_err(unreadable)? != canonical {
            write(&input.path, &canonical)?;
            migrated.rewritten.push(input.path);
        }
    }
    Ok(migrated)
}

/// Deletes what reaches nothing that smaller files do not reach; with `promote`, what is left and is no seed becomes one.
/// Idempotent. `None` when interrupted: then nothing was deleted.
pub fn minimize(
    isolation: &mut Isolation,
    registry: &Registry,
    folder: &Path,
    promote: bool,
) -> Result<Option<Minimized>, CorpusError> {
    let (inputs, unreadable) = read(registry, folder)?;
    let mut minimized = Minimized {
        before: size(&inputs),
        troubles: unreadable.into_iter().map(Trouble::Unreadable).collect(),
        ..Minimized::default()
    };
    let (mut useless, mut promotions) = (Vec::new(), Vec::new());
    for (dialect, mut inputs) in by_component(inputs) {
        // What a person chose stays whatever it reaches, so it comes first; of the rest the smallest.
        inputs.sort_by_key(|input| (!is_chosen(input), input.wire.len(), input.path.clone()));
        let mut cover = Cover::new(registry, dialect)?;
        let Some(footprints) = cover.survey(isolation, &inputs)? else { return Ok(None) };
        let mut kept = Vec::new();
        for (input, footprint) in inputs.into_iter().zip(footprints) {
            match footprint {
                Ok(footprint) if is_chosen(&input) || cover.is_new(&footprint) => {
                    cover.add(&footprint);
                    kept.push((input, footprint));
                }
                Ok(_) => useless.push(input.path),
                Err(trouble) => {
                    minimized.after.add(&input);
                    minimized.troubles.push(trouble);
                }
            }
        }
        // Some were new when they came, and later ones made them spare; the largest of those go first. Then each that is left
        // reaches something that no other does, so a second minimising finds nothing to do.
        for (input, footprint) in kept.into_iter().rev() {
            if !is_chosen(&input) && cover.is_spare(&footprint) {
                cover.remove(&footprint);
                useless.push(input.path);
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
        // The seed is whole before the file that it was is deleted.
        write_new(&seed, &input.wire)?;
        delete(&input.path)?;
        minimized.promoted.push(seed);
    }
    useless.iter().try_for_each(|path| delete(path))?;
    Ok(Some(minimized))
}

/// Adds what reaches something that `into` does not reach, smaller files first. `None` when interrupted: then nothing was
/// written.
pub fn merge(
    isolation: &mut Isolation,
    registry: &Registry,
    from: &Path,
    into: &Path,
) -> Result<Option<Merged>, CorpusError> {
    let (inputs, unreadable) = read(registry, from)?;
    let (known, also_unreadable) = if into.exists() { read(registry, into)? } else { Default::default() };
    let unreadable = unreadable.into_iter().chain(also_unreadable);
    let mut merged = Merged {
        looked_at: inputs.len(),
        troubles: unreadable.map(Trouble::Unreadable).collect(),
        ..Merged::default()
    };
    let only = component_of(registry, into);
    let mut known = by_component(known);
    let mut new = Vec::new();
    for (dialect, mut inputs) in by_component(inputs) {
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
        write_new(&path, &wire)?;
        merged.added.push(path);
    }
    Ok(Some(merged))
}

/// The wire bytes of the inputs of a component's folder that decode.
pub(crate) fn wires(registry: &Registry, folder: &Path) -> Result<Vec<Vec<u8>>, CorpusError> {
    Ok(read(registry, folder)?.0.into_iter().map(|input| input.wire).collect())
}

/// Adds an input to a component's folder, under a name made of what it holds: whole, or not at all.
pub(crate) fn add(folder: &Path, wire: &[u8]) -> Result<(), CorpusError> {
    let path = folder.join(short_hash(wire));
    // A power cut may have left a part of it.
    if std::fs::read(&path).is_ok_and(|bytes| bytes == wire) {
        return Ok(());
    }
    write_unsynced(&path, wire).map_err(|source| CorpusError::Write { path, source })
}

/// The traces of a folder in canonical wire form, and what does not decode.
fn read(registry: &Registry, folder: &Path) -> Result<(Vec<Loaded>, Vec<TraceError>), CorpusError> {
    if folder.is_file() {
        return Err(CorpusError::NotAFolder { path: folder.to_owned() });
    }
    let files = match find_traces(folder) {
        Err(TraceError::NoTrace { .. }) => Vec::new(),
        files => files?,
    };
    let (mut inputs, mut unreadable) = (Vec::new(), Vec::new());
    for file in files {
        match load(registry, &file) {
            Ok(input) => inputs.push(input),
            Err(error) => unreadable.push(error),
        }
    }
    Ok((inputs, unreadable))
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

/// Sixteen hexadecimal digits of FNV-1a: enough to tell the files of one corpus apart.
fn short_hash(wire: &[u8]) -> String {
    let hash = wire
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

fn size(inputs: &[Loaded]) -> Size {
    let mut size = Size::default();
    inputs.iter().for_each(|input| size.add(input));
    size
}

impl Size {
    fn add(&mut self, input: &Loaded) {
        self.files += 1;
        self.bytes += input.wire.len();
    }
}

/// Writes a file that is named after what it holds.
fn write_new(path: &Path, wire: &[u8]) -> Result<(), CorpusError> {
    match std::fs::read(path) {
        Ok(bytes) if bytes == wire => Ok(()),
        Ok(_) => Err(CorpusError::Taken { path: path.to_owned() }),
        Err(_) => write(path, wire),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CorpusError> {
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
