//! Shapes of traces: of several traces with one signature, those of other shapes are kept too, for a signature may hide
//! another cause. Does not run anything.

use crate::finding::Signature;
use crate::target::Dialect;
use crate::trace::Header;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many more traces with a signature are shrunk for their shape, in the epoch that finds it first.
const MORE_TRACES: usize = 3;
/// From here on a number is large: no count of anything that fits into a small setup.
const LARGE: u64 = 1 << 32;

/// Which signatures of an epoch want more traces.
#[derive(Debug, Default)]
pub(super) struct Attempts(BTreeMap<String, usize>);

impl Attempts {
    /// A signature was found. What an earlier epoch filed wants no more here, so that the number of workers shows in
    /// nothing.
    pub(super) fn begin(&mut self, signature: &Signature, is_new: bool) {
        self.0.insert(signature.to_string(), if is_new { MORE_TRACES } else { 0 });
    }

    /// Whether another trace with this signature is to be shrunk.
    pub(super) fn wants(&mut self, signature: &Signature) -> bool {
        let left = self.0.entry(signature.to_string()).or_default();
        let wants = 0 < *left;
        *left = left.saturating_sub(1);
        wants
    }
}

/// The shape of a trace: its ops with the classes of their numbers (zero, small, large).
pub(super) fn shape(dialect: &dyn Dialect, wire: &[u8]) -> Vec<Value> {
    let text = dialect.print(wire, &Header::plain());
    let ops = text.lines().skip(1).filter_map(|line| serde_json::from_str(line).ok());
    ops.map(|mut op| {
        classify(&mut op);
        op
    })
    .collect()
}

fn class(number: Option<u64>) -> Value {
    match number {
        Some(0) => "zero",
        Some(number) if number < LARGE => "small",
        Some(_) | None => "large",
    }
    .into()
}

fn classify(value: &mut Value) {
    match value {
        Value::Number(number) => *value = class(number.as_u64()),
        // Values of 64 bits are written so.
        Value::String(text) if text.starts_with("0x") => *value = class(u64::from_str_radix(&text[2..], 16).ok()),
        Value::Array(values) => values.iter_mut().for_each(classify),
        Value::Object(fields) => fields.values_mut().for_each(classify),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Cause;
    use crate::registry::Listed;
    use crate::trace::Trace;
    use memtwin_models::guest_memory::{GuestAddress, GuestMemory, Op, Owner, Setup, TransferLength};
    use memtwin_models::{Contract as _, Health, Row, Unsupported};

    fn read(address: u64, length: u64) -> Op {
        let length = TransferLength::new_folded(length);
        Op::ReadBulk { owner: Owner::new_folded(0), address: GuestAddress(address), length }
    }

    #[test]
    fn an_empty_transfer_has_another_shape_than_one_of_bytes() {
        static ROW: Row<GuestMemory> = Row {
            name: "none",
            health: Health::Sound,
            contract: memtwin_models::guest_memory::GuestMemoryContract::STRICT,
            build: &|_| Err(Unsupported("it is not built")),
            origin: None,
        };
        let dialect = GuestMemory::target(&ROW).dialect();
        let of = |ops: Vec<Op>| shape(dialect, &Trace::<GuestMemory>::new(Setup::flat(64), ops).to_wire());
        assert_eq!(of(vec![read(8, 4)]), of(vec![read(60, 8)]));
        assert_ne!(of(vec![read(8, 4)]), of(vec![read(8, 0)]));
        assert_ne!(of(vec![read(8, 4)]), of(vec![read(8, 4), read(8, 4)]));
    }

    #[test]
    fn a_signature_wants_a_few_more_traces_where_it_is_new() {
        let cause = |law: &str| Cause::Law { law: law.to_owned(), field: "f".to_owned(), place: None };
        let [new, old] = ["a", "b"].map(|law| Signature::new("c", "op", &cause(law)));
        let mut attempts = Attempts::default();
        attempts.begin(&new, true);
        attempts.begin(&old, false);
        let wanted = (0..10).filter(|_| attempts.wants(&new)).count();
        assert_eq!((wanted, attempts.wants(&old)), (MORE_TRACES, false));
    }
}
