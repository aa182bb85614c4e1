//! The forms of reports, judged by the schemas that others wrote for them, and by this project's own for run files. It
//! knows nothing of how reports are made.

use jsonschema::Validator;
use serde_json::Value;
use std::path::Path;
use std::sync::LazyLock;
use uppsala::XsdValidator;

/// The committed schema, as it is and without room for unknown fields.
static RUN_FILES: LazyLock<[Validator; 2]> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/memtwin-run-1.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut strict = schema.clone();
    forbid_unknown_fields(&mut strict);
    [schema, strict].map(|schema| jsonschema::validator_for(&schema).unwrap())
});

static SARIF: LazyLock<Validator> = LazyLock::new(|| {
    // The pattern for languages has a bracket too many, which strict readers of patterns refuse.
    let schema = include_str!("../../schemas/sarif-2.1.0.json").replace("{2}]?$", "{2}$");
    jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap()
});

fn forbid_unknown_fields(schema: &mut Value) {
    let Value::Object(parts) = schema else { return };
    if parts.get("type") == Some(&"object".into()) && parts.contains_key("properties") {
        parts.insert("additionalProperties".into(), false.into());
    }
    parts.values_mut().for_each(forbid_unknown_fields);
}

/// Complains about the first thing that a schema does not allow.
#[track_caller]
fn validate(validator: &Validator, value: &Value) {
    let complaint = validator.iter_errors(value).next().map(|error| format!("{error} at {}", error.instance_path()));
    assert_eq!(complaint.map(|text| text.chars().take(2000).collect::<String>()), None);
}

/// A run file says what the committed schema says. The schema lets fields of newer versions be; those of this one are
/// in it.
#[track_caller]
pub(crate) fn is_run_file(run: &Value) {
    for validator in &*RUN_FILES {
        validate(validator, run);
    }
}

/// The text is SARIF 2.1.0.
#[track_caller]
pub(crate) fn is_sarif(text: &str) -> Value {
    let log: Value = serde_json::from_str(text).unwrap();
    validate(&SARIF, &log);
    log
}

/// The text is JUnit XML as Jenkins has it. Returns the counts of cases and failures that it claims.
#[track_caller]
pub(crate) fn is_junit(text: &str) -> (usize, usize) {
    let schema = uppsala::parse(include_str!("../../schemas/junit-10.xsd")).unwrap();
    let validator = XsdValidator::from_schema(&schema).unwrap();
    let document = uppsala::parse(text).unwrap();
    let complaints: Vec<_> = validator.validate(&document).iter().take(3).map(ToString::to_string).collect();
    assert_eq!(complaints, [""; 0]);
    let count = |name: &str| {
        let rest = text.split_once(&format!(" {name}=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let counted = (count("tests"), count("failures"));
    assert_eq!(counted, (text.matches("<testcase ").count(), text.matches("<failure ").count()));
    counted
}
