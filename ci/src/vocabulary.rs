//! Pages with the words of each component: setups, operations, answers, laws, freedoms, and how a model judges. What
//! the registry knows is asked of it; the rest is read from the documentation in the models' sources. Does not judge
//! words.
#![allow(clippy::wildcard_enum_match_arm)] // the grammar of Rust has more kinds of items than are told here

use crate::room::Room;
use memtwin::target::Dialect;
use quote::ToTokens as _;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use syn::{Attribute, Expr, ExprLit, Fields, Item, Lit, Meta};

/// The files of a component whose types are its words; not all components have all of them.
const FILES: [&str; 5] = ["setup.rs", "op.rs", "operands.rs", "address.rs", "outcome.rs"];
/// What is told in a section of its own, and what is not for those who write traces.
const TOLD_ELSEWHERE: [&str; 4] = ["Setup", "Op", "Seen", "View"];

/// A type with its documentation.
struct Type {
    name: String,
    about: String,
    parts: Vec<Part>,
}

/// A field or a variant.
struct Part {
    name: String,
    about: String,
    /// What it holds: the fields of a variant, the type of a field.
    holds: Vec<String>,
}

/// The page of a component.
pub(crate) fn page(room: &Room, dialect: &dyn Dialect) -> Result<String, Box<dyn Error>> {
    let folder = room.root.join("models/src").join(dialect.name());
    let (mut types, mut numbers) = (Vec::new(), Vec::new());
    for file in FILES.iter().map(|file| folder.join(file)).filter(|file| file.exists()) {
        let items = items_of(&file)?;
        types.extend(items.iter().filter_map(described));
        numbers.extend(items.iter().filter_map(number));
    }
    let name = dialect.name();
    let mut page = format!("# The words of `{name}`\n\n");
    writeln!(
        page,
        "Made from the code by `cargo xtask generate`. A trace is a line with a header and its setup, then a line for each\noperation, in JSON.\n"
    )?;
    section(&mut page, "Setup", &types, "Setup")?;
    section(&mut page, "Operations", &types, "Op")?;
    page.push_str("## What they are made of\n\n");
    let is_private = |name: &str| TOLD_ELSEWHERE.contains(&name) || name == "Outcome";
    for word in types.iter().filter(|word| !is_private(&word.name)) {
        writeln!(page, "- **{}**: {}", word.name, word.about)?;
        for part in word.parts.iter().filter(|part| !part.about.is_empty()) {
            writeln!(page, "  - `{}`{}: {}", snake_case(&part.name), held(part), part.about)?;
        }
    }
    page.push_str("\n## Numbers\n\n");
    for number in numbers {
        writeln!(page, "- `{}` = `{}`: {}", number.name, number.holds.join(""), number.about)?;
    }
    page.push('\n');
    section(&mut page, "Answers", &types, "Seen")?;
    page.push_str("## Outcome classes\n\nWhat run files count.\n\n");
    for class in dialect.outcome_classes() {
        writeln!(page, "- `{}`: {}", class.name, format!("{:?}", class.effect).to_lowercase())?;
    }
    page.push_str("\n## Laws\n\n");
    for law in dialect.laws() {
        writeln!(page, "- **{}**: {}", law.name, law.sentence)?;
    }
    page.push_str("\n## Freedoms\n\nWhat an implementation's documentation may claim.\n\n");
    for freedom in dialect.freedoms() {
        writeln!(page, "- `{}`: {}", freedom.name, freedom.sentence)?;
    }
    page.push_str("\n## How the model judges\n\n");
    let model = ["model.rs", "model/mod.rs"].map(|file| folder.join(file)).into_iter().find(|file| file.exists());
    let source = std::fs::read_to_string(model.ok_or("there is no model")?)?;
    let head = source.lines().map_while(|line| line.strip_prefix("//!"));
    for line in head {
        writeln!(page, "{}", unlinked(line.strip_prefix(' ').unwrap_or(line)))?;
    }
    Ok(page)
}

/// A type whose parts have a line each.
fn section(page: &mut String, title: &str, types: &[Type], name: &str) -> Result<(), Box<dyn Error>> {
    let word = types.iter().find(|word| word.name == name).ok_or_else(|| format!("there is no type {name}"))?;
    write!(page, "## {title}\n\n{}\n\n", word.about)?;
    for part in &word.parts {
        writeln!(page, "- `{}`{}: {}", snake_case(&part.name), held(part), part.about)?;
    }
    page.push('\n');
    Ok(())
}

fn held(part: &Part) -> String {
    if part.holds.is_empty() { String::new() } else { format!(" ({})", part.holds.join(", ")) }
}

fn items_of(path: &Path) -> Result<Vec<Item>, Box<dyn Error>> {
    let source = std::fs::read_to_string(path)?;
    let file = syn::parse_file(&source).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(file.items)
}

/// A public constant.
fn number(item: &Item) -> Option<Part> {
    let Item::Const(item) = item else { return None };
    let is_public = matches!(item.vis, syn::Visibility::Public(_));
    let value = item.expr.to_token_stream().to_string();
    is_public.then(|| Part { name: item.ident.to_string(), about: about(&item.attrs), holds: vec![value] })
}

/// A public type.
fn described(item: &Item) -> Option<Type> {
    let is_public = |visibility: &syn::Visibility| matches!(visibility, syn::Visibility::Public(_));
    match item {
        Item::Struct(item) if is_public(&item.vis) => {
            let parts = item.fields.iter().filter(|field| is_public(&field.vis)).filter_map(|field| {
                let name = field.ident.as_ref()?.to_string();
                Some(Part { name, about: about(&field.attrs), holds: vec![shown(&field.ty)] })
            });
            Some(Type { name: item.ident.to_string(), about: about(&item.attrs), parts: parts.collect() })
        }
        Item::Enum(item) if is_public(&item.vis) => {
            let parts = item.variants.iter().map(|variant| Part {
                name: variant.ident.to_string(),
                about: about(&variant.attrs),
                holds: holds(&variant.fields),
            });
            Some(Type { name: item.ident.to_string(), about: about(&item.attrs), parts: parts.collect() })
        }
        _ => None,
    }
}

fn holds(fields: &Fields) -> Vec<String> {
    let field = |field: &syn::Field| match &field.ident {
        Some(name) => format!("{name}: {}", shown(&field.ty)),
        None => shown(&field.ty),
    };
    fields.iter().map(field).collect()
}

/// A type as it is written, without its paths.
fn shown(of: &syn::Type) -> String {
    of.to_token_stream().to_string().replace(' ', "")
}

/// The documentation as one paragraph, with links to types as their names.
fn about(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    unlinked(&lines.collect::<Vec<_>>().join(" "))
}

/// The text with links to items as their names: a page cannot follow them.
fn unlinked(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        let Some((name, after)) = link.split_once(']') else { break };
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        let of_item = target.filter(|(target, _)| target.contains("::"));
        rest = of_item.map_or(after, |(_, behind)| behind);
        plain.push_str(name);
    }
    plain.push_str(rest);
    plain
}

/// The name in traces.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_has_its_words() {
        let room = Room::of_this_repository();
        for dialect in memtwin::built_in().dialects() {
            let page = page(&room, dialect).unwrap();
            for kind in dialect.op_kinds() {
                assert!(page.contains(&format!("- `{kind}`")), "{kind} of {} is not told", dialect.name());
            }
            assert!(page.lines().all(|line| !line.ends_with("`: ")), "{page}");
        }
    }
}
