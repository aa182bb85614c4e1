//! Witnesses: judges that nobody here wrote, asked whether the models' translation of addresses is right. A witness is
//! compared with the pure walks of the models, never with a subject. Does not pass in silence: each says how many
//! probes it compared, what it could not compare and why, or why it could not be asked at all.

#[cfg(feature = "unicorn")]
mod emulator;
mod hardware;
mod machine;
mod mapper;
mod memory;
mod tables;

use memtwin_core::random::Random;
use std::collections::BTreeMap;

/// How many differences are told in words.
const TOLD: usize = 10;

/// What one witness said about one component's model.
#[derive(Debug, Default)]
pub struct Testimony {
    /// Probes compared.
    pub probes: u64,
    /// Probes that could not be compared, by the reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Differences that a documented limit of the witness explains, by the limit.
    pub explained: BTreeMap<&'static str, u64>,
    /// Differences that nothing explains.
    pub differences: u64,
    /// The first of them, in words.
    pub told: Vec<String>,
    /// Why the witness could not be asked.
    pub absent: Option<String>,
}

impl Testimony {
    fn absent(why: impl Into<String>) -> Self {
        Testimony { absent: Some(why.into()), ..Testimony::default() }
    }

    fn leave_out(&mut self, why: &'static str) {
        *self.left_out.entry(why).or_default() += 1;
    }

    fn explain(&mut self, limit: &'static str) {
        *self.explained.entry(limit).or_default() += 1;
    }

    /// Compares what the witness says with what the model says.
    fn compare<T: PartialEq>(&mut self, witness: &T, model: &T, words: impl FnOnce() -> String) {
        self.probes += 1;
        if witness != model {
            self.differences += 1;
            if self.told.len() < TOLD {
                self.told.push(words());
            }
        }
    }
}

/// A witness.
#[derive(Debug, Clone, Copy)]
pub struct Witness {
    /// Its name.
    pub name: &'static str,
    /// The component whose model it is asked about.
    pub component: &'static str,
    /// Asks it: seed, and about how many probes.
    pub ask: fn(&mut Random, u64) -> Testimony,
}

/// Every witness.
pub const ALL: &[Witness] = &[
    Witness { name: "KVM", component: "page_walk", ask: hardware::ask },
    Witness { name: "x86_64 crate", component: "page_walk", ask: mapper::ask },
    Witness { name: "unicorn", component: "temp_map", ask: ask_emulator },
    Witness { name: "KVM", component: "temp_map", ask: hardware::ask_32_bit },
];

#[cfg(feature = "unicorn")]
fn ask_emulator(random: &mut Random, probes: u64) -> Testimony {
    emulator::ask(random, probes)
}

#[cfg(not(feature = "unicorn"))]
fn ask_emulator(_: &mut Random, _: u64) -> Testimony {
    Testimony::absent("not built in; it needs cmake and libclang: cargo run --release --features unicorn -- witness")
}
