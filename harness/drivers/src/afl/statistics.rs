//! What an AFL++ instance says of itself in its file `fuzzer_stats`.

use crate::command::Trouble;
use std::str::FromStr;

/// The numbers that say whether an instance did its work.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Statistics {
    pub inputs: u64,
    pub inputs_per_second: f64,
    /// How many of the edges were hit alike whenever it ran an input again.
    pub stability_percent: f64,
    /// Inputs kept because they reach something new: its own, and those taken over from other instances.
    pub found: u64,
    pub imported: u64,
    pub crashes: u64,
}

impl Statistics {
    pub(super) fn parse(text: &str) -> Result<Self, Trouble> {
        Ok(Statistics {
            inputs: value(text, "execs_done")?,
            inputs_per_second: value(text, "execs_per_sec")?,
            stability_percent: value(text, "stability")?,
            found: value(text, "corpus_found")?,
            imported: value(text, "corpus_imported")?,
            crashes: value(text, "saved_crashes")?,
        })
    }
}

fn value<T: FromStr>(text: &str, field: &str) -> Result<T, Trouble> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    let mut values =
        fields.filter(|(name, _)| name.trim() == field).map(|(_, value)| value.trim().trim_end_matches('%'));
    let value = values.next().and_then(|value| value.parse().ok());
    value.ok_or_else(|| Trouble::Failed(format!("AFL++ says nothing about its {field}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_names_and_must_be_there() {
        let text = "\
execs_done        : 1200
execs_per_sec     : 59.94
execs_ps_last_min : 61.00
corpus_found      : 7
corpus_imported   : 3
stability         : 99.50%
saved_crashes     : 0
target_mode       : persistent shmem_testcase
";
        let expected = Statistics {
            inputs: 1200,
            inputs_per_second: 59.94,
            stability_percent: 99.5,
            found: 7,
            imported: 3,
            crashes: 0,
        };
        assert_eq!(Statistics::parse(text), Ok(expected));
        assert!(Statistics::parse(&text.replace("stability", "steadiness")).is_err());
    }
}
