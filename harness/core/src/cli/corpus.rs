//! `memtwin corpus`: minimise, merge, check or migrate a folder of engines' inputs.

use super::{Context, Exit, Failed};
use crate::corpus::{self, Change, LeftAlone, Size, Trouble, Unjudged};
use crate::isolate::Isolation;
use crate::program::{self, as_argument};
use crate::text;
use crate::trace::TraceError;
use clap::{Args, Subcommand};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct Corpus {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Delete inputs that reach nothing which smaller ones do not reach; seeds and JSON traces stay
    Minimize {
        /// The folder: of one component, or a folder of such folders
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Rename what is kept to seed-…, which git does not ignore
        #[arg(long)]
        promote: bool,
        /// Say what would be deleted and renamed, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Add the inputs of one folder that reach something new to another
    Merge {
        /// The folder to take from
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The folder to add to
        #[arg(value_name = "INTO")]
        into: PathBuf,
        /// Say what would be written, and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Name the inputs that do not decode; runs nothing
    Check {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Rewrite the inputs that are not as this version writes them
    Migrate {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Say what would be rewritten, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

impl Corpus {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let registry = context.registry;
        let start = || Isolation::start(Arc::clone(&context.interrupted));
        let mut out = anstream::stdout();
        match &self.tool {
            Tool::Minimize { folder, promote, dry_run } => {
                let done = corpus::minimize(&mut start()?, registry, folder, *promote, change(*dry_run))?;
                let Some(done) = done else { return Ok(Exit::Interrupted) };
                if *dry_run {
                    done.deleted.iter().try_for_each(|path| named(&mut out, "would delete", path))?;
                }
                for (path, seed) in &done.promoted {
                    let text = if *dry_run {
                        format!("would promote {} to {}", path.display(), seed.display())
                    } else {
                        format!("promoted to {}", seed.display())
                    };
                    line(&mut out, &text)?;
                }
                let exit = troubles(&mut out, &done.troubles, done.unjudged)?;
                left_alone(&mut out, &done.left_alone)?;
                let (before, after) = (words(done.before), words(done.after));
                let became = if *dry_run { "would become" } else { "became" };
                writeln!(out, "{before} {became} {after}, which reach the same {} features", done.reached)?;
                Ok(exit)
            }
            Tool::Merge { folder, into, dry_run } => {
                let done = corpus::merge(&mut start()?, registry, folder, into, change(*dry_run))?;
                let Some(done) = done else { return Ok(Exit::Interrupted) };
                if *dry_run {
                    done.added.iter().try_for_each(|path| named(&mut out, "would write", path))?;
                }
                let exit = troubles(&mut out, &done.troubles, done.unjudged)?;
                left_alone(&mut out, &done.left_alone)?;
                let (added, looked_at) = (done.added.len(), done.looked_at);
                let were = if *dry_run { "would be" } else { "were" };
                let text = format!("{added} of {looked_at} files reach something new and {were} added to");
                line(&mut out, &format!("{text} {}", into.display()))?;
                Ok(exit)
            }
            Tool::Check { folder } => {
                let done = corpus::check(registry, folder)?;
                let exit = unreadable(&mut out, &done.unreadable)?;
                left_alone(&mut out, &done.left_alone)?;
                writeln!(out, "{} files decode, {} do not", done.decoded, done.unreadable.len())?;
                Ok(exit)
            }
            Tool::Migrate { folder, dry_run } => {
                let done = corpus::migrate(registry, folder, change(*dry_run))?;
                let rewritten = if *dry_run { "would rewrite" } else { "rewritten" };
                done.rewritten.iter().try_for_each(|path| named(&mut out, rewritten, path))?;
                let exit = unreadable(&mut out, &done.unreadable)?;
                left_alone(&mut out, &done.left_alone)?;
                let were = if *dry_run { "would be" } else { "were" };
                writeln!(out, "{} of {} files {were} rewritten", done.rewritten.len(), done.decoded)?;
                Ok(exit)
            }
        }
    }
}

fn change(is_dry_run: bool) -> Change {
    if is_dry_run { Change::Nothing } else { Change::Files }
}

fn named(out: &mut impl io::Write, what: &str, path: &Path) -> io::Result<()> {
    line(out, &format!("{what} {}", path.display()))
}

fn left_alone(out: &mut impl io::Write, left: &LeftAlone) -> io::Result<()> {
    let Some(example) = &left.example else { return Ok(()) };
    let (count, files) = (left.files, if left.files == 1 { "file" } else { "files" });
    line(out, &format!("left alone: {count} {files} that no engine wrote for certain, such as {}", example.display()))
}

fn words(size: Size) -> String {
    format!("{} file{} of {} bytes", size.files, if size.files == 1 { "" } else { "s" }, size.bytes)
}

fn troubles(out: &mut impl io::Write, troubles: &[Trouble], unjudged: Unjudged) -> io::Result<Exit> {
    for trouble in troubles {
        match trouble {
            Trouble::Unreadable(error) => line(out, &format!("does not decode, kept: {error}"))?,
            Trouble::Failed { path, target, signature } => {
                line(out, &format!("{target} fails, kept: {}: {signature}", path.display()))?;
                line(out, &format!("    {} accept {}", program::called(), as_argument(&path.to_string_lossy())))?;
            }
            Trouble::NotJudged { path, target, why } => {
                line(out, &format!("not judged on {target}, kept: {}: {why}", path.display()))?;
            }
        }
    }
    let Unjudged { ran, files } = unjudged;
    if unjudged.is_too_much() {
        writeln!(out, "not enough: no sound subject judges {files} of {ran} files; at most half of them may be so")?;
    }
    let is_clean = troubles.is_empty() && !unjudged.is_too_much();
    Ok(if is_clean { Exit::Clean } else { Exit::Finding })
}

fn unreadable(out: &mut impl io::Write, errors: &[TraceError]) -> io::Result<Exit> {
    errors.iter().try_for_each(|error| line(out, &format!("does not decode: {error}")))?;
    Ok(if errors.is_empty() { Exit::Clean } else { Exit::Finding })
}

/// One line, whatever a file or its name holds.
fn line(out: &mut impl io::Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", text::line(text))
}
