//! Which dead letters: as parameters of an address, and as the `filter` of a body.

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::{IntoParams, ToSchema};

use super::{
    errors::Problem,
    openapi::{PLAIN_TEXT, PlainText, ReasonName},
    query::{Query, quoted},
};
use crate::{order::Reason, store::Selection};

/// The parameters of an address that select.
pub(super) const PARAMETERS: [&str; 5] = ["reason", "code", "order_uid", "since", "until"];

/// Those to which everything applies that is given
#[derive(Debug, Default, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only those of this reason
    #[schema(value_type = Option<ReasonName>)]
    #[param(value_type = Option<ReasonName>, example = "not_json")]
    reason: Option<String>,
    /// Only those with an error of this code
    #[schema(value_type = Option<PlainText>)]
    #[param(value_type = Option<PlainText>, inline, example = "missing")]
    code: Option<String>,
    /// Only those of this uid
    #[schema(value_type = Option<PlainText>)]
    #[param(value_type = Option<PlainText>, inline)]
    order_uid: Option<String>,
    /// Only those refused at this time or later, RFC 3339
    #[schema(format = DateTime)]
    #[param(format = DateTime, example = "2026-01-01T00:00:00Z")]
    since: Option<String>,
    /// Only those refused before this time, RFC 3339
    #[schema(format = DateTime)]
    #[param(format = DateTime, example = "2036-01-01T00:00:00Z")]
    until: Option<String>,
}

impl Filter {
    /// The filter of an address.
    pub(super) fn of(query: &Query) -> Self {
        let text = |name: &str| query.text(name).map(str::to_owned);
        Self {
            reason: text("reason"),
            code: text("code"),
            order_uid: text("order_uid"),
            since: text("since"),
            until: text("until"),
        }
    }

    /// What it selects.
    ///
    /// # Errors
    /// 400 for what can't be; names it and what is allowed.
    pub(super) fn selection(self) -> Result<Selection, Problem> {
        if let Some(reason) = &self.reason
            && !Reason::ALL.iter().any(|known| known.as_str() == reason)
        {
            let names: Vec<&str> = Reason::ALL.iter().map(|known| known.as_str()).collect();
            return Err(Problem::bad_request(format!(
                "reason is {}: allowed are {}",
                quoted(reason),
                names.join(", ")
            )));
        }
        Ok(Selection {
            reason: self.reason,
            code: text("code", self.code)?,
            order_uid: text("order_uid", self.order_uid)?,
            since: moment("since", self.since)?,
            until: moment("until", self.until)?,
        })
    }
}

/// No dead letter has a control character in its uid or in a code, and PostgreSQL takes no NUL.
fn text(name: &str, value: Option<String>) -> Result<Option<String>, Problem> {
    let Some(value) = value else { return Ok(None) };
    if !PLAIN_TEXT.contains(&value.chars().count()) || value.chars().any(char::is_control) {
        let (least, most) = (PLAIN_TEXT.start(), PLAIN_TEXT.end());
        return Err(Problem::bad_request(format!(
            "{name} is {}: a text of {least} to {most} characters, none a control character, is allowed",
            quoted(&value)
        )));
    }
    Ok(Some(value))
}

fn moment(name: &str, value: Option<String>) -> Result<Option<OffsetDateTime>, Problem> {
    let Some(value) = value else { return Ok(None) };
    // PostgreSQL's and SQLite's own calendars begin with the year 1 at the latest.
    let at = OffsetDateTime::parse(&value, &Rfc3339).ok().filter(|at| (1..=9998).contains(&at.year()));
    at.map(Some).ok_or_else(|| {
        Problem::bad_request(format!(
            "{name} is {}: a time such as 2026-01-31T08:00:00Z is allowed (RFC 3339)",
            quoted(&value)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(query: &str) -> Result<Selection, Problem> {
        let uri = format!("/x?{query}").parse().expect("a URI");
        Query::of(&uri, &PARAMETERS).and_then(|query| Filter::of(&query).selection())
    }

    #[test]
    fn an_address_and_a_body_select_the_same() {
        let address = selected("reason=not_json&code=missing&order_uid=a%20b&since=2026-01-02T03:04:05Z")
            .expect("sound");
        let body =
            r#"{"reason":"not_json","code":"missing","order_uid":"a b","since":"2026-01-02T03:04:05Z"}"#;
        let body: Filter = serde_json::from_str(body).expect("sound");
        assert_eq!(body.selection().expect("sound"), address);
        assert_eq!(selected("").expect("sound"), Selection::default());
    }

    #[test]
    fn what_can_not_be_is_named_with_what_is_allowed() {
        for (query, part) in [
            ("reason=odd", "allowed are"),
            ("code=", "code is"),
            ("order_uid=a%00b", "none a control character"),
            ("since=yesterday", "2026-01-31T08:00:00Z"),
            ("until=0000-01-01T00:00:00Z", "until is"),
        ] {
            let refusal = format!("{:?}", selected(query).expect_err(query));
            assert!(refusal.contains(part), "{refusal}");
        }
    }
}
