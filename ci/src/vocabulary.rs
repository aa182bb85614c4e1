//! Pages with the words of each component: setups, operations, what is drawn, answers, laws, freedoms, and how a model
//! judges. All of it is asked of the registry, as `memtwin list --json` does. Does not judge words.

use memtwin::models::vocabulary::{Field, Held, Shape, Word, plain, sentence, snake_case};
use memtwin::target::Dialect;
use std::error::Error;
use std::fmt::Write as _;

/// The page of a component.
pub(crate) fn page(dialect: &dyn Dialect) -> Result<String, Box<dyn Error>> {
    let (name, vocabulary, drawn) = (dialect.name(), dialect.vocabulary(), dialect.drawn());
    let nothing = |what: &str| format!("{name} does not say what its {what} is");
    let mut page = format!(
        "# The words of `{name}`\n\nMade from the code by `cargo xtask generate`; `memtwin list --json` has the same. \
         A trace is a line with a header and its\nsetup, then a line for each operation, in JSON. A number that is \
         written `\"0x…\"` is a string. Of a list of choices one\nis written, as its name, or as `{{\"name\": …}}` \
         where it holds something.\n\n"
    );
    let setup = vocabulary.setup.ok_or_else(|| nothing("setup"))?;
    writeln!(page, "## Setup\n\n{}\n", plain(setup.about))?;
    parts(&mut page, setup, "", false)?;
    let op = vocabulary.op.ok_or_else(|| nothing("op"))?;
    writeln!(page, "\n## Operations\n\n{}\n", plain(op.about))?;
    parts(&mut page, op, "", false)?;
    page.push_str("\n## What they are made of\n\n");
    types(&mut page, &vocabulary.operands(), false)?;
    page.push_str("\n## What is drawn\n\nBy engines that draw traces; mutants of these have any operands.\n\n");
    for (of, said) in drawn.sentences {
        let of: Vec<String> = of.iter().map(|name| format!("`{name}`")).collect();
        writeln!(page, "- {}: {}", of.join(", "), sentence(said))?;
    }
    let weights = dialect.op_kinds().iter().zip(drawn.weights).map(|(kind, weight)| format!("`{kind}` {weight}"));
    let weights = weights.collect::<Vec<_>>().join(", ");
    writeln!(page, "- The weights of operations, before a trace has its own: {weights}.")?;
    page.push_str("\n## Numbers\n\n");
    for number in vocabulary.numbers.iter().copied().flatten() {
        let (written, value) = (number.written, format!("{:?}", number.value));
        let is_plain = written.replace('_', "") == value || written.starts_with("0x") && !written.contains(' ');
        let value = if is_plain { String::new() } else { format!(" = {value}") };
        writeln!(page, "- `{}` = `{written}`{value}: {}", number.name, sentence(number.about))?;
    }
    let outcome = vocabulary.outcome.ok_or_else(|| nothing("outcome"))?;
    writeln!(page, "\n## Answers\n\n{}\n", plain(outcome.about))?;
    parts(&mut page, outcome, "", true)?;
    if let Some(view) = vocabulary.view {
        writeln!(page, "\n{}\n", plain(view.about))?;
        parts(&mut page, view, "", true)?;
    }
    page.push_str("\nThese are made of:\n\n");
    types(&mut page, &vocabulary.answers(), true)?;
    page.push_str("\n## Outcome classes\n\nWhat run files count.\n\n");
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
    let model = vocabulary.model.ok_or_else(|| nothing("model"))?;
    writeln!(page, "\n## How the model judges\n\n{}", plain(model.about))?;
    Ok(page)
}

fn types(page: &mut String, words: &[&Word], are_seen: bool) -> Result<(), std::fmt::Error> {
    for word in words {
        let written = word.written.map_or_else(String::new, |held| format!(" ({})", shown(&held)));
        writeln!(page, "- **{}**{written}: {}", word.name, sentence(word.about))?;
        parts(page, word, "  ", are_seen)?;
    }
    Ok(())
}

/// A line for each part of a type. What programs see is in no trace, so that its choices have no names there.
fn parts(page: &mut String, word: &Word, indent: &str, is_seen: bool) -> Result<(), std::fmt::Error> {
    match word.shape {
        Shape::Fields(fields) => {
            for field in fields {
                let optional = if field.optional { ", may be left out" } else { "" };
                let (held, about) = (shown(&field.held), sentence(field.about));
                writeln!(page, "{indent}- `{}` ({held}{optional}): {about}", field.name)?;
            }
        }
        Shape::Choices(choices) => {
            for choice in choices {
                let name = if is_seen { snake_case(choice.name) } else { choice.name.to_owned() };
                let held: Vec<String> = choice.fields.iter().map(operand).collect();
                let held = if held.is_empty() { String::new() } else { format!(" ({})", held.join(", ")) };
                writeln!(page, "{indent}- `{name}`{held}: {}", sentence(choice.about))?;
                for field in choice.fields.iter().filter(|field| !field.about.is_empty()) {
                    writeln!(page, "{indent}  - `{}`: {}", field.name, sentence(field.about))?;
                }
            }
        }
    }
    Ok(())
}

fn operand(field: &Field) -> String {
    let held = shown(&field.held);
    if field.name.is_empty() { held } else { format!("{}: {held}", field.name) }
}

/// A type, and how traces write it where that is not plain.
fn shown(held: &Held) -> String {
    if held.hex { format!("{} as `\"0x…\"`", held.of) } else { held.of.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_has_its_words() {
        for dialect in memtwin::built_in().dialects() {
            let page = page(dialect).unwrap();
            for kind in dialect.op_kinds() {
                assert!(page.contains(&format!("- `{kind}`")), "{kind} of {} is not told", dialect.name());
            }
            assert!(page.lines().all(|line| !line.trim_start().starts_with("- ") || !line.ends_with(": ")), "{page}");
        }
    }
}
