//! From columns back to rows: a deserializer over one row of typed columns.

use super::schema::Field;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// The cells of a column, from top to bottom.
pub enum Cells<'a> {
    Text(Vec<Option<&'a str>>),
    Float(Vec<Option<f64>>),
    Integer(Vec<Option<i64>>),
    Truth(Vec<Option<bool>>),
}

/// One row. A missing number of floating point is `NaN` where the field cannot be missing, a
/// missing text is empty.
pub fn row<T: DeserializeOwned>(
    fields: &[Field],
    columns: &[Cells<'_>],
    index: usize,
) -> Result<T, Error> {
    T::deserialize(Row {
        fields,
        columns,
        index,
    })
}

struct Row<'a> {
    fields: &'a [Field],
    columns: &'a [Cells<'a>],
    index: usize,
}

impl<'de> Deserializer<'de> for Row<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Fields { row: self, at: 0 })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct struct map enum identifier ignored_any
    }
}

struct Fields<'a> {
    row: Row<'a>,
    at: usize,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.row.fields.get(self.at) else {
            return Ok(None);
        };
        self.at += 1;
        seed.deserialize(StrDeserializer::new(field.name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let field = self.at.saturating_sub(1);
        let Row {
            fields,
            columns,
            index,
        } = &self.row;
        seed.deserialize(Cell {
            name: fields[field].name,
            column: &columns[field],
            index: *index,
        })
    }
}

struct Cell<'a> {
    name: &'a str,
    column: &'a Cells<'a>,
    index: usize,
}

impl Cell<'_> {
    fn is_missing(&self) -> bool {
        match self.column {
            Cells::Text(cells) => cells[self.index].is_none(),
            Cells::Float(cells) => cells[self.index].is_none(),
            Cells::Integer(cells) => cells[self.index].is_none(),
            Cells::Truth(cells) => cells[self.index].is_none(),
        }
    }
}

impl<'de> Deserializer<'de> for Cell<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let missing = || {
            Error::custom(format!(
                "row {}: no value for {}",
                self.index + 1,
                self.name
            ))
        };
        match self.column {
            Cells::Text(cells) => visitor.visit_str(cells[self.index].unwrap_or_default()),
            Cells::Float(cells) => visitor.visit_f64(cells[self.index].unwrap_or(f64::NAN)),
            Cells::Integer(cells) => visitor.visit_i64(cells[self.index].ok_or_else(missing)?),
            Cells::Truth(cells) => visitor.visit_bool(cells[self.index].ok_or_else(missing)?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_missing() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct struct map enum identifier ignored_any
    }
}
