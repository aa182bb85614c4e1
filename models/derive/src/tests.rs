//! What is wrong with an op is an error that names the variant.

use crate::form::{Variant, Whole};
use crate::{forms, parse};
use proc_macro2::TokenStream as Tokens;
use syn::{DeriveInput, Result, parse_quote};

type Form = fn(&Whole, &[Variant]) -> Result<Tokens>;

/// What a derive says of an op.
fn complaint(form: Form, op: &DeriveInput) -> String {
    let expanded = parse(op).and_then(|(whole, variants)| form(&whole, &variants));
    expanded.map_or_else(|error| error.to_string(), |code| code.to_string())
}

#[test]
fn what_is_missing_or_wrong_is_said_of_the_variant() {
    let says = |variant: syn::Variant, form: Form| {
        let op = parse_quote! { #[forms(edges = 4)] enum Op { #[form(tag = 0, say("first"))] First, #variant } };
        complaint(form, &op)
    };
    let wire = |variant| says(variant, forms::wire);
    assert_eq!(wire(parse_quote!(Next)), "Next: `#[form(tag = …)]` is missing");
    let order = "Next: tags begin with 0 and ascend, in the order of declaration";
    assert_eq!(
        wire(parse_quote!(
            #[form(tag = 0)]
            Next
        )),
        order
    );
    let once = "Next: `low` and `wire` together name each operand once";
    assert_eq!(
        wire(parse_quote!(
            #[form(tag = 8, low(a), wire(a))]
            Next { a: u8 }
        )),
        once
    );
    assert_eq!(
        wire(parse_quote!(
            #[form(tag = 8, wire())]
            Next { a: u8 }
        )),
        once
    );
    assert_eq!(
        wire(parse_quote!(
            #[form(tag = 8)]
            Next(u8)
        )),
        "Next: operands have names"
    );
    let by_hand = "Next: `by_hand` names the function that reads it, and the one that writes it";
    assert_eq!(
        wire(parse_quote!(
            #[form(tag = 8, by_hand(read))]
            Next
        )),
        by_hand
    );
    let simpler = says(
        parse_quote!(
            #[form(simpler(b))]
            Next { a: u8 }
        ),
        forms::simpler,
    );
    assert_eq!(simpler, "Next: `simpler` names operands");
    assert_eq!(says(parse_quote!(Next), forms::words), "Next: `#[form(say(\"…\"))]` is missing");
}

#[test]
fn kinds_keep_the_order_of_declaration() {
    let op = parse_quote!(
        enum Op {
            Write { slot: u8 },
            AllocZeroed,
            Free,
        }
    );
    let code = complaint(forms::kinds, &op);
    assert!(code.contains(r#"& ["write" , "alloc_zeroed" , "free" ,]"#), "{code}");
}
