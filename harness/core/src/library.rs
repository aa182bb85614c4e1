//! Shared libraries that become subjects at run time: what the command line or a trace names is looked at, never run,
//! and described to the component that it is for. It is loaded in workers alone.

use crate::program::as_argument;
use memtwin_models::Origin;
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{Object as _, ObjectSymbol as _};
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The environment variable by which a program tells its zygotes which libraries it was given.
const VARIABLE: &str = "MEMTWIN_LIBRARIES";
/// The largest library that is looked at, in bytes.
const LARGEST_BYTES: u64 = 1 << 30;
/// A C library of its own has this symbol.
const START: &str = "__libc_start_main";

/// A library as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Where it lies.
    pub path: PathBuf,
    /// What the names of its functions begin with.
    pub prefix: String,
    /// What it promises: the names of freedoms, separated by commas, as its component reads them.
    pub contract: String,
}

/// A library that was looked at.
#[derive(Debug)]
pub struct Found {
    /// As it was asked for.
    pub request: Request,
    /// What a trace says of it.
    pub origin: Origin,
    /// The names of the dynamic symbols that it defines.
    pub symbols: Vec<String>,
}

impl Request {
    /// `PATH` or `PATH:PREFIX`.
    #[must_use]
    pub fn parse(text: &str, contract: &str) -> Self {
        let (path, prefix) = match text.rsplit_once(':') {
            Some((path, prefix)) if !prefix.contains('/') && !Path::new(text).exists() => (path, prefix),
            Some(_) | None => (text, ""),
        };
        Request { path: path.into(), prefix: prefix.to_owned(), contract: contract.to_owned() }
    }

    /// Looks at the library.
    ///
    /// # Errors
    /// In words that name it, when it cannot be a subject.
    pub fn find(&self) -> Result<Found, String> {
        let path = self.path.canonicalize().map_err(|error| format!("cannot read {}: {error}", self.path.display()))?;
        let unfit = |why: &str| format!("{} {why}", self.path.display());
        let file = crate::files::open(&path).map_err(|error| unfit(&format!("cannot be read: {error}")))?;
        let mut bytes = Vec::new();
        let read = file.take(LARGEST_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| unfit(&format!("cannot be read: {error}")))?;
        if LARGEST_BYTES < bytes.len() as u64 {
            return Err(unfit("is larger than 1 GiB"));
        }
        let no_library = || unfit("is no shared library for this machine (ELF, x86-64)");
        let elf = ElfFile64::<object::LittleEndian>::parse(&*bytes).map_err(|_| no_library())?;
        let header = elf.elf_header();
        if header.e_machine(object::LittleEndian) != object::elf::EM_X86_64
            || header.e_type(object::LittleEndian) != object::elf::ET_DYN
        {
            return Err(no_library());
        }
        let defined = elf.dynamic_symbols().filter(object::ObjectSymbol::is_definition);
        let symbols: Vec<String> = defined.filter_map(|symbol| symbol.name().ok().map(str::to_owned)).collect();
        if symbols.iter().any(|symbol| symbol == START) && !is_own_libc(&path) {
            return Err(unfit(
                "is a C library of its own: a process has one, so it cannot be loaded beside the host's",
            ));
        }
        let build_id = elf.build_id().ok().flatten().map(crate::text::digits);
        // The link that a person names is the library's name; the file behind it may have a longer one.
        let file = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let origin = Origin { file, build_id, prefix: self.prefix.clone(), contract: self.contract.clone() };
        Ok(Found { request: Request { path, ..self.clone() }, origin, symbols })
    }
}

/// Whether it is the C library that this process runs on.
fn is_own_libc(path: &Path) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().any(|line| line.split_whitespace().nth(5).is_some_and(|mapped| Path::new(mapped) == path))
}

/// Where a library of this name is looked for that a trace names: where the loader looks, too (man 8 ld.so).
fn places(file: &str) -> Vec<PathBuf> {
    let own = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let usual =
        ["/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib"];
    let folders = std::env::split_paths(&own).chain(usual.iter().map(PathBuf::from));
    folders.filter(|folder| !folder.as_os_str().is_empty()).map(|folder| folder.join(file)).collect()
}

/// The library that a trace names, by its name and build id.
///
/// # Errors
/// In words, when there is none.
pub fn of_trace(origin: &Origin) -> Result<Request, String> {
    let request = |path: PathBuf| Request { path, prefix: origin.prefix.clone(), contract: origin.contract.clone() };
    let name = Path::new(&origin.file);
    if name.file_name() != Some(name.as_os_str()) {
        return Err(format!("{:?} is no name of a library: a trace names the file, not where it lies", origin.file));
    }
    let mut others = None;
    for path in places(&origin.file).into_iter().filter(|path| path.is_file()) {
        let request = request(path);
        let Ok(found) = request.find() else { continue };
        if found.origin.build_id == origin.build_id {
            return Ok(request);
        }
        others = found.origin.build_id.or(others);
    }
    let wanted = origin.build_id.as_deref().unwrap_or("none");
    Err(match others {
        Some(other) => format!(
            "{} is here with build id {other}, and the trace is of the one with build id {wanted}: name it with \
             --library",
            origin.file
        ),
        None => format!("{} (build id {wanted}) is not where libraries lie: name it with --library", origin.file),
    })
}

/// The libraries of this process, for its zygotes.
static GIVEN: Mutex<Vec<Given>> = Mutex::new(Vec::new());

/// A library of this process.
#[derive(Debug)]
struct Given {
    /// The name of its file, as traces have it.
    file: String,
    request: Request,
}

/// What a zygote finds in its environment: the variable and its value, where libraries were given. The second variable
/// makes room for libraries that want thread-local memory at start (jemalloc).
pub(crate) fn environment() -> Vec<(&'static str, String)> {
    let given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    if given.is_empty() {
        return Vec::new();
    }
    let requests: Vec<&Request> = given.iter().map(|given| &given.request).collect();
    let text = serde_json::to_string(&requests).unwrap_or_default();
    vec![(VARIABLE, text), ("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=65536".to_owned())]
}

/// Where the libraries of this process lie.
pub(crate) fn paths() -> Vec<PathBuf> {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|given| given.request.path.clone()).collect()
}

/// The libraries that a zygote's environment names.
pub(crate) fn of_environment() -> Vec<Request> {
    std::env::var(VARIABLE).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Zygotes are told of this library from now on.
pub(crate) fn tell_zygotes(found: &Found) {
    let given = Given { file: found.origin.file.clone(), request: found.request.clone() };
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner).push(given);
}

/// The options by which another command has this subject, too: with a space before them; nothing where the program has
/// it.
#[must_use]
pub fn options(origin: Option<&Origin>) -> String {
    let given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = |given: &&Given| {
        origin.is_some_and(|origin| origin.file == given.file && origin.prefix == given.request.prefix)
    };
    let Some(Given { request: Request { path, prefix, contract }, .. }) = given.iter().find(is_it) else {
        return String::new();
    };
    let colon = if prefix.is_empty() { "" } else { ":" };
    let mut options = format!(" --library {}", as_argument(&format!("{}{colon}{prefix}", path.display())));
    if !contract.is_empty() {
        options.push_str(&format!(" --contract {}", as_argument(contract)));
    }
    options
}
