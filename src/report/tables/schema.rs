//! The columns of a row type, asked of the type itself: a deserializer that answers every field
//! with a blank and notes what was wanted.

use serde::de::value::Error;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// Floating-point numbers.
    Float,
    /// Whole numbers.
    Integer,
    /// Yes or no.
    Truth,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name of the struct's field.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnType,
}

/// The fields of a flat struct, in order.
pub fn fields<T: DeserializeOwned>() -> Result<Vec<Field>, Error> {
    let mut found = Vec::new();
    T::deserialize(Row(&mut found))?;
    Ok(found)
}

struct Row<'a>(&'a mut Vec<Field>);

impl<'de> Deserializer<'de> for Row<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Blanks {
            names: names.iter(),
            name: "",
            found: self.0,
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("its rows are no structs"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

struct Blanks<'a> {
    names: std::slice::Iter<'static, &'static str>,
    name: &'static str,
    found: &'a mut Vec<Field>,
}

impl<'de> MapAccess<'de> for Blanks<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(name) = self.names.next() else {
            return Ok(None);
        };
        self.name = name;
        seed.deserialize(serde::de::value::StrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(Blank {
            name: self.name,
            found: self.found,
        })
    }
}

struct Blank<'a> {
    name: &'static str,
    found: &'a mut Vec<Field>,
}

impl Blank<'_> {
    fn note(self, kind: ColumnType) {
        self.found.push(Field {
            name: self.name,
            kind,
        });
    }
}

macro_rules! blanks {
    ($($method:ident $visit:ident $blank:expr, $kind:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.note(ColumnType::$kind);
            visitor.$visit($blank)
        })*
    };
}

impl<'de> Deserializer<'de> for Blank<'_> {
    type Error = Error;

    blanks! {
        deserialize_string visit_str "", Text;
        deserialize_str visit_str "", Text;
        deserialize_f64 visit_f64 0.0, Float;
        deserialize_f32 visit_f32 0.0, Float;
        deserialize_u64 visit_u64 0, Integer;
        deserialize_i64 visit_i64 0, Integer;
        deserialize_u32 visit_u32 0, Integer;
        deserialize_i32 visit_i32 0, Integer;
        deserialize_bool visit_bool false, Truth;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom(format!(
            "the field {} is neither text, nor a number, nor a truth value",
            self.name
        )))
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u128 char bytes byte_buf unit unit_struct newtype_struct seq tuple tuple_struct struct map enum identifier
        ignored_any
    }
}
