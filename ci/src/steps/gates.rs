//! The step that has every other step fail: see `gates`.

use crate::gates::Gates;
use crate::room::Room;
use memtwin::drivers::command::Trouble;

pub(super) fn gates(room: &Room) -> Result<(), Trouble> {
    let missed = Gates { only: Vec::new() }.missed(room)?;
    if missed.is_empty() { Ok(()) } else { Err(Trouble::Failed(format!("missed: {}", missed.join("; ")))) }
}
