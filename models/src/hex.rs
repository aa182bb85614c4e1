//! 64-bit values in JSON as `"0x…"` strings: JavaScript and many other readers lose bits above 2^53 of a JSON number.

use serde::{Deserializer, Serializer, de};

/// Writes a value as `"0x…"`.
pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{value:#x}"))
}

/// Reads a value from `"0x…"`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = u64;
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a 64-bit value as a string \"0x…\"")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            text.strip_prefix("0x")
                .filter(|digits| !digits.starts_with('+'))
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_str(Visitor)
}
