//! Derives of the forms of an op that follow from its operands: its kind, its wire bytes, its simpler ops, its words.
//! An operand knows its own forms (`memtwin_models::operand`); an op is a tag and operands. And of any word of a
//! component: its documentation as data.
//!
//! Nothing is inferred that the format freezes: a variant's first tag and the operands in the tag's low bits are
//! written beside it, and the order on the wire where it is not the declared one. What is derived names
//! `crate::operand` and `crate::wire`, so these derives serve the models alone, but for `Described`, which serves any
//! crate that depends on `memtwin`.

mod described;
mod form;
mod forms;
#[cfg(test)]
mod tests;

use form::{Variant, Whole};
use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Error, Result, parse_macro_input};

/// The kind of an op: an enum `<Op>Kind` with `ALL` and `NAMES` in the order of declaration, and `kind()`. With
/// `#[forms(about(slot = Slot))]` also `slot()` and `slot_mut()`, the operand that most ops have.
#[proc_macro_derive(Kinds, attributes(forms))]
pub fn kinds(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), forms::kinds)
}

/// `read` and `write`, by `#[forms(edges = EDGES)]` on the op and, on each variant, `#[form(tag = 48, low(slot),
/// wire(align, size))]`: its first tag, the operands in the tag's low bits from the lowest on, and the others in the
/// order of the wire (that of declaration where it is left out). The tags of a variant end where those of the next
/// begin, those of the last one before `#[forms(free = 240)]`, where a second tag byte follows. `by_hand(read_x,
/// write_x)` instead names two functions: `fn(tag less the first, edges, reader) -> Op` and `fn(first tag, operands,
/// edges, writer)`.
#[proc_macro_derive(Wire, attributes(forms, form))]
pub fn wire(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), forms::wire)
}

/// `Simpler` for the op: one operand simpler at a time. `#[form(simpler(seed, length = fewer))]` names the operands
/// that have simpler values, in this order, where it is not that of declaration; a function that is named says which.
#[proc_macro_derive(Simpler, attributes(forms, form))]
pub fn simpler(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), forms::simpler)
}

/// `Display` for the op, by `#[form(say("look at {slot}"))]` on each variant: what `write!` takes, with the operands in
/// scope.
#[proc_macro_derive(Words, attributes(forms, form))]
pub fn words(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), forms::words)
}

/// The documentation of a setup, an op, an outcome, a view, or of a type that they are made of, as a constant:
/// `memtwin::models::vocabulary::Described`. It needs nothing else: fields and variants bring their comments, the names
/// that serde gives them, and the words of their types where these derive it, too.
#[proc_macro_derive(Described)]
pub fn described(input: TokenStream) -> TokenStream {
    describe(&parse_macro_input!(input as DeriveInput), &quote!(::memtwin::models))
}

/// The same for the models themselves.
#[doc(hidden)]
#[proc_macro_derive(DescribedHere)]
pub fn described_here(input: TokenStream) -> TokenStream {
    describe(&parse_macro_input!(input as DeriveInput), &quote!(crate))
}

/// Puts the documentation of a function into a constant of this name beside it: `#[told(SIZE)]`, `#[told(pub(super)
/// SIZE)]`. What a generator's function draws is then told to those who do not read code.
#[proc_macro_attribute]
pub fn told(name: TokenStream, function: TokenStream) -> TokenStream {
    described::told(name.into(), &function.into()).unwrap_or_else(Error::into_compile_error).into()
}

fn describe(input: &DeriveInput, models: &Tokens) -> TokenStream {
    described::described(input, models).unwrap_or_else(Error::into_compile_error).into()
}

fn derive(input: &DeriveInput, form: impl Fn(&Whole, &[Variant]) -> Result<Tokens>) -> TokenStream {
    let expanded = parse(input).and_then(|(whole, variants)| form(&whole, &variants));
    expanded.unwrap_or_else(Error::into_compile_error).into()
}

fn parse(input: &DeriveInput) -> Result<(Whole, Vec<Variant>)> {
    let Data::Enum(data) = &input.data else { return Err(Error::new_spanned(input, "an op is an enum")) };
    let variants = data.variants.iter().map(Variant::parse).collect::<Result<_>>()?;
    Ok((Whole::parse(input)?, variants))
}
