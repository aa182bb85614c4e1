//! What the kept traces of a corpus reach, on each sound subject of its component. It reads and writes no file.

use super::{CorpusError, Trouble};
use crate::feedback::Reached;
use crate::isolate::{Isolation, IsolationError, Surveyed, TraceSurvey};
use crate::registry::Registry;
use crate::target::{Dialect, Target};
use crate::trace_files::Loaded;

/// How many kept traces reach each feature in each class, subject by subject: one that claims a freedom sees other
/// traces than one that does not.
pub(super) struct Cover {
    subjects: Vec<Covered>,
}

struct Covered {
    index: usize,
    target: &'static dyn Target,
    traces: Vec<u32>,
}

/// What one trace reaches on each subject, and whether one of them judges it.
pub(super) struct Footprint {
    reached: Vec<Vec<Reached>>,
    pub(super) is_judged: bool,
}

impl Footprint {
    /// Whether no subject runs it at all: then nothing says what it is worth.
    pub(super) fn is_of_nobody(&self) -> bool {
        !self.is_judged && self.reached.iter().all(Vec::is_empty)
    }
}

impl Cover {
    pub(super) fn new(registry: &Registry, dialect: &dyn Dialect) -> Result<Self, CorpusError> {
        let targets = registry.targets().enumerate();
        let subjects: Vec<_> = targets
            .filter(|(_, target)| target.is_sound() && target.dialect().name() == dialect.name())
            .map(|(index, target)| Covered { index, target, traces: vec![0; 1 + usize::from(Reached::MAX)] })
            .collect();
        if subjects.is_empty() {
            return Err(CorpusError::NoSubject { component: dialect.name() });
        }
        Ok(Cover { subjects })
    }

    /// What each trace reaches, or on which subject it fails; `None` when interrupted.
    pub(super) fn survey(
        &self,
        isolation: &mut Isolation,
        inputs: &[Loaded],
    ) -> Result<Option<Vec<Result<Footprint, Trouble>>>, IsolationError> {
        let wires: Vec<&[u8]> = inputs.iter().map(|input| input.wire.as_slice()).collect();
        let mut footprints: Vec<_> =
            inputs.iter().map(|_| Ok(Footprint { reached: Vec::new(), is_judged: false })).collect();
        for subject in &self.subjects {
            let seen = match isolation.survey(subject.index, &wires)? {
                Surveyed::All(seen) => seen,
                Surveyed::Interrupted => return Ok(None),
            };
            for ((input, footprint), seen) in inputs.iter().zip(&mut footprints).zip(seen) {
                match (seen, &mut *footprint) {
                    (TraceSurvey::Reached(reached), Ok(footprint)) => {
                        footprint.reached.push(reached);
                        footprint.is_judged = true;
                    }
                    (TraceSurvey::Unjudged(reached), Ok(footprint)) => footprint.reached.push(reached),
                    (TraceSurvey::Failed(failure), Ok(_)) => {
                        let signature = input.dialect.signature(&input.wire, &failure).to_string();
                        let (path, target) = (input.path.clone(), subject.target.name());
                        *footprint = Err(Trouble::Failed { path, target, signature });
                    }
                    (TraceSurvey::NotJudged(why), Ok(_)) => {
                        let (path, target) = (input.path.clone(), subject.target.name());
                        *footprint = Err(Trouble::NotJudged { path, target, why });
                    }
                    // The first failure is enough.
                    (_, Err(_)) => {}
                }
            }
        }
        Ok(Some(footprints))
    }

    /// Whether a trace reaches something that no kept one does.
    pub(super) fn is_new(&self, footprint: &Footprint) -> bool {
        self.pairs(footprint).any(|traces| traces == 0)
    }

    /// Whether a kept trace could go, because others reach all that it does.
    pub(super) fn is_spare(&self, footprint: &Footprint) -> bool {
        self.pairs(footprint).all(|traces| 1 < traces)
    }

    fn pairs<'a>(&'a self, footprint: &'a Footprint) -> impl Iterator<Item = u32> + 'a {
        let subjects = self.subjects.iter().zip(&footprint.reached);
        subjects.flat_map(|(subject, reached)| reached.iter().map(|&pair| subject.traces[usize::from(pair)]))
    }

    /// Keeps a trace.
    pub(super) fn add(&mut self, footprint: &Footprint) {
        for (subject, reached) in self.subjects.iter_mut().zip(&footprint.reached) {
            reached.iter().for_each(|&pair| subject.traces[usize::from(pair)] += 1);
        }
    }

    /// A kept trace goes.
    pub(super) fn remove(&mut self, footprint: &Footprint) {
        for (subject, reached) in self.subjects.iter_mut().zip(&footprint.reached) {
            reached.iter().for_each(|&pair| subject.traces[usize::from(pair)] -= 1);
        }
    }

    /// How many pairs of a subject and a feature in a class are reached.
    pub(super) fn reached(&self) -> usize {
        self.subjects.iter().flat_map(|subject| &subject.traces).filter(|&&traces| traces != 0).count()
    }
}
