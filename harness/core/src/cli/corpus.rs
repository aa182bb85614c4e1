//! `memtwin corpus`: minimise, merge, check or migrate a folder of engines' inputs.

use super::screen::printable;
use super::{Context, Exit, Failed};
use crate::corpus::{self, Size, Trouble};
use crate::isolate::Isolation;
use crate::trace::TraceError;
use clap::{Args, Subcommand};
use std::io::{self, Write as _};
use std::path::PathBuf;
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
    },
    /// Add the inputs of one folder that reach something new to another
    Merge {
        /// The folder to take from
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The folder to add to
        #[arg(value_name = "INTO")]
        into: PathBuf,
    },
    /// Name the files that do not decode; runs nothing
    Check {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Rewrite the files that are not as this version writes them
    Migrate {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

impl Corpus {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let registry = context.registry;
        let start = || Isolation::start(Arc::clone(&context.interrupted));
        let mut out = anstream::stdout();
        match &self.tool {
            Tool::Minimize { folder, promote } => {
                let Some(done) = corpus::minimize(&mut start()?, registry, folder, *promote)? else {
                    return Ok(Exit::Interrupted);
                };
                for path in &done.promoted {
                    writeln!(out, "promoted to {}", path.display())?;
                }
                let exit = troubles(&mut out, &done.troubles)?;
                let (before, after) = (words(done.before), words(done.after));
                writeln!(out, "{before} became {after}, which reach the same {} features", done.reached)?;
                Ok(exit)
            }
            Tool::Merge { folder, into } => {
                let Some(done) = corpus::merge(&mut start()?, registry, folder, into)? else {
                    return Ok(Exit::Interrupted);
                };
                let exit = troubles(&mut out, &done.troubles)?;
                let (added, looked_at) = (done.added.len(), done.looked_at);
                writeln!(out, "{added} of {looked_at} files reach something new and were added to {}", into.display())?;
                Ok(exit)
            }
            Tool::Check { folder } => {
                let done = corpus::check(registry, folder)?;
                let exit = unreadable(&mut out, &done.unreadable)?;
                writeln!(out, "{} files decode, {} do not", done.decoded, done.unreadable.len())?;
                Ok(exit)
            }
            Tool::Migrate { folder } => {
                let done = corpus::migrate(registry, folder)?;
                for path in &done.rewritten {
                    writeln!(out, "rewritten {}", path.display())?;
                }
                let exit = unreadable(&mut out, &done.unreadable)?;
                writeln!(out, "{} of {} files were rewritten", done.rewritten.len(), done.decoded)?;
                Ok(exit)
            }
        }
    }
}

fn words(size: Size) -> String {
    format!("{} file{} of {} bytes", size.files, if size.files == 1 { "" } else { "s" }, size.bytes)
}

fn troubles(out: &mut impl io::Write, troubles: &[Trouble]) -> io::Result<Exit> {
    for trouble in troubles {
        match trouble {
            Trouble::Unreadable(error) => line(out, &format!("does not decode, kept: {error}"))?,
            Trouble::Failed { path, target, signature } => {
                line(out, &format!("{target} fails, kept: {}: {signature}", path.display()))?;
                line(out, &format!("    memtwin accept {}", path.display()))?;
            }
            Trouble::NotJudged { path, target, why } => {
                line(out, &format!("not judged on {target}, kept: {}: {why}", path.display()))?;
            }
        }
    }
    Ok(if troubles.is_empty() { Exit::Clean } else { Exit::Finding })
}

fn unreadable(out: &mut impl io::Write, errors: &[TraceError]) -> io::Result<Exit> {
    errors.iter().try_for_each(|error| line(out, &format!("does not decode: {error}")))?;
    Ok(if errors.is_empty() { Exit::Clean } else { Exit::Finding })
}

/// One line, whatever a file or its name holds.
fn line(out: &mut impl io::Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", printable(text).replace('\n', "\\n"))
}
