//! A type's documentation as a constant: its name, its parts, and how traces write them, read from its comments and
//! from what it tells serde. Where a type of a part is described, the constant leads to it; where it is not, its name
//! is all that is said. Does not look into types.

use proc_macro2::TokenStream as Tokens;
use quote::{ToTokens as _, quote};
use syn::parse::{ParseStream, Parser as _};
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Ident, Lit, LitStr, Meta, Result, Type,
    Visibility,
};

/// What serde is told of a type, a variant or a field.
#[derive(Default)]
struct Serde {
    rename: Option<String>,
    rename_all: Option<String>,
    /// The type that this one is written as.
    via: Option<Type>,
    transparent: bool,
    optional: bool,
    hex: bool,
    skip: bool,
    any: bool,
}

pub(crate) fn described(input: &DeriveInput, models: &Tokens) -> Result<Tokens> {
    let serde = serde(&input.attrs)?;
    let (name, about) = (&input.ident, documentation(&input.attrs));
    let text = name.to_string();
    // What a public type keeps to itself is no word, unless serde writes it.
    let hides = matches!(input.vis, Visibility::Public(_)) && !serde.any;
    let (written, shape) = match &input.data {
        Data::Struct(data) => match (&data.fields, &serde.via) {
            (_, Some(via)) => (Some(held(via, false, models)), fields(&Fields::Unit, hides, models)?),
            (Fields::Unnamed(parts), None) if parts.unnamed.len() == 1 => {
                let part = &parts.unnamed[0];
                (Some(held(&part.ty, self::serde(&part.attrs)?.hex, models)), fields(&Fields::Unit, hides, models)?)
            }
            (Fields::Named(parts), None) if serde.transparent && parts.named.len() == 1 => {
                let part = &parts.named[0];
                (Some(held(&part.ty, self::serde(&part.attrs)?.hex, models)), fields(&Fields::Unit, hides, models)?)
            }
            (parts, None) => (None, fields(parts, hides, models)?),
        },
        Data::Enum(data) => {
            let choices = data.variants.iter().map(|variant| {
                let said = self::serde(&variant.attrs)?;
                let name = variant.ident.to_string();
                let name = said.rename.unwrap_or_else(|| renamed(&name, serde.rename_all.as_deref()));
                let (about, fields) = (documentation(&variant.attrs), fields(&variant.fields, false, models)?);
                Ok(quote!(#models::vocabulary::Choice { name: #name, about: #about, fields: #fields }))
            });
            let choices = choices.collect::<Result<Vec<_>>>()?;
            let written = serde.via.as_ref().map(|via| held(via, false, models));
            (written, quote!(#models::vocabulary::Shape::Choices(&[#(#choices),*])))
        }
        Data::Union(_) => return Err(Error::new_spanned(input, "a word is a struct or an enum")),
    };
    let shape = match &input.data {
        Data::Struct(_) => quote!(#models::vocabulary::Shape::Fields(#shape)),
        Data::Enum(_) | Data::Union(_) => shape,
    };
    let written = written.map_or_else(|| quote!(None), |written| quote!(Some(#written)));
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics #models::vocabulary::Described for #name #arguments #bounds {
            const WORD: &'static #models::vocabulary::Word = &#models::vocabulary::Word {
                name: #text,
                about: #about,
                written: #written,
                shape: #shape,
            };
        }
    })
}

/// A constant with the documentation of the function, and the function.
pub(crate) fn told(name: Tokens, function: &Tokens) -> Result<Tokens> {
    let named = |input: ParseStream<'_>| Ok((input.parse::<Visibility>()?, input.parse::<Ident>()?));
    let (visible, name) = named.parse2(name)?;
    let parts = |input: ParseStream<'_>| Ok((input.call(Attribute::parse_outer)?, input.parse::<Tokens>()?));
    let (attributes, _) = parts.parse2(function.clone())?;
    let about = documentation(&attributes);
    if about.is_empty() {
        return Err(Error::new(name.span(), "there is nothing to tell: the function has no documentation"));
    }
    Ok(quote!(#visible const #name: &'static str = #about; #function))
}

/// A list of fields.
fn fields(fields: &Fields, hides: bool, models: &Tokens) -> Result<Tokens> {
    let told = fields.iter().filter(|field| !hides || matches!(field.vis, Visibility::Public(_)));
    let told = told.filter_map(|field| field_of(field, models).transpose());
    let told = told.collect::<Result<Vec<_>>>()?;
    Ok(quote!(&[#(#told),*]))
}

fn field_of(field: &Field, models: &Tokens) -> Result<Option<Tokens>> {
    let said = serde(&field.attrs)?;
    if said.skip {
        return Ok(None);
    }
    let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
    let name = said.rename.unwrap_or(name);
    let (about, held, optional) = (documentation(&field.attrs), held(&field.ty, said.hex, models), said.optional);
    Ok(Some(quote! {
        #models::vocabulary::Field { name: #name, about: #about, held: #held, optional: #optional }
    }))
}

/// A type as it is written, and its words if it has any.
fn held(of: &Type, hex: bool, models: &Tokens) -> Tokens {
    let words = of.to_token_stream().to_string();
    let words: Vec<String> = words.split(" as ").map(|word| word.replace(' ', "")).collect();
    let shown = words.join(" as ").replace(',', ", ").replace(';', "; ");
    quote! {
        #models::vocabulary::Held {
            of: #shown,
            hex: #hex,
            word: {
                #[allow(unused_imports)] // of use only where the type is not described
                use #models::vocabulary::Undescribed as _;
                #models::vocabulary::Probe::<#of>::WORD
            },
        }
    }
}

/// The documentation, line by line.
fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else { return None };
        Some(text.value())
    });
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn serde(attributes: &[Attribute]) -> Result<Serde> {
    let mut said = Serde::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        said.any = true;
        attribute.parse_nested_meta(|meta| {
            let name = meta.path.to_token_stream().to_string();
            if !meta.input.peek(syn::Token![=]) {
                said.optional |= name == "default";
                said.transparent |= name == "transparent";
                said.skip |= name == "skip";
                // What is said of reading alone, or of writing alone, in parentheses.
                if meta.input.peek(syn::token::Paren) {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    content.parse::<Tokens>()?;
                }
                return Ok(());
            }
            let value = meta.value()?;
            if !value.peek(LitStr) {
                value.parse::<Expr>()?;
                return Ok(());
            }
            let text: LitStr = value.parse()?;
            match name.as_str() {
                "rename" => said.rename = Some(text.value()),
                "rename_all" => said.rename_all = Some(text.value()),
                "try_from" | "from" => said.via = Some(text.parse()?),
                "default" => said.optional = true,
                "with" => said.hex = text.value().rsplit("::").next().is_some_and(|last| last.starts_with("hex")),
                _ => {}
            }
            Ok(())
        })?;
    }
    Ok(said)
}

/// A variant's name under serde's rule for all of them, where it is one of the usual ones.
fn renamed(name: &str, rule: Option<&str>) -> String {
    let snake = || crate::form::snake_case(name);
    match rule {
        Some("snake_case") => snake(),
        Some("kebab-case") => snake().replace('_', "-"),
        Some("SCREAMING_SNAKE_CASE") => snake().to_uppercase(),
        Some("lowercase") => name.to_lowercase(),
        Some("UPPERCASE") => name.to_uppercase(),
        Some("camelCase") => name.chars().take(1).flat_map(char::to_lowercase).chain(name.chars().skip(1)).collect(),
        _ => name.to_owned(),
    }
}
