//! `memtwin new`: a crate that puts a subject of one's own to the test, written from the templates in `new/`. It is
//! whole or not there. Does not build it, and asks no network.

use super::screen::{self, Screen};
use super::{Exit, Failed};
use clap::{Args, ValueEnum};
use memtwin_core::files::write_atomically;
use memtwin_core::program::as_argument;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest name of a crate, as for crates.io, in bytes.
const LONGEST_NAME_BYTES: usize = 64;
/// Names that cargo or the compiler takes for something else.
const TAKEN: &str = "abstract alloc as async await become box break build const continue core crate deps do dyn else \
                     enum examples extern false final fn for gen if impl in incremental let libfuzzer_sys loop macro \
                     match memtwin mod move mut override priv proc_macro pub ref return self static std struct super \
                     test trait true try type typeof unsafe unsized use virtual where while yield";

#[derive(Debug, Args)]
pub(super) struct New {
    #[arg(value_name = "COMPONENT", help = format!("The component of the subject: {}", components()))]
    component: String,
    /// The folder, which is not there yet or empty. Its name is the crate's
    path: PathBuf,
    /// Of heap: an arena over memory that it is given, or a `GlobalAlloc`. Without it an arena
    #[arg(long)]
    heap: Option<Kind>,
    /// Where the crate takes memtwin from. Without it, the sources of this program if they are there, else its
    /// repository
    #[arg(long, value_name = "path=DIR|git=URL|VERSION", value_parser = Source::parse)]
    memtwin: Option<Source>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Raw,
    Global,
}

/// What there is to begin with.
struct Template {
    component: &'static str,
    /// Of a component with several; the first one is taken where none is asked for.
    kind: Option<Kind>,
    /// `src/lib.rs`.
    library: &'static str,
}

const TEMPLATES: [Template; 3] = [
    Template { component: "guest_memory", kind: None, library: include_str!("new/guest_memory.rs") },
    Template { component: "heap", kind: Some(Kind::Raw), library: include_str!("new/heap_raw.rs") },
    Template { component: "heap", kind: Some(Kind::Global), library: include_str!("new/heap_global.rs") },
];

/// The components with a template, for a person.
fn components() -> String {
    let mut names: Vec<_> = TEMPLATES.iter().map(|template| template.component).collect();
    names.dedup();
    names.join(", ")
}

impl Template {
    fn find(component: &str, kind: Option<Kind>) -> Result<&'static Template, String> {
        let mut of_component = TEMPLATES.iter().filter(|template| template.component == component).peekable();
        if of_component.peek().is_none() {
            return Err(format!("{component} has no template; components with one: {}", components()));
        }
        let is_asked_for = |template: &&Template| kind.is_none() || template.kind == kind;
        of_component.find(is_asked_for).ok_or_else(|| format!("--heap is for heap, not for {component}"))
    }

    /// The files of a crate by their paths, with `{{…}}` where something is filled in.
    fn files(&self) -> [(String, &'static str); 11] {
        [
            ("Cargo.toml".into(), include_str!("new/package.toml")),
            ("src/lib.rs".into(), self.library),
            ("src/main.rs".into(), include_str!("new/main.rs")),
            ("tests/campaign.rs".into(), include_str!("new/campaign.rs")),
            ("fuzz/Cargo.toml".into(), include_str!("new/fuzz_package.toml")),
            (format!("fuzz/fuzz_targets/{}.rs", self.component), include_str!("new/fuzz_target.rs")),
            ("fuzz/afl/Cargo.toml".into(), include_str!("new/afl_package.toml")),
            (format!("fuzz/afl/src/bin/{}.rs", self.component), include_str!("new/afl_target.rs")),
            (".github/workflows/ci.yml".into(), include_str!("new/workflow.yml")),
            (".gitignore".into(), include_str!("new/gitignore")),
            ("README.md".into(), include_str!("new/readme.md")),
        ]
    }
}

/// Where a crate takes memtwin from.
#[derive(Debug, Clone)]
enum Source {
    Path(PathBuf),
    Git { url: String, version: Option<String> },
    Version(String),
}

impl Source {
    fn parse(text: &str) -> Result<Self, String> {
        let of_version = |character: char| character.is_ascii_alphanumeric() || ".+-*=^~<>, ".contains(character);
        match text.split_once('=') {
            Some(("path", folder)) if !folder.is_empty() => Ok(Source::Path(folder.into())),
            Some(("git", url)) if !url.is_empty() => Ok(Source::Git { url: url.to_owned(), version: None }),
            _ if text.contains(|character: char| character.is_ascii_digit())
                && !text.starts_with(|character: char| character.is_ascii_alphabetic())
                && text.chars().all(of_version) =>
            {
                Ok(Source::Version(text.to_owned()))
            }
            _ => Err("it is path=DIR, git=URL or a version, such as 0.1".to_owned()),
        }
    }

    /// The sources that this program was built from, or the place where they come from.
    fn of_this_program() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        if own.join("Cargo.toml").is_file() {
            return Source::Path(own.to_owned());
        }
        let version = Some(env!("CARGO_PKG_VERSION").to_owned());
        Source::Git { url: env!("CARGO_PKG_REPOSITORY").to_owned(), version }
    }

    /// As keys of a dependency.
    fn keys(&self) -> Result<String, String> {
        match self {
            Source::Path(folder) => {
                let manifest = folder.join("Cargo.toml");
                let text = fs::read_to_string(&manifest)
                    .map_err(|error| format!("--memtwin: cannot read {}: {error}", screen::path(&manifest)))?;
                if !text.lines().any(|line| line.trim_end() == "name = \"memtwin\"") {
                    let folder = screen::path(folder);
                    return Err(format!(
                        "--memtwin: {folder} is not the crate memtwin, which is the repository's harness/"
                    ));
                }
                let folder = fs::canonicalize(folder)
                    .map_err(|error| format!("--memtwin: cannot resolve {}: {error}", screen::path(folder)))?;
                let text = folder.to_str().ok_or("--memtwin: a manifest can hold no path that is not UTF-8")?;
                Ok(format!("path = {}", quoted(text)?))
            }
            Source::Git { url, version: None } => Ok(format!("git = {}", quoted(url)?)),
            Source::Git { url, version: Some(version) } => {
                Ok(format!("git = {}, version = {}", quoted(url)?, quoted(version)?))
            }
            Source::Version(version) => Ok(format!("version = {}", quoted(version)?)),
        }
    }
}

/// A text as a string of TOML.
fn quoted(text: &str) -> Result<String, String> {
    if text.contains(char::is_control) {
        return Err("--memtwin: a manifest can hold no control characters".to_owned());
    }
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

impl New {
    pub(super) fn run(&self) -> Result<Exit, Failed> {
        let template = Template::find(&self.component, self.heap)?;
        let name = name_of(&self.path)?;
        let memtwin = self.memtwin.clone().unwrap_or_else(Source::of_this_program);
        let keys = memtwin.keys()?;
        // What a user wrote comes last: no placeholder in it is one.
        let values = [
            ("{{crate}}", name.replace('-', "_")),
            ("{{name}}", name.to_owned()),
            ("{{component}}", template.component.to_owned()),
            ("{{repository}}", env!("CARGO_PKG_REPOSITORY").to_owned()),
            ("{{memtwin}}", keys),
        ];
        let fill = |text: &str| values.iter().fold(text.to_owned(), |text, (key, value)| text.replace(key, value));
        let files = template.files().map(|(path, text)| (path, fill(text)));
        write(&self.path, name, &files)?;
        self.tell(&memtwin)
    }

    /// What to do next.
    fn tell(&self, memtwin: &Source) -> Result<Exit, Failed> {
        let screen = Screen::new(false);
        screen.line(&format!(
            "Wrote {}. It works as it stands; src/lib.rs says where your code goes. Next:\n",
            screen::path(&self.path)
        ))?;
        screen.line(&format!("  cd {}", as_argument(&screen::path(&self.path))))?;
        screen.line(
            "  cargo run --release                        # catches the broken subject, then runs the sound one",
        )?;
        screen.line("  cargo test                                 # a short campaign")?;
        screen.line("  cargo run --release -- fuzz --time 5m      # looks for bugs in the sound one")?;
        screen
            .line("  cargo run --release -F nightly -- nightly --time 1h # every fuzzing engine that is installed")?;
        if let Source::Path(_) = memtwin {
            screen.line(
                "\nIts Cargo.toml takes memtwin by its path on this machine; README.md says what to write for others.",
            )?;
        }
        Ok(Exit::Clean)
    }
}

/// The name of the crate in this folder.
fn name_of(path: &Path) -> Result<&str, String> {
    let shown = screen::path(path);
    let name = path.file_name().ok_or_else(|| format!("{shown} names no folder that a crate could be called after"))?;
    let name = name.to_str().unwrap_or_default();
    let begins = name.starts_with(|character: char| character.is_ascii_alphabetic());
    if !begins || name.contains(|character: char| !character.is_ascii_alphanumeric() && !"-_".contains(character)) {
        return Err(format!("{shown}: a crate's name is letters, digits, - and _, and begins with a letter"));
    }
    if LONGEST_NAME_BYTES < name.len() {
        return Err(format!("{shown}: a crate's name has at most {LONGEST_NAME_BYTES} characters"));
    }
    let word = name.replace('-', "_").to_ascii_lowercase();
    if TAKEN.split(' ').any(|taken| taken == word) {
        return Err(format!("{shown}: no crate can be called {name}, which means something else; choose another name"));
    }
    Ok(name)
}

/// Writes the files to a folder beside the one that is asked for, and renames it when all are there.
fn write(path: &Path, name: &str, files: &[(String, String)]) -> Result<(), String> {
    let shown = screen::path(path);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Err(format!("cannot write {shown}: {} is no folder; make it first", screen::path(parent)));
    }
    // Without the slash that it may end with, behind which a link would be followed.
    let path = parent.join(name);
    match fs::symlink_metadata(&path) {
        Ok(there) if there.is_dir() => {
            let mut entries = fs::read_dir(&path).map_err(|error| format!("cannot look into {shown}: {error}"))?;
            if entries.next().is_some() {
                return Err(format!("{shown} is not empty: name a folder that is not there yet"));
            }
            // Replaced, it would be gone below the feet of who called.
            if fs::canonicalize(&path).ok().is_some_and(|path| std::env::current_dir().is_ok_and(|here| here == path)) {
                return Err(format!("{shown} is where you are: call it from the folder above"));
            }
        }
        Ok(_) => return Err(format!("{shown} is there already, and is no folder: name one that is not there yet")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("cannot look for {shown}: {error}")),
    }
    let unfinished = parent.join(format!(".{name}.memtwin-{}", std::process::id()));
    fs::create_dir(&unfinished).map_err(|error| format!("cannot make {}: {error}", screen::path(&unfinished)))?;
    let written = files.iter().try_for_each(|(file, text)| {
        write_atomically(&unfinished.join(file), text.as_bytes())
            .map_err(|error| format!("cannot write {file} of {shown}: {error}"))
    });
    // A folder that got something meanwhile is not replaced: the kernel refuses.
    let renamed = written.and_then(|()| {
        fs::rename(&unfinished, &path).map_err(|error| format!("cannot rename a folder to {shown}: {error}"))
    });
    if renamed.is_err() {
        let _ = fs::remove_dir_all(&unfinished);
    }
    renamed
}
