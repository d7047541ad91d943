//! What orders hold, packed for the way to SQLite's thread.

use rusqlite::{
    Statement,
    types::{ToSqlOutput, ValueRef},
};

/// Parameters in the order in which they are bound: two allocations for a batch rather than one a value.
#[derive(Debug, Default)]
pub(super) struct Packed {
    values: Vec<Value>,
    texts: Vec<u8>,
}

/// A parameter.
#[derive(Debug, Clone, Copy)]
enum Value {
    Null,
    Integer(i64),
    /// So many of the bytes that come next.
    Text(usize),
}

/// Where the parameters of something begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    value: usize,
    text: usize,
}

/// Binds one parameter after another.
#[derive(Debug)]
pub(super) struct Unpacked<'a> {
    values: &'a [Value],
    texts: &'a [u8],
}

impl Packed {
    /// Where the next parameter goes.
    pub(super) fn place(&self) -> Place {
        Place { value: self.values.len(), text: self.texts.len() }
    }

    pub(super) fn integer(&mut self, integer: impl Into<Option<i64>>) -> &mut Self {
        self.values.push(integer.into().map_or(Value::Null, Value::Integer));
        self
    }

    pub(super) fn text<'t>(&mut self, text: impl Into<Option<&'t str>>) -> &mut Self {
        self.values.push(match text.into() {
            Some(text) => {
                self.texts.extend_from_slice(text.as_bytes());
                Value::Text(text.len())
            }
            None => Value::Null,
        });
        self
    }

    /// What was packed from there on.
    pub(super) fn from(&self, place: Place) -> Unpacked<'_> {
        Unpacked { values: &self.values[place.value..], texts: &self.texts[place.text..] }
    }
}

impl Unpacked<'_> {
    /// Binds the next parameters of the statement, from its `first` to its last.
    pub(super) fn bind(&mut self, statement: &mut Statement<'_>, first: usize) -> rusqlite::Result<()> {
        let last = statement.parameter_count();
        let (values, rest) = self.values.split_at(last + 1 - first);
        self.values = rest;
        for (index, value) in (first..).zip(values) {
            let value = match *value {
                Value::Null => ValueRef::Null,
                Value::Integer(integer) => ValueRef::Integer(integer),
                Value::Text(length) => {
                    let (text, rest) = self.texts.split_at(length);
                    self.texts = rest;
                    ValueRef::Text(text)
                }
            };
            statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(value))?;
        }
        Ok(())
    }
}
