//! The options that make subjects of shared libraries, on every verb.

use crate::library::Request;
use crate::registry::Registry;
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Libraries")]
pub(super) struct Libraries {
    /// Make a subject of a malloc library, e.g. /usr/lib/x86_64-linux-gnu/libjemalloc.so.2, and mean it alone
    #[arg(long = "library", value_name = "PATH[:PREFIX]", global = true)]
    paths: Vec<String>,
    /// What the libraries promise: c, posix-2024 or strict, and freedoms such as errno_unset or kept_bytes=4096
    #[arg(
        long,
        value_name = "LIST",
        global = true,
        requires = "paths",
        default_value = "c",
        hide_default_value = false
    )]
    contract: String,
    /// The most threads of a library's traces, 1 to 4
    #[arg(long, value_name = "N", global = true, requires = "paths", value_parser = clap::value_parser!(u8).range(1..=4))]
    threads: Option<u8>,
}

impl Libraries {
    /// The registry with a subject for each library.
    pub(super) fn added_to(&self, registry: &Registry) -> Result<Registry, String> {
        let mut contract = self.contract.clone();
        if let Some(threads) = self.threads {
            contract.push_str(&format!(",most_threads={threads}"));
        }
        let requests = self.paths.iter().map(|path| Request::parse(path, &contract));
        { requests }.try_fold(registry.clone(), |registry, request| registry.with_library(&request))
    }
}
