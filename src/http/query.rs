use std::{borrow::Cow, fmt, ops::RangeInclusive};

use axum::http::Uri;
use percent_encoding::percent_decode_str;

use super::errors::Problem;
use crate::terminal::printable;

/// The parameters of a request, taken strictly: what is not understood is refused, or a typing error would silently answer
/// another question.
#[derive(Debug)]
pub(super) struct Query(Vec<(&'static str, String)>);

/// More of a value than this is not quoted.
const QUOTED: usize = 40;

impl Query {
    /// The parameters of this URI, each one of `known`.
    ///
    /// # Errors
    /// 400 for one that is not known, that is there twice, or that is not UTF-8.
    pub(super) fn of(uri: &Uri, known: &[&'static str]) -> Result<Self, Problem> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            let Some(known) = known.iter().find(|known| **known == name) else {
                return Err(Problem::bad_request(format!(
                    "the parameter {} is not known here: {}",
                    quoted(&name),
                    those(known)
                )));
            };
            if found.iter().any(|(name, _)| name == known) {
                return Err(Problem::bad_request(format!("the parameter {known} is given twice")));
            }
            found.push((known, value));
        }
        Ok(Self(found))
    }

    /// The number of a parameter that is there.
    ///
    /// # Errors
    /// 400 when it is none, or not in `allowed`.
    pub(super) fn number(
        &self,
        name: &'static str,
        allowed: RangeInclusive<i64>,
    ) -> Result<Option<i64>, Problem> {
        self.text(name).map(|value| number(&format!("the parameter {name}"), value, allowed)).transpose()
    }

    /// Which of `all` a parameter names that is there.
    ///
    /// # Errors
    /// 400 when it names none of them.
    pub(super) fn one_of<T: Copy + fmt::Display>(
        &self,
        name: &'static str,
        all: &[T],
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.text(name) else { return Ok(None) };
        let found = all.iter().find(|one| one.to_string() == value).copied();
        found.map(Some).ok_or_else(|| {
            let names: Vec<String> = all.iter().map(T::to_string).collect();
            Problem::bad_request(format!(
                "the parameter {name} is {}: allowed are {}",
                quoted(value),
                names.join(", ")
            ))
        })
    }

    /// `limit`: so many are asked for, or as many as usual.
    ///
    /// # Errors
    /// 400 when it is not from 1 to 100.
    pub(super) fn limit(&self, usual: usize) -> Result<usize, Problem> {
        let limit = self.number("limit", 1..=100)?.and_then(|limit| usize::try_from(limit).ok());
        Ok(limit.unwrap_or(usual))
    }

    /// `before`: the id that ended the page before.
    ///
    /// # Errors
    /// 400 when it is no id.
    pub(super) fn before(&self) -> Result<Option<i64>, Problem> {
        self.number("before", 1..=i64::MAX)
    }

    /// The text of a parameter that is there.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a number that a client wrote: digits only, so that one number has one spelling.
///
/// # Errors
/// 400 when it is none, or not in `allowed`; begins with `what`.
pub(super) fn number(what: &str, text: &str, allowed: RangeInclusive<i64>) -> Result<i64, Problem> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && allowed.contains(number)).ok_or_else(|| {
        let (least, most) = allowed.into_inner();
        let bounds =
            if most == i64::MAX { format!("from {least}") } else { format!("from {least} to {most}") };
        Problem::bad_request(format!("{what} is {}: a number {bounds} is allowed", quoted(text)))
    })
}

fn those(known: &[&str]) -> String {
    match known {
        [] => "this address takes no parameters".to_owned(),
        known => format!("this address takes {}", known.join(", ")),
    }
}

/// In a query a plus is a space (HTML forms).
fn decoded(text: &str) -> Result<String, Problem> {
    let spaced: Cow<'_, str> =
        if text.contains('+') { text.replace('+', " ").into() } else { Cow::Borrowed(text) };
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| Problem::bad_request("a parameter is not UTF-8"))
}

/// A value in a message, cut and without control characters.
pub(super) fn quoted(value: &str) -> String {
    let (head, rest) = value.split_at(value.floor_char_boundary(QUOTED));
    format!("\"{}{}\"", printable(head), if rest.is_empty() { "" } else { "…" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Resolution;

    const KNOWN: [&str; 2] = ["limit", "resolution"];

    fn query(query: &str) -> Result<Query, Problem> {
        Query::of(&format!("/x?{query}").parse().expect("a URI"), &KNOWN)
    }

    fn refusal<T: fmt::Debug>(result: Result<T, Problem>) -> String {
        format!("{:?}", result.expect_err("must be refused"))
    }

    #[test]
    fn what_is_not_known_or_given_twice_or_no_text_is_refused() {
        for (text, part) in [
            ("limits=1", "limits"),
            ("limit=1&=2", "not known"),
            ("Limit=1", "this address takes limit, resolution"),
            ("limit=1&li%6Dit=1", "twice"),
            ("limit=%ff", "UTF-8"),
        ] {
            assert!(refusal(query(text)).contains(part), "{text}");
        }
        for sound in ["", "&", "limit=1&", "resolution=open&limit=2"] {
            query(sound).expect(sound);
        }
    }

    #[test]
    fn a_number_is_digits_within_the_bounds() {
        let limit = |text: &str| query(text).and_then(|query| query.number("limit", 1..=100));
        assert_eq!(limit("").expect("absent"), None);
        for (text, number) in [("limit=1", 1), ("limit=100", 100), ("limit=%31", 1), ("limit=007", 7)] {
            assert_eq!(limit(text).expect(text), Some(number), "{text}");
        }
        for text in [
            "limit",
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=+1",
            "limit=1.0",
            "limit=1e1",
            "limit=99999999999999999999",
            "limit=ten",
            "limit=%D9%A1",
        ] {
            assert!(refusal(limit(text)).contains("a number from 1 to 100 is allowed"), "{text}");
        }
    }

    #[test]
    fn a_choice_is_one_of_those_there_are() {
        let resolution =
            |text: &str| query(text).and_then(|query| query.one_of("resolution", &Resolution::ALL));
        assert_eq!(resolution("resolution=open").expect("known"), Some(Resolution::Open));
        assert_eq!(resolution("").expect("absent"), None);
        let told = refusal(resolution("resolution=Open"));
        assert!(told.contains("allowed are open, replayed, discarded"), "{told}");
    }

    #[test]
    fn a_long_value_is_not_quoted_to_its_end() {
        let told = refusal(
            query(&format!("limit={}", "ы".repeat(1000))).and_then(|query| query.number("limit", 1..=2)),
        );
        assert!(told.len() < 300, "{told}");
    }
}
