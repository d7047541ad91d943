//! The diagnosing path: every error and every warning of a message, in document order.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Accepted, ErrorCode, Item, Order, Reason, Rejection, Verdict, Warning, WarningCode,
    findings::{Findings, Place, Warnings, explain, item_pointer, type_of},
    kind::Outcome,
    scan::{self, Flaw, MAX_DEPTH},
    schema::{self, DELIVERY, FieldSet, ITEMS, Object, PAYMENT},
    validate::legible,
};

/// The verdict of a message and everything that was found in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis<'a> {
    /// What [`validate`](super::validate()) says, too.
    pub verdict: Verdict<'a>,
    /// Every warning, in document order; an absent key stands at the end of its object. A rejected message has warnings for
    /// those of its parts that were looked at. At most [`Diagnosis::MAX_WARNINGS`] are kept.
    pub warnings: Vec<Warning>,
    /// Whether there were more warnings than are kept.
    pub warnings_truncated: bool,
}

impl Diagnosis<'_> {
    /// How many warnings of one message are kept: a message of 256 KiB can hold a million.
    pub const MAX_WARNINGS: usize = 1000;

    fn rejected(rejection: Rejection) -> Self {
        Self { verdict: Verdict::Reject(rejection), warnings: Vec::new(), warnings_truncated: false }
    }
}

/// Looks at all of a message. `max_bytes` is the most bytes that a message may have.
///
/// For the pipeline [`validate`](super::validate()) is the same verdict in less time.
pub fn diagnose(payload: &[u8], max_bytes: usize) -> Diagnosis<'_> {
    match legible(payload, max_bytes) {
        Ok(text) => examine(text, Warnings::Listed),
        Err(rejection) => Diagnosis::rejected(rejection),
    }
}

/// Looks at all of a text.
pub(super) fn examine(text: &str, keep: Warnings) -> Diagnosis<'_> {
    let root = match sound_json(text) {
        Ok(root) => root,
        Err(rejection) => return Diagnosis::rejected(rejection),
    };
    let mut findings = Findings::new(keep);
    let mut order = schema::unread();
    findings.examine_order(root, &mut order);
    let Findings { errors, errors_truncated, warnings, warnings_truncated, counts, .. } = findings;
    let verdict = if errors.is_empty() {
        Verdict::Accept(Accepted { order, warnings: counts })
    } else {
        // A uid is only ever read when it stands once and keeps its rule.
        let order_uid = (!order.order_uid.is_empty()).then(|| order.order_uid.into_owned());
        Verdict::Reject(Rejection {
            reason: Reason::InvalidFields,
            errors,
            errors_truncated,
            detail: None,
            order_uid,
        })
    };
    Diagnosis { verdict, warnings, warnings_truncated }
}

/// The literal of the root, once the text is known to be an object of sound JSON.
fn sound_json(text: &str) -> Result<&str, Rejection> {
    if text.starts_with('\u{FEFF}') {
        return Err(not_json("begins with a byte-order mark; send UTF-8 without one".to_owned()));
    }
    let root: &RawValue = serde_json::from_str(text).map_err(|error| not_json(error.to_string()))?;
    scan::check(text).map_err(|(offset, flaw)| {
        let what = match flaw {
            Flaw::TooDeep => format!("nested deeper than {MAX_DEPTH}"),
            Flaw::LoneSurrogate => "lone surrogate in an escape".to_owned(),
        };
        not_json(format!("{what} at {}", position(text, offset)))
    })?;
    let root = root.get();
    if root.starts_with('{') {
        return Ok(root);
    }
    Err(Rejection::whole(Reason::NotObject, format!("the root is {}; expected an object", type_of(root))))
}

fn not_json(detail: String) -> Rejection {
    Rejection::whole(Reason::NotJson, detail)
}

/// Line and column of a byte, both from 1, in the words of `serde_json`.
fn position(text: &str, offset: usize) -> String {
    let before = &text.as_bytes()[..offset];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    format!("line {line} column {column}")
}

impl Findings {
    fn examine_order<'a>(&mut self, root: &'a str, order: &mut Order<'a>) {
        self.examine_object(Place::Root, root, order, |findings, field, literal, order| match field {
            DELIVERY => findings.examine_flat(Place::Delivery, literal, &mut order.delivery),
            PAYMENT => findings.examine_flat(Place::Payment, literal, &mut order.payment),
            ITEMS => findings.examine_items(literal, order),
            leaf => order.read(leaf, literal),
        });
    }

    /// An object whose fields are all leaves.
    fn examine_flat<'a, T: Object<'a>>(&mut self, place: Place, literal: &'a str, object: &mut T) -> Outcome {
        if !literal.starts_with('{') {
            return Err(ErrorCode::WrongType);
        }
        self.examine_object(place, literal, object, |_, field, literal, object| object.read(field, literal));
        Ok(None)
    }

    fn examine_items<'a>(&mut self, literal: &'a str, order: &mut Order<'a>) -> Outcome {
        if !literal.starts_with('[') {
            return Err(ErrorCode::WrongType);
        }
        let items: Vec<&'a RawValue> = parts(literal);
        for (index, item) in items.iter().map(|item| item.get()).enumerate() {
            let mut read = Item::default();
            if let Err(code) = self.examine_flat(Place::Item(index), item, &mut read) {
                let message = || format!("is {}; expected an object", type_of(item));
                self.error(code, || item_pointer(index), message);
            }
            // After an error nobody gets the order, and 130,000 broken items would take 30 MB.
            if self.errors.is_empty() {
                order.items.push(read);
            }
        }
        Ok(items.is_empty().then_some(WarningCode::EmptyItems))
    }

    /// Goes through an object key by key; `read` reads a known field that stands once.
    fn examine_object<'a, T: Object<'a>>(
        &mut self,
        place: Place,
        literal: &'a str,
        object: &mut T,
        read: impl Fn(&mut Self, usize, &'a str, &mut T) -> Outcome,
    ) {
        let Members(members) = parts(literal);
        let (mut present, mut repeated, mut reported) = <(FieldSet, FieldSet, FieldSet)>::default();
        for field in members.iter().filter_map(|(key, _)| T::find(key)) {
            if !present.insert(field) {
                repeated.insert(field);
            }
        }
        for (key, value) in &members {
            let Some(field) = T::find(key) else {
                self.warning(WarningCode::UnknownKey, || place.pointer(key));
                continue;
            };
            let outcome = if !repeated.contains(field) {
                read(self, field, value.get(), object)
            } else if reported.insert(field) {
                Err(ErrorCode::DuplicateKey)
            } else {
                continue;
            };
            match outcome {
                Ok(None) => {}
                Ok(Some(code)) => self.warning(code, || place.pointer(key)),
                Err(code) => {
                    self.error(code, || place.pointer(key), || explain(code, &T::FIELDS[field], value.get()));
                }
            }
        }
        for (_, field) in T::FIELDS.iter().enumerate().filter(|&(place, _)| !present.contains(place)) {
            if field.required {
                let code = ErrorCode::Missing;
                self.error(code, || place.pointer(field.key), || explain(code, field, ""));
            } else {
                self.warning(WarningCode::Missing, || place.pointer(field.key));
            }
        }
    }
}

/// The parts of a container, each as its key and its literal, or its literal.
fn parts<'a, T: Deserialize<'a>>(literal: &'a str) -> T {
    serde_json::from_str(literal)
        .expect("the text is sound JSON, and so are its parts; they were looked at for their type")
}

/// The members of an object in document order, repeated keys included.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// A key that borrows unless it holds an escape.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
