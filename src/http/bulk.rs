//! What an administrator does about many dead letters, step by step; see [`crate::desk`].

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Uri, header},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    Shared,
    admin::Admin,
    ask::ask,
    desk::{body_of, change, desk, parsed, sound},
    errors::Problem,
    object::object,
    openapi::{BadRequest, BodyRefused, NoteText, StoreDown, Unauthorized},
    query::Query,
    selection::{Filter, PARAMETERS},
};
use crate::{desk::Step, store::Stretch};

/// What a selection holds
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Selected {
    /// Open dead letters to which everything applies that was asked for
    matching: i64,
    /// The newest of them: the frozen set of a bulk reaches up to it. Null when there is none
    #[schema(required)]
    up_to: Option<i64>,
    /// So many, the oldest, were validated by the rules of today: as many as a second allows, at most 1000
    checked: i64,
    /// So many of these are orders now
    would_pass: i64,
}

/// The next step of replaying a frozen set
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayBulk {
    #[serde(deserialize_with = "object")]
    filter: Filter,
    /// `up_to` of the selection: newer ones are not of the set
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1)]
    up_to: i64,
    /// `after` of the step before; 0, or left out, for the first
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0)]
    after: i64,
    /// Leave those alone that are no orders by the rules of today
    #[serde(default)]
    only_passing: bool,
}

/// The next step of discarding a frozen set
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiscardBulk {
    #[serde(deserialize_with = "object")]
    filter: Filter,
    /// `up_to` of the selection: newer ones are not of the set
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1)]
    up_to: i64,
    /// `after` of the step before; 0, or left out, for the first
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0)]
    after: i64,
    /// For those who look at them later
    #[schema(value_type = Option<NoteText>)]
    note: Option<String>,
}

/// What a step of replaying did
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReplayStep {
    /// As many as the inbox had room for; 0 with `Retry-After` when it had none
    replayed: i64,
    /// Left alone because they are no orders by the rules of today
    passed_over: i64,
    /// Where the next step begins
    after: i64,
    /// Whether the set has more for the next step
    more: bool,
}

/// What a step of discarding did
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DiscardStep {
    discarded: i64,
    /// Where the next step begins
    after: i64,
    /// Whether the set has more for the next step
    more: bool,
}

/// How many dead letters a bulk would be about
///
/// Counts the open ones that match, and says how many of them are orders by the rules of today.
#[utoipa::path(
    get,
    path = "/api/dead-letters/selection",
    operation_id = "select_dead_letters",
    tag = "administration",
    security(("admin_token" = [])),
    params(Filter),
    responses((status = 200, description = "The selection", body = Selected), BadRequest, Unauthorized, StoreDown)
)]
pub(super) async fn selection(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
) -> Result<Json<Selected>, Problem> {
    let selection = Filter::of(&Query::of(&uri, &PARAMETERS)?).selection()?;
    let survey = ask(desk(&shared).survey(&selection)).await?;
    Ok(Json(Selected {
        matching: survey.matching.letters,
        up_to: survey.matching.last,
        checked: survey.checked,
        would_pass: survey.would_pass,
    }))
}

/// Replay many dead letters, a step
///
/// Replays the next ones of a frozen set: open, matching, after `after` and up to `up_to`, oldest first. As many as the inbox has room for: ask
/// again with the `after` of the answer while there is more. Each is replayed once, whoever asks and however often.
#[utoipa::path(
    post,
    path = "/api/dead-letters/replay",
    operation_id = "replay_dead_letters",
    tag = "administration",
    security(("admin_token" = [])),
    request_body(content = ReplayBulk, content_type = "application/json"),
    responses(
        (status = 200, description = "What was done, and whether there is more", body = ReplayStep,
            headers(("Retry-After" = u32, description = "Seconds to wait before the next step, when there was no room"))),
        BadRequest, Unauthorized, BodyRefused, StoreDown,
    )
)]
pub(super) async fn replay(
    admin: Admin,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    body: Body,
) -> Result<(HeaderMap, Json<ReplayStep>), Problem> {
    Query::of(&uri, &[])?;
    let bulk: ReplayBulk = parsed(&body_of(&shared, body).await?)?;
    let (selection, stretch) = (bulk.filter.selection()?, stretch(bulk.after, bulk.up_to)?);
    let own = Arc::clone(&shared);
    let step = async move { desk(&own).replay(&selection, stretch, bulk.only_passing, admin.name()).await };
    let step = change(&shared, step).await?;
    let mut headers = HeaderMap::new();
    let Step { done, passed_over, after, more } = step;
    if done == 0 && passed_over == 0 && more {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Ok((headers, Json(ReplayStep { replayed: done, passed_over, after, more })))
}

/// Discard many dead letters, a step
///
/// Discards the next ones of a frozen set, at most 1000: ask again with the `after` of the answer while there is more.
#[utoipa::path(
    post,
    path = "/api/dead-letters/discard",
    operation_id = "discard_dead_letters",
    tag = "administration",
    security(("admin_token" = [])),
    request_body(content = DiscardBulk, content_type = "application/json"),
    responses(
        (status = 200, description = "What was done, and whether there is more", body = DiscardStep),
        BadRequest, Unauthorized, BodyRefused, StoreDown,
    )
)]
pub(super) async fn discard(
    admin: Admin,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    body: Body,
) -> Result<Json<DiscardStep>, Problem> {
    Query::of(&uri, &[])?;
    let bulk: DiscardBulk = parsed(&body_of(&shared, body).await?)?;
    let (selection, stretch) = (bulk.filter.selection()?, stretch(bulk.after, bulk.up_to)?);
    let note = sound(bulk.note)?;
    let own = Arc::clone(&shared);
    let step = async move { desk(&own).discard(&selection, stretch, note.as_deref(), admin.name()).await };
    let step = change(&shared, step).await?;
    Ok(Json(DiscardStep { discarded: step.done, after: step.after, more: step.more }))
}

/// An id, also as `17.0`: to JSON that is the same number.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?.get();
    // serde_json reads a long float only nearly.
    let float = text.parse::<f64>().ok().filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
    let id = text.parse::<i64>().ok().or(float.map(|float| float as i64));
    id.ok_or_else(|| D::Error::custom("an id is a whole number"))
}

fn stretch(after: i64, up_to: i64) -> Result<Stretch, Problem> {
    if up_to < 1 || after < 0 {
        return Err(Problem::bad_request(
            "up_to is an id, from 1, and after is one or 0: take both from earlier answers",
        ));
    }
    Ok(Stretch { after, up_to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_any_whole_number_and_nothing_else() {
        let up_to = |text: &str| {
            let body = format!("{{\"filter\":{{}},\"up_to\":{text}}}");
            serde_json::from_str::<ReplayBulk>(&body).map(|bulk| bulk.up_to).ok()
        };
        for (text, id) in
            [("17", 17), ("17.0", 17), ("1.7e1", 17), ("2191274429373283.0", 2_191_274_429_373_283)]
        {
            assert_eq!(up_to(text), Some(id), "{text}");
        }
        for text in ["17.5", "1e300", "9223372036854775808", "\"17\"", "null", "[17]"] {
            assert_eq!(up_to(text), None, "{text}");
        }
    }

    #[test]
    fn a_body_is_an_object_and_so_is_its_filter() {
        let bulk: ReplayBulk = parsed(br#" {"filter":{"reason":"empty"},"up_to":2.0} "#).expect("sound");
        assert_eq!((bulk.up_to, bulk.after, bulk.only_passing), (2, 0, false));
        for (body, part) in [
            (r#"[{},1]"#, "expected an object"),
            (r#"{"filter":[null,null,null,null,null],"up_to":1}"#, "expected an object"),
            ("null", "expected an object"),
            (r#"{"filter":{"reason":"a","reason":"b"},"up_to":1}"#, "duplicate field `reason`"),
            (r#"{"filter":{},"up_to":1}}"#, "trailing characters"),
            (r#"{"filter":{}}"#, "missing field `up_to`"),
        ] {
            let refusal = format!("{:?}", parsed::<ReplayBulk>(body.as_bytes()).expect_err(body));
            assert!(refusal.contains(part), "{body}: {refusal}");
        }
    }
}
