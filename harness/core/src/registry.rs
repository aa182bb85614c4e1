//! The one list of everything. Tables, fuzz targets, CI matrices and reports are derived from it or tested against it.

use crate::accepted::Accepted;
use crate::library::{self, Found, Request};
use crate::target::{Dialect, Target};
use crate::trace::Header;
use memtwin_models::{Component, Row};
use std::sync::{Mutex, PoisonError};

/// A component whose rows a registry can hold. The one method is written out for each component, because where it is
/// written is where everything that runs, shrinks and tells the component's traces is compiled: once, and not again in
/// each program. For that it must not be inlined.
pub trait Listed: Component {
    /// The row as a target: `row`.
    fn target(row: &'static Row<Self>) -> &'static dyn Target;
}

/// The components that this program is built with: each has a feature of its name.
macro_rules! listed {
    ($($feature:literal $component:path),* $(,)?) => {
        $(
            #[cfg(feature = $feature)]
            impl Listed for $component {
                #[inline(never)]
                fn target(row: &'static Row<Self>) -> &'static dyn Target {
                    row
                }
            }
        )*
    };
}

listed! {
    "brk_heap" memtwin_models::brk_heap::BrkHeap,
    "guest_memory" memtwin_models::guest_memory::GuestMemory,
    "header_free" memtwin_models::header_free::HeaderFree,
    "heap" memtwin_models::heap::Heap,
    "page_walk" memtwin_models::page_walk::PageWalk,
    "temp_map" memtwin_models::temp_map::TempMap,
}

/// Makes subjects of shared libraries, for one component.
pub trait Loader: Sync {
    /// Whether the library is one of this component, by its symbols.
    fn is_for(&self, library: &Found) -> bool;
    /// The registry with a subject more.
    ///
    /// # Errors
    /// In words that name the library, when it is none of this component.
    fn add(&self, registry: Registry, library: &Found) -> Result<Registry, String>;
}

/// Rows that a registry was given, where those who look for leaks find them: they stay when the registry goes.
static KEPT: Mutex<Vec<&'static dyn Target>> = Mutex::new(Vec::new());

/// The targets that a program knows.
#[derive(Clone, Default)]
pub struct Registry {
    targets: Vec<&'static dyn Target>,
    /// What makes subjects of libraries.
    loaders: Vec<&'static dyn Loader>,
    /// The targets that are libraries.
    libraries: Vec<usize>,
    /// So many of the first targets are held to their contract, whatever is known of them.
    held: usize,
}

impl Registry {
    /// A registry without subjects.
    #[must_use]
    pub fn new() -> Self {
        Registry::default()
    }

    /// The same registry with one more subject: `Registry::new().with(Row::<GuestMemory>::of::<MyMemory>())`. A row
    /// stays for the life of the process.
    #[must_use]
    pub fn with<C: Listed>(mut self, row: Row<C>) -> Self {
        let target = C::target(Box::leak(Box::new(row)));
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(target);
        self.targets.push(target);
        self
    }

    /// The same registry with the subjects of a list.
    #[must_use]
    pub fn with_all<C: Listed>(mut self, rows: &'static [Row<C>]) -> Self {
        self.targets.extend(rows.iter().map(C::target));
        self
    }

    /// The same registry, able to make subjects of one more kind of libraries. What is of no kind is for the last one
    /// to refuse.
    #[must_use]
    pub fn with_loader(mut self, loader: &'static dyn Loader) -> Self {
        self.loaders.push(loader);
        self
    }

    /// The same registry with a subject made of a library, which zygotes are told of.
    ///
    /// # Errors
    /// In words that name the library.
    pub fn with_library(&self, request: &Request) -> Result<Self, String> {
        let found = request.find()?;
        let loader = self.loaders.iter().find(|loader| loader.is_for(&found)).or(self.loaders.last());
        let loader = loader
            .ok_or("this program makes no subjects of libraries: give its registry a loader (Registry::with_loader)")?;
        let mut more = loader.add(self.clone(), &found)?;
        more.libraries.extend(self.targets.len()..more.targets.len());
        library::tell_zygotes(&found);
        Ok(more)
    }

    /// The same registry with the libraries that a zygote's environment names.
    pub(crate) fn with_environment(&self) -> Self {
        let requests = library::of_environment();
        let more = requests.iter().try_fold(self.clone(), |registry, request| registry.with_library(request));
        more.unwrap_or_else(|_| self.clone())
    }

    /// The same registry, whose subjects so far are held to their contract at each step: a list of known findings
    /// accepts a finding of theirs, and nothing goes on behind it.
    #[must_use]
    pub fn held_to_contract(mut self) -> Self {
        self.held = self.targets.len();
        self
    }

    /// What a run of a trace with this header goes on behind, on the subject that it names.
    #[must_use]
    pub fn accepted(&self, index: usize, header: &Header) -> Accepted {
        let is_own = self.get(index).is_some_and(|target| header.subject.as_deref() == Some(target.subject()));
        if is_own && !self.is_held_to_contract(index) { header.accepted() } else { Accepted::default() }
    }

    /// Whether a target is held to its contract at each step.
    #[must_use]
    pub fn is_held_to_contract(&self, index: usize) -> bool {
        index < self.held
    }

    /// The targets that were made of libraries.
    #[must_use]
    pub fn libraries(&self) -> &[usize] {
        &self.libraries
    }

    /// These targets, and no others.
    #[must_use]
    pub fn of(targets: &[&'static dyn Target]) -> Self {
        Registry { targets: targets.to_vec(), ..Registry::default() }
    }

    /// Every target, in the order of the list.
    pub fn targets(&self) -> impl Iterator<Item = &'static dyn Target> + '_ {
        self.targets.iter().copied()
    }

    /// The target at an index of the list.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'static dyn Target> {
        self.targets.get(index).copied()
    }

    /// The index of a target in the list.
    #[must_use]
    pub fn index_of(&self, component: &str, subject: &str) -> Option<usize> {
        self.targets.iter().position(|target| target.dialect().name() == component && target.subject() == subject)
    }

    /// The components, each once, in the order of the list.
    pub fn dialects(&self) -> impl Iterator<Item = &'static dyn Dialect> + '_ {
        let first =
            |index: usize, name: &str| self.targets[..index].iter().all(|earlier| earlier.dialect().name() != name);
        let named = self.targets.iter().enumerate().map(|(index, target)| (index, target.dialect()));
        named.filter(move |(index, dialect)| first(*index, dialect.name())).map(|(_, dialect)| dialect)
    }

    /// What is wrong with the subjects' names, in words: each is one word for files and command lines, unique in its
    /// component.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let is_plain = |name: &str| {
            name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.+".contains(letter))
                && name.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_')
        };
        self.targets.iter().enumerate().find_map(|(index, target)| {
            let name = target.name();
            if !is_plain(target.subject()) {
                return Some(format!("the subject {name:?} needs another name: letters, digits, and _ - . + within"));
            }
            let is_taken = self.targets[..index].iter().any(|earlier| earlier.name() == name);
            is_taken.then(|| format!("two subjects are called {name}: give each a name of its own"))
        })
    }

    /// The component of this name.
    #[must_use]
    pub fn dialect(&self, name: &str) -> Option<&'static dyn Dialect> {
        self.dialects().find(|dialect| dialect.name() == name)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.targets().map(Target::name)).finish()
    }
}
