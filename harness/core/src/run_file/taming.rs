//! Reading data in a way that it cannot be paid for dearly: every text in it is made tame and cut while it is read, and
//! what is made of it is counted, so that a file of many tiny parts ends with an error before it takes memory. It knows
//! nothing of run files.

use crate::limits::RUN_TEXT_BYTES;
use crate::text::{cut, tame};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// What a field of a structure takes, in bytes: most of them are a text or a list, or may be absent.
const FIELD_BYTES: usize = 48;
/// What a map takes, in bytes: its first node has room for many entries.
const MAP_BYTES: usize = 450;
/// What a text takes besides itself, in bytes.
const TEXT_BYTES: usize = 56;
/// What the key of an entry takes besides itself, in bytes.
const KEY_BYTES: usize = 32;
/// What any other value takes, in bytes.
const VALUE_BYTES: usize = 16;
/// What a list and a structure take whose type is known only when they are read, in bytes: serde keeps their parts
/// until then.
const KEPT_LIST_BYTES: usize = 48;
const KEPT_MAP_BYTES: usize = 160;

/// The memory that is left for what is read.
#[derive(Debug)]
pub(super) struct Room {
    left_bytes: Cell<usize>,
}

impl Room {
    pub(super) fn of(bytes: usize) -> Self {
        Room { left_bytes: Cell::new(bytes) }
    }

    fn take<E: Error>(&self, bytes: usize) -> Result<(), E> {
        let left = self.left_bytes.get().checked_sub(bytes);
        self.left_bytes
            .set(left.ok_or_else(|| E::custom("it has more parts than fit into the memory for a run file"))?);
        Ok(())
    }

    fn text<'a, E: Error>(&self, text: Cow<'a, str>, besides_bytes: usize) -> Result<Cow<'a, str>, E> {
        let text = match text {
            Cow::Borrowed(text) => cut(tame(text), RUN_TEXT_BYTES),
            Cow::Owned(text) => Cow::Owned(cut(tame(&text), RUN_TEXT_BYTES).into_owned()),
        };
        self.take(text.len() + besides_bytes)?;
        Ok(text)
    }
}

/// What serde hands from one to the next while it reads, with the room beside it: a source of data, or one who takes
/// it.
pub(super) struct Taming<'r, T> {
    inner: T,
    room: &'r Room,
    /// What a text here takes besides itself, in bytes.
    text_bytes: usize,
    /// Whether serde keeps what is read here in parts.
    is_kept: bool,
}

impl<'r, T> Taming<'r, T> {
    /// What is read through this one is counted against the room.
    pub(super) fn new(inner: T, room: &'r Room) -> Self {
        Taming { inner, room, text_bytes: TEXT_BYTES, is_kept: false }
    }

    /// The one who takes what this one hands out.
    fn hand<U>(&self, inner: U) -> Taming<'r, U> {
        Taming { inner, room: self.room, text_bytes: self.text_bytes, is_kept: self.is_kept }
    }
}

macro_rules! forward {
    ($($method:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.hand(visitor);
            self.inner.$method(visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Taming<'_, D> {
    type Error = D::Error;

    forward!(
        deserialize_bool,
        deserialize_i8,
        deserialize_i16,
        deserialize_i32,
        deserialize_i64,
        deserialize_i128,
        deserialize_u8,
        deserialize_u16,
        deserialize_u32,
        deserialize_u64,
        deserialize_u128,
        deserialize_f32,
        deserialize_f64,
        deserialize_char,
        deserialize_str,
        deserialize_string,
        deserialize_bytes,
        deserialize_byte_buf,
        deserialize_option,
        deserialize_unit,
        deserialize_seq
    );

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Taming { is_kept: true, ..self.hand(visitor) };
        self.inner.deserialize_any(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.room.take(MAP_BYTES)?;
        let visitor = self.hand(visitor);
        self.inner.deserialize_map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.room.take(fields.len() * FIELD_BYTES)?;
        let visitor = self.hand(visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.hand(visitor);
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.hand(visitor);
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.hand(visitor);
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.hand(visitor);
        self.inner.deserialize_tuple(length, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.hand(visitor);
        self.inner.deserialize_tuple_struct(name, length, visitor)
    }

    // The names of fields and variants are compared and thrown away, and what nobody knows is skipped.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_identifier(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }
}

macro_rules! visit_values {
    ($($method:ident: $type:ty),*) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.room.take(VALUE_BYTES)?;
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Taming<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    visit_values!(visit_bool: bool, visit_i64: i64, visit_i128: i128, visit_u64: u64, visit_u128: u128, visit_f64: f64);

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        let text = self.room.text(Cow::Borrowed(text), self.text_bytes)?;
        self.inner.visit_str(&text)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        match self.room.text(Cow::Borrowed(text), self.text_bytes)? {
            Cow::Borrowed(text) => self.inner.visit_borrowed_str(text),
            Cow::Owned(text) => self.inner.visit_string(text),
        }
    }

    fn visit_string<E: Error>(self, text: String) -> Result<V::Value, E> {
        let text = self.room.text(Cow::Owned(text), self.text_bytes)?;
        self.inner.visit_string(text.into_owned())
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.room.take(VALUE_BYTES)?;
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Taming::new(inner, self.room))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Taming::new(inner, self.room))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.room.take(if self.is_kept { KEPT_LIST_BYTES } else { VALUE_BYTES })?;
        self.inner.visit_seq(Taming::new(inner, self.room))
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.room.take(if self.is_kept { KEPT_MAP_BYTES } else { VALUE_BYTES })?;
        self.inner.visit_map(Taming::new(inner, self.room))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Taming::new(inner, self.room))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Taming<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Taming::new(seed, self.room))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Taming<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(Taming { inner: seed, room: self.room, text_bytes: KEY_BYTES, is_kept: false })
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Taming::new(seed, self.room))
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Taming<'_, A> {
    type Error = A::Error;
    type Variant = A::Variant;

    // A variant of a run file's words has nothing in it.
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, A::Variant), A::Error> {
        self.inner.variant_seed(seed)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Taming<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let inner = self.hand(inner);
        self.inner.deserialize(inner)
    }
}
