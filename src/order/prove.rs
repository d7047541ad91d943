//! The fast path: one pass over a sound order. It says yes only when it is certain; at the first doubt it gives up, and the
//! diagnosing path looks at the whole message.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Accepted, Item, Order, WarningCode, WarningCounts, scan,
    schema::{self, DELIVERY, FieldSet, ITEMS, Object, PAYMENT},
};

/// The order that `text` holds, when it is certainly sound.
pub(super) fn prove(text: &str) -> Option<Accepted<'_>> {
    scan::check(text).ok()?;
    let mut warnings = WarningCounts::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let order = json.deserialize_map(WholeOrder(&mut warnings)).ok()?;
    json.end().ok()?;
    Some(Accepted { order, warnings })
}

/// Why the fast path gives up. Nobody reads it.
fn doubt<E: Error>() -> E {
    E::custom("doubt")
}

/// One object as it is read.
struct Reading<'c, T> {
    object: T,
    seen: FieldSet,
    /// The field after the last one that was found. Most orders have their keys in one order, so it is looked at first.
    next: usize,
    warnings: &'c mut WarningCounts,
}

impl<'c, 'de, T: Object<'de>> Reading<'c, T> {
    fn new(object: T, warnings: &'c mut WarningCounts) -> Self {
        Self { object, seen: FieldSet::default(), next: 0, warnings }
    }

    /// The next known field. Unknown ones are passed over and counted.
    fn next_field<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<Option<usize>, A::Error> {
        while let Some(found) = map.next_key_seed(FieldKey::<T>(self.next, PhantomData))? {
            let Some(field) = found else {
                map.next_value::<IgnoredAny>()?;
                self.warnings.add(WarningCode::UnknownKey, 1);
                continue;
            };
            self.next = field + 1;
            return if self.seen.insert(field) { Ok(Some(field)) } else { Err(doubt()) };
        }
        Ok(None)
    }

    fn read_leaf<A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error> {
        let literal: &'de RawValue = map.next_value()?;
        let warning = self.object.read(field, literal.get()).map_err(|_| doubt())?;
        if let Some(code) = warning {
            self.warnings.add(code, 1);
        }
        Ok(())
    }

    /// The object, when no required field is absent.
    fn finish<E: Error>(self) -> Result<T, E> {
        for (place, field) in T::FIELDS.iter().enumerate() {
            if !self.seen.contains(place) {
                if field.required {
                    return Err(doubt());
                }
                self.warnings.add(WarningCode::Missing, 1);
            }
        }
        Ok(self.object)
    }
}

/// Finds the field that a key names, first at the place where it probably is.
struct FieldKey<T>(usize, PhantomData<T>);

impl<'de, T: Object<'de>> DeserializeSeed<'de> for FieldKey<T> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, T: Object<'de>> Visitor<'de> for FieldKey<T> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        let expected = T::FIELDS.get(self.0).filter(|field| field.key == key);
        Ok(expected.map_or_else(|| T::find(key), |_| Some(self.0)))
    }
}

struct WholeOrder<'c>(&'c mut WarningCounts);

impl<'de> Visitor<'de> for WholeOrder<'_> {
    type Value = Order<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an order")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut reading = Reading::new(schema::unread(), self.0);
        while let Some(field) = reading.next_field(&mut map)? {
            match field {
                DELIVERY => reading.object.delivery = map.next_value_seed(Flat::new(reading.warnings))?,
                PAYMENT => reading.object.payment = map.next_value_seed(Flat::new(reading.warnings))?,
                ITEMS => reading.object.items = map.next_value_seed(Items(reading.warnings))?,
                leaf => reading.read_leaf(leaf, &mut map)?,
            }
        }
        reading.finish()
    }
}

/// An object whose fields are all leaves.
struct Flat<'c, T>(&'c mut WarningCounts, PhantomData<T>);

impl<'c, T> Flat<'c, T> {
    fn new(warnings: &'c mut WarningCounts) -> Self {
        Self(warnings, PhantomData)
    }
}

impl<'de, T: Object<'de> + Default> DeserializeSeed<'de> for Flat<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Object<'de> + Default> Visitor<'de> for Flat<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut reading = Reading::new(T::default(), self.0);
        while let Some(field) = reading.next_field(&mut map)? {
            reading.read_leaf(field, &mut map)?;
        }
        reading.finish()
    }
}

struct Items<'c>(&'c mut WarningCounts);

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Vec<Item<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<Item<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Flat::new(self.0))? {
            items.push(item);
        }
        if items.is_empty() {
            self.0.add(WarningCode::EmptyItems, 1);
        }
        Ok(items)
    }
}
