//! What is said of an op and of its variants, read from their attributes. Wrong words are errors that name the variant.

use proc_macro2::TokenStream as Tokens;
use quote::ToTokens as _;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{DeriveInput, Error, Expr, Fields, Ident, LitInt, Path, Result, Token, parenthesized};

/// What is said of the whole op: `#[forms(edges = EDGES, free = 240, about(slot = Slot))]`.
pub(crate) struct Whole {
    pub(crate) op: Ident,
    pub(crate) edges: Option<Expr>,
    /// The first of the tags that are kept free: a second tag byte follows them.
    pub(crate) free: Option<u8>,
    pub(crate) about: Vec<Named>,
}

/// A variant, and what is said of it: `#[form(tag = 0, low(slot), wire(align, size), simpler(size), say("…"))]`.
pub(crate) struct Variant {
    pub(crate) name: Ident,
    pub(crate) fields: Vec<Ident>,
    types: Vec<Tokens>,
    tag: Option<u16>,
    /// The functions that read and write it, where these are not derived.
    pub(crate) by_hand: Vec<Ident>,
    pub(crate) low: Vec<Ident>,
    pub(crate) wire: Vec<Ident>,
    pub(crate) simpler: Vec<Named>,
    say: Option<Tokens>,
}

/// An operand, and what is said of it.
pub(crate) type Named = (Ident, Option<Path>);

impl Whole {
    pub(crate) fn parse(input: &DeriveInput) -> Result<Self> {
        let mut whole = Whole { op: input.ident.clone(), edges: None, free: None, about: Vec::new() };
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("forms")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("edges") {
                    whole.edges = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("free") {
                    whole.free = Some(meta.value()?.parse::<LitInt>()?.base10_parse()?);
                } else if meta.path.is_ident("about") {
                    whole.about = operands(&meta)?;
                } else {
                    return Err(meta.error("of an op one says `edges`, `free` or `about`"));
                }
                Ok(())
            })?;
        }
        Ok(whole)
    }
}

impl Variant {
    pub(crate) fn parse(variant: &syn::Variant) -> Result<Self> {
        if let Fields::Unnamed(_) = variant.fields {
            return Err(Error::new_spanned(variant, format!("{}: operands have names", variant.ident)));
        }
        let fields: Vec<Ident> = variant.fields.iter().filter_map(|field| field.ident.clone()).collect();
        let (mut tag, mut wire, mut simpler, mut say) = (None, None, None, None);
        let (mut by_hand, mut low) = (Vec::new(), Vec::new());
        for attribute in variant.attrs.iter().filter(|attribute| attribute.path().is_ident("form")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("tag") {
                    tag = Some(meta.value()?.parse::<LitInt>()?.base10_parse()?);
                } else if meta.path.is_ident("by_hand") {
                    by_hand = names(operands(&meta)?);
                } else if meta.path.is_ident("low") {
                    low = names(operands(&meta)?);
                } else if meta.path.is_ident("wire") {
                    wire = Some(names(operands(&meta)?));
                } else if meta.path.is_ident("simpler") {
                    simpler = Some(operands(&meta)?);
                } else if meta.path.is_ident("say") {
                    let content;
                    parenthesized!(content in meta.input);
                    say = Some(content.parse()?);
                } else {
                    return Err(meta.error("of a variant one says `tag`, `by_hand`, `low`, `wire`, `simpler` or `say`"));
                }
                Ok(())
            })?;
        }
        let wire = wire.unwrap_or_else(|| fields.iter().filter(|field| !low.contains(field)).cloned().collect());
        let simpler = simpler.unwrap_or_else(|| fields.iter().map(|field| (field.clone(), None)).collect());
        let types = variant.fields.iter().map(|field| field.ty.to_token_stream()).collect();
        let form = Variant { name: variant.ident.clone(), fields, types, tag, by_hand, low, wire, simpler, say };
        form.check()?;
        Ok(form)
    }

    /// Each operand is on the wire once, and only operands have simpler values.
    fn check(&self) -> Result<()> {
        let mut on_wire: Vec<&Ident> = self.low.iter().chain(&self.wire).collect();
        let mut fields: Vec<&Ident> = self.fields.iter().collect();
        on_wire.sort();
        fields.sort();
        if on_wire != fields {
            return Err(self.error("`low` and `wire` together name each operand once"));
        }
        if !matches!(self.by_hand.len(), 0 | 2) {
            return Err(self.error("`by_hand` names the function that reads it, and the one that writes it"));
        }
        let is_operand = self.simpler.iter().all(|(name, _)| fields.contains(&name));
        if is_operand { Ok(()) } else { Err(self.error("`simpler` names operands")) }
    }

    pub(crate) fn tag(&self) -> Result<u16> {
        self.tag.ok_or_else(|| self.error("`#[form(tag = …)]` is missing"))
    }

    pub(crate) fn say(&self) -> Result<&Tokens> {
        self.say.as_ref().ok_or_else(|| self.error("`#[form(say(\"…\"))]` is missing"))
    }

    /// The types of the operands in the tag's low bits.
    pub(crate) fn low_types(&self) -> Vec<&Tokens> {
        let type_of = |name| self.fields.iter().zip(&self.types).find(|(field, _)| *field == name);
        self.low.iter().filter_map(type_of).map(|(_, of)| of).collect()
    }

    /// The name in traces and run files.
    pub(crate) fn snake_case(&self) -> String {
        snake_case(&self.name.to_string())
    }

    pub(crate) fn error(&self, what: &str) -> Error {
        Error::new(self.name.span(), format!("{}: {what}", self.name))
    }
}

/// The name of a variant in traces.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

/// `seed, length = fewer`.
fn operands(meta: &ParseNestedMeta<'_>) -> Result<Vec<Named>> {
    let content;
    parenthesized!(content in meta.input);
    let operand = |input: ParseStream<'_>| {
        let name = input.parse()?;
        let said = if input.parse::<Option<Token![=]>>()?.is_some() { Some(input.parse()?) } else { None };
        Ok((name, said))
    };
    Ok(content.parse_terminated(operand, Token![,])?.into_iter().collect())
}

fn names(operands: Vec<Named>) -> Vec<Ident> {
    operands.into_iter().map(|(name, _)| name).collect()
}
