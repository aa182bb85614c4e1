//! The nightly toolchain: pinned in one file, so that all machines build with the same. Where it is missing, the
//! nightly that is installed serves. It installs nothing.

use crate::room::Room;
use memtwin::drivers::command::{Run, Trouble};

/// Where the name of the pinned toolchain stands, below the root.
const PIN: &str = "ci/nightly-toolchain";

/// The nightly to use: the pinned one, or else the one that is called `nightly`.
pub(crate) fn nightly(room: &Room) -> Result<String, Trouble> {
    let pin = std::fs::read_to_string(room.root.join(PIN))?;
    let pin = pin.trim();
    let found = [pin, "nightly"].into_iter().find(|name| Run::cargo_of(&room.root, name, ["--version"]).probe());
    found.map(str::to_owned).ok_or_else(|| Trouble::Skipped {
        why: "no nightly Rust".to_owned(),
        remedy: format!("rustup toolchain install {pin} --profile minimal"),
    })
}
