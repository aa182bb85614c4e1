//! The options that make subjects of shared libraries, on every verb.

use crate::files;
use crate::library::{self, Request};
use crate::limits::HEADER_BYTES;
use crate::registry::Registry;
use crate::trace::JSON_PREFIX;
use crate::trace_files::find_traces;
use clap::Args;
use memtwin_models::Origin;
use serde::Deserialize;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Whether there is a subject of this library's name.
fn knows(registry: &Registry, origin: &Origin) -> bool {
    let names = registry.libraries().iter().filter_map(|index| registry.get(*index)?.origin());
    { names }.any(|known| known.file == origin.file)
}

/// The library that a JSON trace names in its header.
fn library_of(path: &Path) -> Option<Origin> {
    #[derive(Deserialize)]
    struct Named {
        library: Option<Origin>,
    }
    let mut start = Vec::new();
    files::open(path).ok()?.take(HEADER_BYTES as u64).read_to_end(&mut start).ok()?;
    let header = start.starts_with(JSON_PREFIX).then(|| start.split(|byte| *byte == b'\n').next())??;
    serde_json::from_slice::<Named>(header).ok()?.library
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Libraries")]
pub(super) struct Libraries {
    /// Make a subject of a shared library, and mean it alone: a malloc library, e.g.
    /// /usr/lib/x86_64-linux-gnu/libjemalloc.so.2, or one with a table of memtwin.h
    #[arg(long = "library", value_name = "PATH[:PREFIX]", global = true)]
    paths: Vec<String>,
    /// What the libraries promise: of malloc c (where nothing is said), posix-2024 or strict, and freedoms such as
    /// errno_unset or kept_bytes=4096
    #[arg(long, value_name = "LIST", global = true, requires = "paths")]
    contract: Option<String>,
    /// The most threads of a library's traces, 1 to 4
    #[arg(long, value_name = "N", global = true, requires = "paths", value_parser = clap::value_parser!(u8).range(1..=4))]
    threads: Option<u8>,
}

impl Libraries {
    /// The registry with a subject for each library that is named here, and for each that one of these traces is of.
    pub(super) fn added_to(&self, registry: &Registry, traces: &[PathBuf]) -> Result<Registry, String> {
        let mut contract = self.contract.clone().unwrap_or_default();
        if let Some(threads) = self.threads {
            contract.push_str(&format!(",most_threads={threads}"));
        }
        let requests = self.paths.iter().map(|path| Request::parse(path, &contract));
        let named = { requests }.try_fold(registry.clone(), |registry, request| registry.with_library(&request))?;
        // What cannot be read is for the verb to tell.
        let files = traces.iter().flat_map(|path| find_traces(path).unwrap_or_default());
        { files }.try_fold(named, |registry, file| match library_of(&file) {
            Some(origin) if !knows(&registry, &origin) => {
                let request = library::of_trace(&origin).map_err(|why| format!("{}: {why}", file.display()))?;
                registry.with_library(&request)
            }
            Some(_) | None => Ok(registry),
        })
    }
}
