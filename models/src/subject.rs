//! Subjects: the implementations under test, and the rows by which a registry knows them.

use crate::Component;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An implementation under test.
pub trait Subject<C: Component>: Sized {
    /// The name on the command line, unique within the component.
    const NAME: &'static str;
    /// Whether this implementation is expected to agree with the model.
    const HEALTH: Health;
    /// What its documentation claims.
    const CONTRACT: C::Contract;

    /// Builds the subject, with a setup that its contract serves. `Err` when it cannot all the same, because the host
    /// refuses the room, say: nothing is judged then.
    fn new(setup: &C::Setup) -> Result<Self, Unsupported>;

    /// Returns to a state equal to [`Subject::new`] and says `true`, or says `false` and is rebuilt. Building a subject
    /// for each trace is several times slower than a good reset.
    fn reset(&mut self, _setup: &C::Setup) -> bool {
        false
    }

    /// Carries out one op and writes what a program could see of it into `seen`.
    fn apply(&mut self, op: &C::Op, seen: &mut C::Outcome);

    /// Shows the state that the audit asked for in `view`. A third-party subject may show little.
    fn view(&mut self, _view: &mut C::View) {}
}

/// Whether a subject is expected to agree with the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It is; a divergence is a finding.
    Sound,
    /// It has a known defect; a campaign that does not catch it has failed.
    Broken {
        /// The catalogue id, or `None` where several defects are combined (the code of a bug report).
        defect: Option<&'static str>,
        /// What is wrong, in a sentence.
        story: &'static str,
    },
}

impl Health {
    /// The health of a subject with a known defect, by its catalogue id.
    #[must_use]
    pub const fn defect(id: &'static str, story: &'static str) -> Self {
        Health::Broken { defect: Some(id), story }
    }

    /// The catalogue id of the defect, which is the name of a subject that has it and nothing else.
    ///
    /// # Panics
    ///
    /// Where there is none; used in constants, so a build fails.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Health::Broken { defect: Some(id), .. } => id,
            Health::Broken { defect: None, .. } | Health::Sound => {
                panic!("a subject without a defect of the catalogue needs a name of its own")
            }
        }
    }
}

/// A setup that a contract does not serve, or a subject cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsupported(
    /// Why, in a few words.
    pub &'static str,
);

/// A subject whose type is erased: what runs in lockstep with the model. Every [`Subject`] is one.
pub trait AnySubject<C: Component> {
    /// As [`Subject::reset`].
    fn reset(&mut self, setup: &C::Setup) -> bool;
    /// As [`Subject::apply`].
    fn apply(&mut self, op: &C::Op, seen: &mut C::Outcome);
    /// As [`Subject::view`].
    fn view(&mut self, view: &mut C::View);
}

impl<C: Component, S: Subject<C>> AnySubject<C> for S {
    fn reset(&mut self, setup: &C::Setup) -> bool {
        Subject::reset(self, setup)
    }

    fn apply(&mut self, op: &C::Op, seen: &mut C::Outcome) {
        Subject::apply(self, op, seen);
    }

    fn view(&mut self, view: &mut C::View) {
        Subject::view(self, view);
    }
}

/// How a row builds its subject: [`Subject::new`], or a closure that knows what to load.
pub type Build<C> =
    dyn Fn(&<C as Component>::Setup) -> Result<Box<dyn AnySubject<C>>, Unsupported> + Send + Sync + 'static;

/// A row of a registry: a subject's name, health and contract as values, and how it is built. A row made of a type
/// takes them from the type's constants; one that is made at run time may take them from anywhere.
pub struct Row<C: Component> {
    /// The name on the command line, unique within the component.
    pub name: &'static str,
    /// Whether the subject is expected to agree with the model.
    pub health: Health,
    /// What its documentation claims.
    pub contract: C::Contract,
    /// Builds the subject; [`Row::construct`] asks the contract first.
    pub build: &'static Build<C>,
    /// Where its code comes from, if it is not part of the program.
    pub origin: Option<&'static Origin>,
}

/// A shared library that a subject is made of, as traces name it: by what it is, not by where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The name of its file.
    pub file: String,
    /// The build id that its linker left in it, in hexadecimal digits, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// What the names of its functions begin with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// The contract that it is held to, as on the command line.
    pub contract: String,
}

impl<C: Component> Row<C> {
    /// The row of subject `S`: `Row::<GuestMemory>::of::<MyMemory>()`.
    #[must_use]
    pub const fn of<S: Subject<C> + 'static>() -> Self {
        Row { name: S::NAME, health: S::HEALTH, contract: S::CONTRACT, build: &build::<C, S>, origin: None }
    }

    /// Builds the subject, if its contract serves the setup: nothing is judged by a contract that says nothing.
    pub fn construct(&self, setup: &C::Setup) -> Result<Box<dyn AnySubject<C>>, Unsupported> {
        C::serves(&self.contract, setup)?;
        (self.build)(setup)
    }
}

fn build<C: Component, S: Subject<C> + 'static>(setup: &C::Setup) -> Result<Box<dyn AnySubject<C>>, Unsupported> {
    Ok(Box::new(S::new(setup)?))
}

impl<C: Component> fmt::Debug for Row<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { name, health, contract, build: _, origin } = self;
        let mut row = formatter.debug_struct("Row");
        row.field("name", name).field("health", health).field("contract", contract).field("origin", origin);
        row.finish_non_exhaustive()
    }
}
