//! The step that builds the fuzz targets as ClusterFuzzLite and OSS-Fuzz do: to fuzz, and to report coverage.

use crate::oss_fuzz::{Sanitizer, check};
use crate::room::Room;
use memtwin::drivers::command::Trouble;

pub(super) fn contract(room: &Room) -> Result<(), Trouble> {
    check(room, Sanitizer::Address)?;
    check(room, Sanitizer::Coverage)
}
