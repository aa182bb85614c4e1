//! Findings that earlier runs filed where a campaign is going to file its own, as they were before it began. Does not
//! run them.

use super::Plan;
use super::files::path_of;
use crate::finding::Signature;
use crate::registry::Registry;
use crate::target::Target;
use crate::trace_files::load;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The wire bytes of each file.
#[derive(Debug, Default)]
pub(super) struct FiledBefore(BTreeMap<PathBuf, Vec<u8>>);

impl FiledBefore {
    /// What lies in the folders of the plan's components. A file that cannot be read is no finding.
    pub(super) fn read(registry: &Registry, plan: &Plan) -> Self {
        let targets = plan.targets.iter().filter_map(|index| registry.get(*index));
        let mut folders: Vec<PathBuf> = targets.map(|target| plan.out.join(target.dialect().name())).collect();
        folders.sort();
        folders.dedup();
        let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        let paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
        let filed = paths.filter_map(|path| {
            let loaded = load(registry, &path).ok()?;
            loaded.header.expect.is_some().then_some((path, loaded.wire))
        });
        FiledBefore(filed.collect())
    }

    /// The trace in the file of this finding.
    pub(super) fn get(&self, plan: &Plan, target: &dyn Target, signature: &Signature) -> Option<&[u8]> {
        self.0.get(&path_of(&plan.out, target, &signature.file_stem())).map(Vec::as_slice)
    }
}
