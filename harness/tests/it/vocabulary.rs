//! The words of the components: each has its sentence, and says of traces what traces are.

use crate::command_line::Room;
use crate::tally::Tally;
use memtwin::models::Component as _;
use memtwin::models::vocabulary::{Field, Held, Shape, Vocabulary, Word};
use memtwin::random::{Random, mix};
use memtwin::target::Dialect;
use memtwin::trace::Header;
use serde_json::Value;
use std::collections::HashSet;

/// Types that need no sentence.
const PLAIN: [&str; 10] = ["bool", "i32", "u8", "u16", "u32", "u64", "usize", "String", "Vec<u8>", "Vec<u16>"];

#[test]
fn each_op_and_each_operand_has_a_sentence() {
    for dialect in memtwin::built_in().dialects() {
        let vocabulary = dialect.vocabulary();
        for kind in dialect.op_kinds() {
            let choice = vocabulary.choice(kind);
            let choice = choice.unwrap_or_else(|| panic!("{kind} of {} is not told", dialect.name()));
            assert!(!choice.about.is_empty(), "{kind} of {}", dialect.name());
        }
        let roots = [vocabulary.setup, vocabulary.op, vocabulary.outcome, vocabulary.view, vocabulary.model];
        let roots: Vec<&Word> = roots.into_iter().flatten().collect();
        assert_eq!(roots.len(), 5, "{} does not say all", dialect.name());
        let mut names = HashSet::new();
        for word in vocabulary.operands().into_iter().chain(vocabulary.answers()).chain(roots) {
            assert!(names.insert(word.name), "{}: two types are called {}", dialect.name(), word.name);
            assert!(!word.about.is_empty(), "{} of {}", word.name, dialect.name());
        }
        for word in vocabulary.operands().into_iter().chain(vocabulary.setup).chain(vocabulary.op) {
            for held in held_by(word) {
                let inner = inside(held.of);
                assert!(held.word.is_some() || PLAIN.contains(&inner), "{}: {} is not told", dialect.name(), held.of);
            }
        }
        for number in vocabulary.numbers.iter().copied().flatten() {
            assert!(!number.about.is_empty() && !format!("{:?}", number.value).is_empty(), "{number:?}");
        }
    }
}

#[test]
fn what_is_drawn_is_said_of_each_operand() {
    for dialect in memtwin::built_in().dialects() {
        let (vocabulary, drawn) = (dialect.vocabulary(), dialect.drawn());
        assert_eq!(drawn.weights.len(), dialect.op_kinds().len(), "{}", dialect.name());
        let told: HashSet<&str> = drawn.sentences.iter().flat_map(|(of, _)| of.iter().copied()).collect();
        let choices = dialect.op_kinds().iter().filter_map(|kind| vocabulary.choice(kind));
        let operands: HashSet<&str> =
            choices.clone().flat_map(|choice| choice.fields).map(|field| field.name).collect();
        for name in &told {
            let is_known = ["setup", "trace"].contains(name) || dialect.op_kinds().contains(name);
            assert!(is_known || operands.contains(name), "{} has nothing called {name}", dialect.name());
        }
        assert!(told.contains("setup") && told.contains("trace"), "{}", dialect.name());
        for choice in choices.filter(|choice| !told.contains(choice.name)) {
            let untold = choice.fields.iter().find(|field| !told.contains(field.name));
            assert!(untold.is_none(), "{}: what is drawn of {}: {untold:?}?", dialect.name(), choice.name);
        }
    }
}

/// A trace of any bytes, as JSON, has what the vocabulary says and nothing else.
#[test]
fn traces_are_written_as_the_words_say() {
    for dialect in memtwin::built_in().dialects() {
        let vocabulary = dialect.vocabulary();
        let setup = vocabulary.setup.unwrap();
        let mut seen = HashSet::new();
        // One in 256 is of version 2, which has ops that came later.
        for number in 0..20_000 {
            let mut random = Random::new(mix(11, number));
            let mut bytes: Vec<u8> = (0..256).map(|_| random.below(256).to_le_bytes()[0]).collect();
            // Ops that came later are in version 2 alone.
            bytes[0] = 1 + (number & 1).to_le_bytes()[0];
            let text = printed(dialect, &bytes);
            let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            is_word(&lines.next().unwrap()["setup"], setup);
            for mut line in lines {
                let op = line.as_object_mut().unwrap();
                op.remove("lane");
                let kind = op.remove("op").unwrap();
                let kind = kind.as_str().unwrap().to_owned();
                has_fields(&line, vocabulary.choice(&kind).unwrap().fields);
                seen.insert(kind);
            }
        }
        assert_eq!(seen.len(), dialect.op_kinds().len(), "{}: {seen:?}", dialect.name());
    }
}

fn printed(dialect: &dyn Dialect, wire: &[u8]) -> String {
    dialect.print(wire, &Header::plain())
}

fn is_word(value: &Value, word: &Word) {
    if let Some(written) = word.written {
        return is_held(value, &written);
    }
    match word.shape {
        Shape::Fields(fields) => has_fields(value, fields),
        Shape::Choices(choices) => {
            let alone = || (value.as_str().unwrap(), &Value::Null);
            let first = value.as_object().and_then(|object| object.iter().next());
            let (name, held) = first.map_or_else(alone, |(name, held)| (name.as_str(), held));
            let choice = choices.iter().find(|choice| choice.name == name);
            match choice.unwrap_or_else(|| panic!("{} has no {name}", word.name)).fields {
                [] => assert_eq!(held, &Value::Null),
                [field] if field.name.is_empty() => is_held(held, &field.held),
                fields => has_fields(held, fields),
            }
        }
    }
}

fn has_fields(value: &Value, fields: &[Field]) {
    let object = value.as_object().unwrap_or_else(|| panic!("{value} has no fields"));
    for name in object.keys() {
        assert!(fields.iter().any(|field| field.name == name), "{name} of {value} is not told");
    }
    for field in fields {
        match object.get(field.name) {
            Some(part) => is_held(part, &field.held),
            None => assert!(field.optional, "{} is not in {value}", field.name),
        }
    }
}

fn is_held(value: &Value, held: &Held) {
    if let Some(list) = value.as_array() {
        return list.iter().for_each(|part| is_held(part, held));
    }
    if value.is_null() {
        return assert!(held.of.starts_with("Option<"), "{held:?}");
    }
    if let Some(word) = held.word {
        return is_word(value, word);
    }
    let is_right = match inside(held.of) {
        _ if held.hex => value.as_str().is_some_and(|text| text.starts_with("0x")),
        "bool" => value.is_boolean(),
        "String" => value.is_string(),
        _ => value.is_number(),
    };
    assert!(is_right, "{value}: {held:?}");
}

fn held_by(word: &Word) -> Vec<Held> {
    let of = |fields: &'static [Field]| fields.iter().map(|field| field.held);
    let parts: Vec<Held> = match word.shape {
        Shape::Fields(fields) => of(fields).collect(),
        Shape::Choices(choices) => choices.iter().flat_map(|choice| of(choice.fields)).collect(),
    };
    parts.into_iter().chain(word.written).collect()
}

/// The type inside of an option.
fn inside(of: &str) -> &str {
    of.strip_prefix("Option<").and_then(|of| of.strip_suffix('>')).unwrap_or(of)
}

#[test]
fn a_component_may_say_nothing() {
    let nothing: Vocabulary = Tally::VOCABULARY;
    assert!(nothing.operands().is_empty() && nothing.answers().is_empty() && nothing.choice("count").is_none());
}

#[test]
fn list_prints_the_words_as_json() {
    let list = Room::new().json(0, &["list", "--json"]);
    for (component, dialect) in list["components"].as_array().unwrap().iter().zip(memtwin::built_in().dialects()) {
        let operations = component["operations"].as_array().unwrap();
        let names: Vec<&str> = operations.iter().map(|operation| operation["op"].as_str().unwrap()).collect();
        assert_eq!(names, dialect.op_kinds());
        for operation in operations {
            assert!(operation["sentence"].is_string() && operation["weight"].is_number(), "{operation}");
            for operand in operation["operands"].as_array().unwrap() {
                assert!(operand["name"].is_string() && operand["type"].is_string(), "{operand}");
            }
        }
        assert!(component["judging"].as_str().unwrap().starts_with("The reference model: "), "{component}");
        for list in ["types", "numbers", "drawn", "outcome_types", "outcome_classes"] {
            assert!(!component[list].as_array().unwrap().is_empty(), "{list} of {}", dialect.name());
        }
        assert!(component["setup"]["fields"].is_array() && component["outcome"]["fields"].is_array());
    }
}
