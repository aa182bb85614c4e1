//! The words of a component as data: what setups, ops and outcomes are made of, with the sentences that document them.
//! `memtwin list --json` and the pages of `docs/vocabulary` print them. They are constants, made by a derive from
//! the comments beside the types; nothing of them is looked at while traces run. Does not judge words.
//!
//! A type that is not described is told by its name alone, and a component that says nothing has no vocabulary: neither
//! is an error.

/// The derive for this crate, which cannot call itself by the name that others have for it.
pub(crate) use memtwin_derive::DescribedHere;
pub use memtwin_derive::{Described, told};

use std::fmt::Debug;
use std::marker::PhantomData;

/// A type whose documentation is at hand. Derive it.
pub trait Described {
    /// The type with its documentation.
    const WORD: &'static Word;
}

/// A type with its documentation.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// The name in Rust.
    pub name: &'static str,
    /// The documentation.
    pub about: &'static str,
    /// What traces have in its stead, where it is not written as its parts.
    pub written: Option<Held>,
    /// Its parts.
    pub shape: Shape,
}

/// What a type is made of.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// All of these; none where the type is written as something else.
    Fields(&'static [Field]),
    /// One of these.
    Choices(&'static [Choice]),
}

/// A variant.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// The name in traces.
    pub name: &'static str,
    /// The documentation.
    pub about: &'static str,
    /// What it holds.
    pub fields: &'static [Field],
}

/// A field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name in traces, empty where it has none.
    pub name: &'static str,
    /// The documentation.
    pub about: &'static str,
    /// What it holds.
    pub held: Held,
    /// Whether traces may leave it out.
    pub optional: bool,
}

/// A type where it is used.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// The type as Rust has it.
    pub of: &'static str,
    /// Whether traces write the number as `"0x…"`.
    pub hex: bool,
    /// Its words, if it is described.
    pub word: Option<&'static Word>,
}

/// A constant that sentences name.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    /// Its name.
    pub name: &'static str,
    /// The documentation.
    pub about: &'static str,
    /// As the source has it.
    pub written: &'static str,
    /// What it comes to.
    pub value: &'static (dyn Debug + Sync),
}

/// The words of a component. [`vocabulary!`](crate::vocabulary!) makes them.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary {
    /// The setup.
    pub setup: Option<&'static Word>,
    /// The op: a choice for each kind.
    pub op: Option<&'static Word>,
    /// What a program sees of a call.
    pub outcome: Option<&'static Word>,
    /// What an audit sees.
    pub view: Option<&'static Word>,
    /// The model. Its documentation says how it judges, and in which order.
    pub model: Option<&'static Word>,
    /// The constants that sentences name.
    pub numbers: &'static [&'static [Number]],
}

impl Vocabulary {
    /// Of a component that says nothing.
    pub const NONE: Vocabulary =
        Vocabulary { setup: None, op: None, outcome: None, view: None, model: None, numbers: &[] };

    /// An op, by its kind's name.
    #[must_use]
    pub fn choice(&self, kind: &str) -> Option<&'static Choice> {
        match self.op?.shape {
            Shape::Choices(choices) => choices.iter().find(|choice| choice.name == kind),
            Shape::Fields(_) => None,
        }
    }

    /// The types that setups and ops are made of, in the order in which they are met.
    #[must_use]
    pub fn operands(&self) -> Vec<&'static Word> {
        let mut met = Vec::new();
        for root in [self.setup, self.op].into_iter().flatten() {
            root.meet(&mut met);
        }
        met
    }

    /// The types besides these that outcomes and views are made of.
    #[must_use]
    pub fn answers(&self) -> Vec<&'static Word> {
        let operands = self.operands();
        let mut met = operands.clone();
        for root in [self.outcome, self.view].into_iter().flatten() {
            root.meet(&mut met);
        }
        met.split_off(operands.len())
    }
}

impl Word {
    /// All fields, those of choices too, and what is written in its stead.
    fn held(&self) -> Vec<Held> {
        let of = |fields: &'static [Field]| fields.iter().map(|field| field.held);
        let parts: Vec<Held> = match self.shape {
            Shape::Fields(fields) => of(fields).collect(),
            Shape::Choices(choices) => choices.iter().flat_map(|choice| of(choice.fields)).collect(),
        };
        self.written.into_iter().chain(parts).collect()
    }

    fn meet(&self, met: &mut Vec<&'static Word>) {
        for word in self.held().into_iter().filter_map(|held| held.word) {
            if met.iter().all(|known| (known.name, known.about) != (word.name, word.about)) {
                met.push(word);
                word.meet(met);
            }
        }
    }
}

/// Documentation with links to items as their names, for those who cannot follow them.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        let Some((name, after)) = link.split_once(']') else {
            plain.push('[');
            rest = link;
            break;
        };
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        let of_item = target.filter(|(target, _)| target.contains("::"));
        rest = of_item.map_or(after, |(_, behind)| behind);
        plain.push_str(name);
    }
    plain.push_str(rest);
    plain
}

/// The same in one line.
#[must_use]
pub fn sentence(text: &str) -> String {
    plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name in Rust as traces have it.
#[must_use]
pub fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// Finds the words of a type, if it is described: [`Described`](trait@Described) gives it a `WORD` of its own, and
/// where it is not, [`Undescribed`] gives it none.
#[derive(Debug)]
pub struct Probe<T: ?Sized>(PhantomData<T>);

impl<T: Described + ?Sized> Probe<T> {
    /// The words.
    pub const WORD: Option<&'static Word> = Some(T::WORD);
}

/// What a [`Probe`] finds of a type that is not described.
pub trait Undescribed {
    /// Nothing.
    const WORD: Option<&'static Word> = None;
}

impl<T: ?Sized> Undescribed for Probe<T> {}

impl<T: Described> Described for Option<T> {
    const WORD: &'static Word = T::WORD;
}

impl<T: Described> Described for Vec<T> {
    const WORD: &'static Word = T::WORD;
}

impl<T: Described, const N: usize> Described for [T; N] {
    const WORD: &'static Word = T::WORD;
}

/// The words of a component, from those of its types that derive [`Described`](trait@crate::vocabulary::Described), and
/// from the lists of [`numbers!`](crate::numbers!) that follow its name.
#[macro_export]
macro_rules! vocabulary {
    ($component:ty $(, $numbers:expr)* $(,)?) => {{
        #[allow(unused_imports)] // of use only where a type is not described
        use $crate::vocabulary::Undescribed as _;
        use $crate::vocabulary::{Probe, Vocabulary};
        Vocabulary {
            setup: Probe::<<$component as $crate::Component>::Setup>::WORD,
            op: Probe::<<$component as $crate::Component>::Op>::WORD,
            outcome: Probe::<<$component as $crate::Component>::Outcome>::WORD,
            view: Probe::<<$component as $crate::Component>::View>::WORD,
            model: Probe::<<$component as $crate::Component>::Model>::WORD,
            numbers: &[$($numbers),*],
        }
    }};
}

/// Constants that sentences name, and a list of them with their documentation: `NUMBERS`.
#[macro_export]
macro_rules! numbers {
    ($($(#[doc = $about:literal])+ $visible:vis const $name:ident: $of:ty = $value:expr;)+) => {
        $($(#[doc = $about])+ $visible const $name: $of = $value;)+

        /// These numbers, for the vocabulary.
        pub(crate) const NUMBERS: &[$crate::vocabulary::Number] = &[$($crate::vocabulary::Number {
            name: stringify!($name),
            about: concat!($($about, "\n"),+),
            written: stringify!($value),
            value: &$name,
        }),+];
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    /// A device, as [`Row`](crate::Row) has it.
    #[derive(DescribedHere, Serialize)]
    #[serde(rename_all = "snake_case")]
    #[allow(dead_code)]
    enum Device {
        /// None at all.
        NoDevice,
        /// One
        /// or more.
        #[serde(rename = "many_1")]
        Many { base: Base, plain: Plain, list: Vec<Base> },
    }

    /// Where it lies.
    #[derive(DescribedHere, Serialize)]
    #[allow(dead_code)]
    struct Base(#[serde(with = "crate::hex")] u64);

    #[derive(Serialize)]
    #[allow(dead_code)]
    struct Plain;

    #[test]
    fn a_word_has_the_names_and_the_sentences_of_its_type() {
        let word = Device::WORD;
        assert_eq!((word.name, plain(word.about).as_str()), ("Device", "A device, as `Row` has it."));
        let Shape::Choices([none, many]) = word.shape else { panic!("{word:?}") };
        assert_eq!((none.name, many.name, sentence(many.about).as_str()), ("no_device", "many_1", "One or more."));
        let [base, plain, list] = many.fields else { panic!("{many:?}") };
        assert_eq!((list.held.of, list.held.word.unwrap().name), ("Vec<Base>", "Base"));
        assert!(base.held.word.unwrap().written.unwrap().hex);
        assert!(plain.held.word.is_none(), "what is not described has no words");
    }

    #[test]
    fn each_type_is_met_once() {
        let vocabulary = Vocabulary { op: Some(Device::WORD), view: Some(Device::WORD), ..Vocabulary::NONE };
        assert_eq!(vocabulary.operands().iter().map(|word| word.name).collect::<Vec<_>>(), ["Base"]);
        assert!(vocabulary.answers().is_empty());
    }

    #[test]
    fn links_to_items_become_their_names() {
        assert_eq!(plain("see [`A`](crate::A) and [`B`], [a page](http://x/y)"), "see `A` and `B`, a page(http://x/y)");
        assert_eq!(plain("a [ alone"), "a [ alone");
    }
}
