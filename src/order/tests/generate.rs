//! Sound orders as JSON trees, and ways to break them.

use proptest::{prelude::*, sample::Index};

/// JSON as it is written: keys and leaves are literals.
#[derive(Debug, Clone)]
pub(super) enum Json {
    Leaf(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The text, with `space` wherever JSON allows it.
    pub(super) fn write(&self, space: &str) -> String {
        let list = |open: &str, parts: Vec<String>, close: &str| {
            let parts = parts.join(&format!("{space},{space}"));
            format!("{open}{space}{parts}{space}{close}")
        };
        match self {
            Self::Leaf(literal) => literal.clone(),
            Self::Array(values) => list("[", values.iter().map(|value| value.write(space)).collect(), "]"),
            Self::Object(members) => {
                let member =
                    |(key, value): &(String, Self)| format!("{key}{space}:{space}{}", value.write(space));
                list("{", members.iter().map(member).collect(), "}")
            }
        }
    }

    /// Visits every value, the root first.
    fn each(&mut self, visit: &mut impl FnMut(&mut Self)) {
        visit(self);
        match self {
            Self::Leaf(_) => {}
            Self::Array(values) => values.iter_mut().for_each(|value| value.each(visit)),
            Self::Object(members) => members.iter_mut().for_each(|(_, value)| value.each(visit)),
        }
    }

    /// Changes the value that `place` picks.
    fn change(&mut self, place: Index, change: impl Fn(&mut Self)) {
        let mut values = 0;
        self.each(&mut |_| values += 1);
        let picked = place.index(values);
        let mut at = 0;
        self.each(&mut |value| {
            if at == picked {
                change(value);
            }
            at += 1;
        });
    }
}

fn leaf(pattern: &'static str) -> BoxedStrategy<Json> {
    proptest::string::string_regex(pattern).expect("a pattern").prop_map(Json::Leaf).boxed()
}

fn text() -> BoxedStrategy<Json> {
    leaf(r#""([a-zA-Z0-9 ,.:/~{}\[\]-]|[а-я😀é]|\\u00e9|\\u005[bB]|\\ud83d\\ude00|\\n|\\"|\\\\){0,12}""#)
}

fn number() -> BoxedStrategy<Json> {
    leaf(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?")
}

fn text_or_number() -> BoxedStrategy<Json> {
    prop_oneof![3 => text(), 1 => number()].boxed()
}

fn integer() -> BoxedStrategy<Json> {
    any::<i64>().prop_map(|value| Json::Leaf(value.to_string())).boxed()
}

fn natural() -> BoxedStrategy<Json> {
    (0..=i64::MAX).prop_map(|value| Json::Leaf(value.to_string())).boxed()
}

fn amount() -> BoxedStrategy<Json> {
    leaf(r"-0|(0|[1-9][0-9]{0,16})(\.[0-9]{1,18})?([eE][+-]?[01])?")
}

fn date() -> BoxedStrategy<Json> {
    leaf(
        r#""(19|20)[0-9]{2}-0[1-9]-[012][1-8]([Tt ][01][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?([Zz]|[ ]?[+-]0[0-9]:?[0-5][0-9])?)?""#,
    )
}

fn anything() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        text(),
        number(),
        Just(Json::Leaf("null".to_owned())),
        Just(Json::Leaf("true".to_owned()))
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::vec((unknown_key(), inner), 0..4).prop_map(Json::Object),
        ]
    })
}

fn unknown_key() -> BoxedStrategy<String> {
    proptest::string::string_regex(r#""(X[a-z~/]{0,3}|Order_uid|\\u0058|)""#).expect("a pattern").boxed()
}

/// An object with some of the optional members, null for some, a few that are unknown, in any order.
fn object(
    required: Vec<(&'static str, BoxedStrategy<Json>)>,
    optional: Vec<(&'static str, BoxedStrategy<Json>)>,
) -> BoxedStrategy<Json> {
    let required = required
        .into_iter()
        .map(|(key, value)| value.prop_map(Some).prop_map(move |value| (key, value)).boxed());
    let optional = optional.into_iter().map(|(key, value)| {
        let null = Just(Some(Json::Leaf("null".to_owned())));
        prop_oneof![8 => value.prop_map(Some), 1 => null, 1 => Just(None)]
            .prop_map(move |value| (key, value))
            .boxed()
    });
    let known: Vec<_> = required.chain(optional).collect();
    let unknown = prop::collection::vec((unknown_key(), anything()), 0..2);
    (known, unknown)
        .prop_map(|(known, unknown)| {
            let known = known.into_iter().filter_map(|(key, value)| Some((format!("\"{key}\""), value?)));
            known.chain(unknown).collect::<Vec<_>>()
        })
        .prop_shuffle()
        .prop_map(Json::Object)
        .boxed()
}

/// A sound order.
pub(super) fn order() -> impl Strategy<Value = Json> {
    let delivery = ["name", "phone", "city", "address", "region", "email"].map(|key| (key, text()));
    let delivery = object(vec![], delivery.into_iter().chain([("zip", text_or_number())]).collect());
    let texts = ["transaction", "request_id", "currency", "provider", "bank"].map(|key| (key, text()));
    let sums = ["amount", "delivery_cost", "goods_total", "custom_fee"].map(|key| (key, natural()));
    let payment = object(vec![], texts.into_iter().chain(sums).chain([("payment_dt", integer())]).collect());
    let texts = ["track_number", "rid", "name", "brand"].map(|key| (key, text()));
    let numbers = [
        ("chrt_id", natural()),
        ("price", amount()),
        ("sale", integer()),
        ("size", text_or_number()),
        ("total_price", amount()),
        ("nm_id", natural()),
        ("status", integer()),
    ];
    let item = object(vec![], texts.into_iter().chain(numbers).collect());
    let items = prop::collection::vec(item, 0..3).prop_map(Json::Array).boxed();
    let uid = || leaf(r#""[a-z0-9а-я]([a-z0-9а-я ]|\\u00e9|\\ud83d\\ude00){0,30}""#);
    let required = vec![
        ("order_uid", uid()),
        ("track_number", uid()),
        ("delivery", delivery),
        ("payment", payment),
        ("items", items),
    ];
    let texts =
        ["entry", "locale", "internal_signature", "customer_id", "delivery_service"].map(|key| (key, text()));
    let others = [
        ("shardkey", text_or_number()),
        ("sm_id", integer()),
        ("date_created", date()),
        ("oof_shard", text_or_number()),
    ];
    object(required, texts.into_iter().chain(others).collect())
}

pub(super) fn space() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", " ", "\r\n\t"])
}

/// A change of the structure.
#[derive(Debug, Clone)]
pub(super) enum Break {
    Replace(Index, Json),
    /// Removes the picked member or element of the picked container.
    Remove(Index, Index),
    /// Writes it twice.
    Repeat(Index, Index),
    /// Puts so many arrays around it.
    Bury(Index, usize),
}

impl Break {
    pub(super) fn apply(&self, json: &mut Json) {
        match self {
            Self::Replace(place, value) => json.change(*place, |old| *old = value.clone()),
            Self::Remove(place, part) => json.change(*place, |value| match value {
                Json::Array(values) if !values.is_empty() => drop(values.remove(part.index(values.len()))),
                Json::Object(members) if !members.is_empty() => {
                    drop(members.remove(part.index(members.len())))
                }
                _ => {}
            }),
            Self::Repeat(place, part) => json.change(*place, |value| match value {
                Json::Array(values) if !values.is_empty() => {
                    values.push(values[part.index(values.len())].clone())
                }
                Json::Object(members) if !members.is_empty() => {
                    members.push(members[part.index(members.len())].clone())
                }
                _ => {}
            }),
            Self::Bury(place, depth) => json.change(*place, |value| {
                for _ in 0..*depth {
                    *value = Json::Array(vec![value.clone()]);
                }
            }),
        }
    }
}

pub(super) fn structural_break() -> impl Strategy<Value = Break> {
    let nasty = prop::sample::select(vec![
        "null",
        "true",
        "0",
        "-0",
        "-1",
        "1.0",
        "1e2",
        "-0.0",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
        "1e400",
        "1e-21",
        "0.000000000000000000001",
        "1e999999999999999999999",
        "\"\"",
        "\" \"",
        r#""\u0000""#,
        r#""a\u0001""#,
        r#""\ud800""#,
        r#""2023-02-30""#,
        r#""\u2003""#,
        "{}",
        "[]",
        "[{}]",
        "[null]",
    ]);
    let value = prop_oneof![nasty.prop_map(|literal| Json::Leaf(literal.to_owned())), anything(), number()];
    let index = any::<Index>;
    prop_oneof![
        4 => (index(), value).prop_map(|(place, value)| Break::Replace(place, value)),
        2 => (index(), index()).prop_map(|(place, part)| Break::Remove(place, part)),
        2 => (index(), index()).prop_map(|(place, part)| Break::Repeat(place, part)),
        1 => (index(), prop_oneof![1_usize..4, 120_usize..130]).prop_map(|(place, depth)| Break::Bury(place, depth)),
    ]
}

/// A change of the bytes.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    Overwrite(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// Copies so many bytes from one place to another.
    Copy(Index, usize, Index),
    Cut(Index),
}

impl Edit {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        let end = bytes.len() + 1;
        let span = |from: usize, length: usize| from..(from + length).min(end - 1);
        match self {
            Self::Overwrite(place, byte) => {
                if let Some(old) = bytes.get_mut(place.index(end)) {
                    *old = *byte;
                }
            }
            Self::Insert(place, new) => {
                let at = place.index(end);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(place, length) => drop(bytes.drain(span(place.index(end), *length))),
            Self::Copy(from, length, to) => {
                let copy = bytes[span(from.index(end), *length)].to_vec();
                let at = to.index(end);
                bytes.splice(at..at, copy);
            }
            Self::Cut(place) => bytes.truncate(place.index(end)),
        }
    }
}

pub(super) fn edit() -> impl Strategy<Value = Edit> {
    let token = prop::sample::select(vec![
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "-",
        "0",
        "1e5",
        ".5",
        "null",
        "\\u0000",
        "\\ud800",
        "\u{FEFF}",
        "\0",
        " ",
        "\u{a0}",
        "order_uid",
        "\"sm_id\":1,",
    ]);
    let index = any::<Index>;
    prop_oneof![
        2 => (index(), any::<u8>()).prop_map(|(place, byte)| Edit::Overwrite(place, byte)),
        3 => (index(), token).prop_map(|(place, token)| Edit::Insert(place, token.as_bytes().to_vec())),
        2 => (index(), 1_usize..8).prop_map(|(place, length)| Edit::Remove(place, length)),
        1 => (index(), 1_usize..60, index()).prop_map(|(from, length, to)| Edit::Copy(from, length, to)),
        1 => index().prop_map(Edit::Cut),
    ]
}
