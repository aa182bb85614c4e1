//! The steps that attack the program: the short form at every change, all of it in the full lane.

use crate::attack::Attack;
use crate::room::Room;
use memtwin::drivers::command::Trouble;

pub(super) fn short(room: &Room) -> Result<(), Trouble> {
    attack(room, false)
}

pub(super) fn long(room: &Room) -> Result<(), Trouble> {
    attack(room, true)
}

fn attack(room: &Room, long: bool) -> Result<(), Trouble> {
    match Attack::of_ci(long).failures(room)? {
        0 => Ok(()),
        failed => Err(Trouble::Failed(format!("{failed} attacks succeeded; each has a line above"))),
    }
}
