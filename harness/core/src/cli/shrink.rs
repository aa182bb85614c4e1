//! `memtwin shrink`: a failing trace becomes as small as it gets, with the same signature.

use super::{Context, Exit, Failed, screen, select};
use crate::campaign::{Patience, shrink_wire};
use crate::files::write_atomically;
use crate::finding::{Cause, Ending, Signature};
use crate::isolate::Isolation;
use crate::lockstep::Audits;
use crate::trace::Header;
use crate::trace_files::{Loaded, load};
use clap::Args;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct Shrink {
    /// The trace file
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// The file to write
    #[arg(short, value_name = "FILE")]
    output: PathBuf,
    /// The subject it fails on, if the trace names none
    #[arg(long, value_name = "S")]
    subject: Option<String>,
}

/// A shrunk trace.
pub(super) struct Small {
    /// The JSON trace, with subject and expectation in its header.
    pub(super) text: String,
    pub(super) signature: Signature,
    pub(super) subject: &'static str,
    pub(super) ops: usize,
    pub(super) ops_before: usize,
}

impl Shrink {
    pub(super) fn traces(&self) -> &[PathBuf] {
        std::slice::from_ref(&self.trace)
    }

    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let loaded = load(context.registry, &self.trace)?;
        let Some(small) = shrink(context, &loaded, self.subject.as_deref())? else { return Ok(Exit::Interrupted) };
        write_atomically(&self.output, small.text.as_bytes())
            .map_err(|error| format!("cannot write {}: {error}", self.output.display()))?;
        let path = screen::path(&self.output);
        writeln!(std::io::stdout(), "{} ops became {}: {path} ({})", small.ops_before, small.ops, small.signature)?;
        Ok(Exit::Clean)
    }
}

/// Shrinks a trace on its subject, or on the first that it fails on; `None` when interrupted.
pub(super) fn shrink(context: &Context<'_>, loaded: &Loaded, subject: Option<&str>) -> Result<Option<Small>, Failed> {
    let registry = context.registry;
    let dialect = loaded.dialect;
    let candidates = match subject.or(loaded.header.subject.as_deref()) {
        Some(subject) => vec![select::target(registry, dialect.name(), subject)?],
        None => select::targets(registry, &[dialect.name().to_owned()], false)?,
    };
    let mut isolation = Isolation::start(Arc::clone(&context.interrupted))?;
    for index in candidates {
        let Some(target) = registry.get(index) else { continue };
        isolation.accept(&registry.accepted(index, &loaded.header));
        let Some(ending) = isolation.replay(index, &loaded.wire, Audits::Full)? else { return Ok(None) };
        let Ending::Failed(failure) = ending else { continue };
        let signature = dialect.signature(&loaded.wire, &failure);
        let class = match &failure.cause {
            Cause::Fault(fault) => Some(fault.class),
            Cause::Law { .. } => None,
        };
        let wire =
            shrink_wire(&mut isolation, index, target, &loaded.wire, &signature, Patience::with(class), Audits::Full)?;
        let header = Header {
            subject: Some(target.subject().to_owned()),
            library: target.origin().cloned(),
            expect: Some(signature.to_string()),
            ..loaded.header.clone()
        };
        return Ok(Some(Small {
            text: dialect.print(&wire, &header),
            signature,
            subject: target.subject(),
            ops: dialect.op_count(&wire),
            ops_before: dialect.op_count(&loaded.wire),
        }));
    }
    Err(format!("{} fails on no subject it applies to, so there is nothing to shrink", loaded.path.display()).into())
}
