//! The words of a component as JSON: what `memtwin list --json` says of it besides laws, freedoms and subjects. Where a
//! component of one's own says nothing, the fields are null or empty. Judges no words.

use crate::target::Dialect;
use memtwin_models::Effect;
use memtwin_models::vocabulary::{Field, Held, Shape, Word, plain, sentence, snake_case};
use serde_json::{Value, json};

/// All fields, to be added to those of the component.
pub(super) fn of(dialect: &dyn Dialect) -> Value {
    let vocabulary = dialect.vocabulary();
    let drawn = dialect.drawn();
    let operations = dialect.op_kinds().iter().enumerate().map(|(index, kind)| {
        let choice = vocabulary.choice(kind);
        json!({
            "op": kind,
            "sentence": choice.map(|choice| sentence(choice.about)),
            "operands": choice.map(|choice| fields(choice.fields)),
            "weight": drawn.weights.get(index),
        })
    });
    let classes = dialect.outcome_classes().iter().map(|class| {
        let effect = match class.effect {
            Effect::Success => "success",
            Effect::Failure => "failure",
            Effect::Skipped => "skipped",
        };
        json!({ "class": class.name, "effect": effect })
    });
    let sentences = drawn.sentences.iter();
    let sentences = sentences.map(|(of, said)| json!({ "of": of, "sentence": sentence(said) }));
    let numbers = vocabulary.numbers.iter().copied().flatten().map(|number| {
        json!({
            "number": number.name,
            "value": format!("{:?}", number.value),
            "written": number.written,
            "sentence": sentence(number.about),
        })
    });
    json!({
        "judging": vocabulary.model.map(|model| plain(model.about)),
        "setup": vocabulary.setup.map(|setup| word(setup, false)),
        "operations": operations.collect::<Vec<_>>(),
        "types": vocabulary.operands().into_iter().map(|operand| word(operand, false)).collect::<Vec<_>>(),
        "outcome": vocabulary.outcome.map(|outcome| word(outcome, true)),
        "view": vocabulary.view.map(|view| word(view, true)),
        "outcome_types": vocabulary.answers().into_iter().map(|answer| word(answer, true)).collect::<Vec<_>>(),
        "outcome_classes": classes.collect::<Vec<_>>(),
        "numbers": numbers.collect::<Vec<_>>(),
        "drawn": sentences.collect::<Vec<_>>(),
    })
}

/// A type. What programs see is in no trace, so that its choices have no names there.
fn word(word: &Word, is_seen: bool) -> Value {
    let mut said = json!({
        "type": word.name,
        "sentence": sentence(word.about),
        "written": word.written.as_ref().map(written),
    });
    match word.shape {
        Shape::Fields(parts) => said["fields"] = fields(parts),
        Shape::Choices(choices) => {
            let choices = choices.iter().map(|choice| {
                let name = if is_seen { snake_case(choice.name) } else { choice.name.to_owned() };
                json!({ "choice": name, "sentence": sentence(choice.about), "fields": fields(choice.fields) })
            });
            said["choices"] = choices.collect();
        }
    }
    said
}

fn fields(fields: &[Field]) -> Value {
    let field = |field: &Field| {
        json!({
            "name": Some(field.name).filter(|name| !name.is_empty()),
            "type": field.held.of,
            "written": Some(written(&field.held)).filter(|_| field.held.hex),
            "optional": field.optional,
            "sentence": Some(sentence(field.about)).filter(|about| !about.is_empty()),
        })
    };
    fields.iter().map(field).collect()
}

/// How a trace has a value.
fn written(held: &Held) -> String {
    if held.hex { "\"0x…\"".to_owned() } else { held.of.to_owned() }
}
