//! The step that has others judge the workflows: actionlint, which knows expressions and actions, or check-jsonschema,
//! which knows the form. What the workflows may do is a test, in ci/tests/workflows.rs.

use crate::room::Room;
use memtwin::drivers::command::{Run, Trouble};

/// The schemas that check-jsonschema brings along.
const SCHEMAS: [&str; 2] = ["vendor.github-workflows", "custom.github-workflows-require-timeout"];

pub(super) fn valid(room: &Room) -> Result<(), Trouble> {
    let workflows = room.workflows()?;
    let has_linter = Run::new(&room.root, "actionlint", ["-version"]).probe();
    if has_linter {
        Run::new(&room.root, "actionlint", &workflows).pass()?;
    }
    let has_schemas = Run::new(&room.root, "check-jsonschema", ["--version"]).probe();
    if has_schemas {
        for schema in SCHEMAS {
            Run::new(&room.root, "check-jsonschema", ["--builtin-schema", schema]).with(&workflows).pass()?;
        }
    }
    if has_linter || has_schemas {
        return Ok(());
    }
    let remedy = "pipx install check-jsonschema, or install actionlint".to_owned();
    Err(Trouble::Skipped { why: "neither actionlint nor check-jsonschema".to_owned(), remedy })
}
