//! From files to traces: JSON by its first bytes, wire bytes by the folder they lie in.

use crate::files;
use crate::limits::TRACE_FILE_BYTES;
use crate::registry::Registry;
use crate::target::Dialect;
use crate::trace::{Header, JSON_PREFIX, TraceError, parse_header};
use memtwin_models::wire::MAX_WIRE_BYTES;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A trace from a file, ready to run.
pub struct Loaded {
    /// The file.
    pub path: PathBuf,
    /// The component's dialect.
    pub dialect: &'static dyn Dialect,
    /// What the header says; a plain one for wire bytes.
    pub header: Header,
    /// The canonical wire bytes.
    pub wire: Vec<u8>,
    /// Whether the file held JSON.
    pub is_json: bool,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Loaded").field("path", &self.path).field("header", &self.header).finish_non_exhaustive()
    }
}

/// Reads a trace file of either form. Memory is bounded by [`TRACE_FILE_BYTES`].
pub fn load(registry: &Registry, path: &Path) -> Result<Loaded, TraceError> {
    let unreadable = |source| TraceError::Read { path: path.to_owned(), source };
    let file = files::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(TRACE_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.is_empty() {
        return Err(TraceError::Empty { path: path.to_owned() });
    }
    if bytes.len() as u64 > TRACE_FILE_BYTES {
        return Err(TraceError::TooLarge { path: path.to_owned(), limit: TRACE_FILE_BYTES });
    }
    let (dialect, header, wire, is_json) = if bytes.starts_with(JSON_PREFIX) {
        let (dialect, header, wire) = from_json(registry, path, &bytes)?;
        (dialect, header, wire, true)
    } else {
        let Some(dialect) = path.parent().and_then(|folder| component_of(registry, folder)) else {
            return Err(TraceError::NotATrace { path: path.to_owned() });
        };
        let known_as_json = path.extension().is_some_and(|extension| extension == "jsonl" || extension == "json");
        if known_as_json {
            return Err(TraceError::NotATrace { path: path.to_owned() });
        }
        (dialect, Header::plain(), bytes, false)
    };
    if wire.len() > MAX_WIRE_BYTES {
        return Err(TraceError::TooLong { path: path.to_owned(), bytes: wire.len() });
    }
    Ok(Loaded { path: path.to_owned(), dialect, header, wire, is_json })
}

/// The component that a folder, or the nearest one above it, is named after: fuzzers put folders of their own below it.
pub(crate) fn component_of(registry: &Registry, folder: &Path) -> Option<&'static dyn Dialect> {
    // A folder may be given from within, as `.`.
    let folder = std::path::absolute(folder.join(".")).ok()?;
    let names = folder.ancestors().filter_map(Path::file_name).filter_map(|name| name.to_str());
    names.filter_map(|name| registry.dialect(name)).next()
}

/// Reads a JSON trace from bytes that begin with [`JSON_PREFIX`].
pub(crate) fn from_json(
    registry: &Registry,
    path: &Path,
    bytes: &[u8],
) -> Result<(&'static dyn Dialect, Header, Vec<u8>), TraceError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        TraceError::Line { path: path.to_owned(), line, message: "not UTF-8 text".to_owned() }
    })?;
    let header = parse_header(path, text)?;
    let Some(dialect) = registry.dialect(&header.component) else {
        let known = registry.dialects().map(crate::target::Dialect::name).collect::<Vec<_>>().join(", ");
        return Err(TraceError::Component { path: path.to_owned(), component: header.component, known });
    };
    let wire = dialect.parse(path, &header, text)?;
    Ok((dialect, header, wire))
}

/// The trace files that `path` stands for: itself, or the traces of a folder and of its folders, in the order of names.
pub fn find_traces(path: &Path) -> Result<Vec<PathBuf>, TraceError> {
    let unreadable = |path: &Path, source| TraceError::Read { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(|source| unreadable(path, source))?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|source| unreadable(&folder, source))? {
            let entry = entry.map_err(|source| unreadable(&folder, source))?;
            let kind = entry.file_type().map_err(|source| unreadable(&entry.path(), source))?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if kind.is_dir() && !hidden {
                folders.push(entry.path());
            } else if kind.is_file() && !hidden && entry.path().extension().is_none_or(|extension| extension != "md") {
                files.push(entry.path());
            }
        }
    }
    if files.is_empty() {
        return Err(TraceError::NoTrace { path: path.to_owned() });
    }
    files.sort();
    Ok(files)
}
