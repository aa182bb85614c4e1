//! What is wrong with an op is an error that names the variant.

use crate::form::{Variant, Whole};
use crate::{described, forms, parse};
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
    let few = "Next: an op that version 1 does not know has at least four tags";
    assert_eq!(
        wire(parse_quote!(
            #[form(tag = 493)]
            Next
        )),
        few
    );
    let by_hand_later = "Next: `by_hand` is for ops of version 1";
    assert_eq!(
        wire(parse_quote!(
            #[form(tag = 256, by_hand(read, write))]
            Next
        )),
        by_hand_later
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

#[test]
fn a_type_brings_its_comments_and_the_names_that_serde_gives() {
    let word: DeriveInput = parse_quote! {
        /// A place.
        #[serde(rename_all = "snake_case", tag = "op")]
        pub enum Place {
            /// No
            /// place.
            NoPlace,
            #[serde(rename = "here_1")]
            Here { #[serde(with = "crate::hex")] at: u64, #[serde(default)] of: Option<Cpu> },
        }
    };
    let code = described::described(&word, &quote::quote!(crate)).unwrap().to_string();
    for part in [
        r#"name : "Place" , about : "A place.""#,
        r#"name : "no_place" , about : "No\nplace." , fields : & []"#,
        r#"name : "here_1""#,
        r#"name : "at" , about : "" , held : crate :: vocabulary :: Held { of : "u64" , hex : true"#,
        r#"of : "Option<Cpu>" , hex : false"#,
        "optional : true",
    ] {
        assert!(code.contains(part), "{part}: {code}");
    }
}

#[test]
fn what_a_public_type_keeps_to_itself_is_told_if_serde_writes_it() {
    let told = |word: DeriveInput| described::described(&word, &quote::quote!(crate)).unwrap().to_string();
    assert!(
        !told(parse_quote!(
            pub struct Outcome {
                buffer: Vec<u8>,
            }
        ))
        .contains("buffer")
    );
    assert!(
        told(parse_quote!(
            struct Outcome {
                buffer: Vec<u8>,
            }
        ))
        .contains("buffer")
    );
    assert!(
        told(parse_quote!(
            #[serde(deny_unknown_fields)]
            pub struct Setup {
                size: u8,
            }
        ))
        .contains("size")
    );
    assert!(
        !told(parse_quote!(
            struct Setup {
                #[serde(skip)]
                size: u8,
            }
        ))
        .contains("size")
    );
}

#[test]
fn a_function_that_is_told_has_documentation() {
    let told = |function| described::told(quote::quote!(pub(super) SIZE), &function);
    let code = told(quote::quote!(
        #[doc = " Small."]
        fn size() {}
    ))
    .unwrap()
    .to_string();
    assert!(code.starts_with(r#"pub (super) const SIZE : & 'static str = "Small." ;"#), "{code}");
    let complaint = told(quote::quote!(
        fn size() {}
    ))
    .unwrap_err()
    .to_string();
    assert_eq!(complaint, "there is nothing to tell: the function has no documentation");
}
