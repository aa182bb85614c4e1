//! What is derived, as code. Each operand is asked for its own form; nothing here knows what an operand is.

use crate::form::{Variant, Whole};
use proc_macro2::{Ident, TokenStream as Tokens};
use quote::{format_ident, quote};
use syn::{Error, Path, Result};

pub(crate) fn kinds(Whole { op, about, .. }: &Whole, variants: &[Variant]) -> Result<Tokens> {
    let kind = format_ident!("{op}Kind");
    let names: Vec<&Ident> = variants.iter().map(|variant| &variant.name).collect();
    let snake_case = variants.iter().map(Variant::snake_case);
    let about = about.iter().map(|(name, of)| operand(op, name, of.as_ref(), variants));
    Ok(quote! {
        /// The kind of an op.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum #kind { #(#names,)* }

        impl #kind {
            /// Every kind, in the order of its names.
            pub const ALL: &'static [#kind] = &[#(#kind::#names,)*];
            /// The names, as in traces and run files.
            pub const NAMES: &'static [&'static str] = &[#(#snake_case,)*];
        }

        impl #op {
            /// The kind.
            #[inline]
            #[must_use]
            pub const fn kind(&self) -> #kind {
                match self { #(#op::#names { .. } => #kind::#names,)* }
            }
        }

        #(#about)*
    })
}

/// The operand that most ops have.
fn operand(op: &Ident, name: &Ident, of: Option<&Path>, variants: &[Variant]) -> Tokens {
    let arms = |some: &Tokens| -> Vec<Tokens> {
        let arm = |variant: &Variant| match (&variant.name, variant.fields.contains(name)) {
            (with, true) => quote!(#op::#with { #name, .. } => Some(#some)),
            (without, false) => quote!(#op::#without { .. } => None),
        };
        variants.iter().map(arm).collect()
    };
    let (read, change) = (arms(&quote!(*#name)), arms(&quote!(#name)));
    let (mutable, doc) = (format_ident!("{name}_mut"), format!("The {name} of the op, if it has one."));
    quote! {
        impl #op {
            #[doc = #doc]
            #[inline]
            #[must_use]
            pub const fn #name(&self) -> Option<#of> {
                match self { #(#read,)* }
            }

            #[doc = #doc]
            #[must_use]
            pub const fn #mutable(&mut self) -> Option<&mut #of> {
                match self { #(#change,)* }
            }
        }
    }
}

pub(crate) fn wire(Whole { op, edges, free, .. }: &Whole, variants: &[Variant]) -> Result<Tokens> {
    let no_edges = || Error::new(op.span(), "`#[forms(edges = …)]` is missing: the number of edges");
    let edges = edges.as_ref().ok_or_else(no_edges)?;
    let tags = variants.iter().map(Variant::tag).collect::<Result<Vec<_>>>()?;
    let (mut checks, mut reads, mut writes, mut later) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, variant) in variants.iter().enumerate() {
        let Variant { name, fields, low, wire, .. } = variant;
        let tag = tags[index];
        // The tags of version 1 end before those of later ops, or before those that are kept free.
        let is_later = LATER_TAG <= tag;
        let limit = if is_later { TAGS } else { free.map_or(LATER_TAG, u16::from) };
        let end = tags.get(index + 1).map_or(limit, |next| limit.min(*next)).saturating_sub(1);
        if end < tag || (index == 0) != (tag == 0) {
            return Err(variant.error("tags begin with 0 and ascend, in the order of declaration"));
        }
        if is_later {
            if end - tag + 1 < FEWEST_LATER_TAGS {
                return Err(variant.error("an op that version 1 does not know has at least four tags"));
            }
            later.push(quote!(#op::#name { .. }));
        }
        if let [read, write] = variant.by_hand.as_slice() {
            if is_later {
                return Err(variant.error("`by_hand` is for ops of version 1"));
            }
            let first = tag.to_le_bytes()[0];
            reads.push(quote!(#tag..=#end => #read((tag - #tag) as u8, edges, reader),));
            writes.push(quote!(#op::#name { #(#fields),* } => #write(#first, #(*#fields,)* edges, writer),));
            continue;
        }
        let bits = variant.low_types().into_iter().map(|of| quote!(<#of as crate::operand::Low<{ #edges }>>::BITS));
        let bits: Vec<Tokens> = bits.collect();
        let shifts: Vec<Tokens> =
            (0..bits.len()).map(|at| bits[..at].iter().fold(quote!(0), |sum, bits| quote!(#sum + #bits))).collect();
        let message = format!("{name}: the operands in the low bits do not fit the tags");
        checks.push(quote! {
            let values = 1_u32 << (0 #(+ #bits)*);
            assert!((#end as u32 - #tag as u32 + 1).is_multiple_of(values), #message);
        });
        reads.push(quote! {
            #tag..=#end => #op::#name {
                #(#low: crate::operand::Low::read_low(
                    ((tag - #tag) >> (#shifts)) as u8 & ((1 << #bits) - 1), edges, reader
                ),)*
                #(#wire: crate::operand::Operand::read(edges, reader),)*
            },
        });
        writes.push(quote! {
            #op::#name { #(#fields),* } => {
                writer.tag(#tag #(+ (u16::from(crate::operand::Low::<{ #edges }>::low(#low)) << (#shifts)))*);
                #(crate::operand::Low::write_rest(#low, edges, writer);)*
                #(crate::operand::Operand::write(#wire, edges, writer);)*
            }
        });
    }
    let later = if later.is_empty() { quote!(false) } else { quote!(matches!(self, #(#later)|*)) };
    Ok(quote! {
        const _: () = { #(#checks)* };

        impl #op {
            /// Whether version 1 of the wire format does not know the op.
            #[inline]
            #[must_use]
            pub const fn is_later(&self) -> bool {
                #later
            }

            /// Reads the op with this tag; `None` where no op has it.
            #[inline]
            #[allow(clippy::cast_possible_truncation)] // an op has fewer than 256 tags
            pub fn read(
                tag: u16,
                edges: &crate::wire::Edges<{ #edges }>,
                reader: &mut crate::wire::Reader<'_>,
            ) -> Option<Self> {
                Some(match tag { #(#reads)* _ => return None })
            }

            /// Writes an op in at least one byte.
            #[inline]
            pub fn write(&self, edges: &crate::wire::Edges<{ #edges }>, writer: &mut crate::wire::Writer<'_>) {
                match self { #(#writes)* }
            }
        }
    })
}

/// The tags of ops that version 1 does not know begin here, and end before [`TAGS`]; each has so many.
const LATER_TAG: u16 = 256;
const TAGS: u16 = 496;
const FEWEST_LATER_TAGS: u16 = 4;

pub(crate) fn simpler(Whole { op, .. }: &Whole, variants: &[Variant]) -> Result<Tokens> {
    let arms = variants.iter().map(|Variant { name, fields, simpler, .. }| {
        let each = simpler.iter().map(|(field, by)| {
            let others = fields.iter().filter(|other| *other != field);
            let by = by.as_ref().map_or_else(|| quote!(crate::operand::Simpler::simpler), |path| quote!(#path));
            quote! {
                simpler.extend(#by(#field).into_iter().map(|#field| {
                    #op::#name { #field, #(#others: ::core::clone::Clone::clone(#others),)* }
                }));
            }
        });
        quote! {
            #[allow(unused_variables)]
            #op::#name { #(#fields),* } => { #(#each)* }
        }
    });
    Ok(quote! {
        impl crate::operand::Simpler for #op {
            fn simpler(&self) -> Vec<Self> {
                let mut simpler = Vec::new();
                match self { #(#arms)* }
                simpler
            }
        }
    })
}

pub(crate) fn words(Whole { op, .. }: &Whole, variants: &[Variant]) -> Result<Tokens> {
    let mut arms = Vec::new();
    for variant in variants {
        let (Variant { name, fields, .. }, say) = (variant, variant.say()?);
        arms.push(quote! {
            #[allow(unused_variables)]
            #op::#name { #(#fields),* } => ::core::write!(formatter, #say),
        });
    }
    Ok(quote! {
        impl ::core::fmt::Display for #op {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self { #(#arms)* }
            }
        }
    })
}
