//! What an administrator does about many dead letters, step by step; see [`crate::desk`].

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Uri, header},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use utoipa::ToSchema;

use super::{
    Shared,
    admin::Admin,
    ask::ask,
    desk::{bad, body_of, desk, parsed, sound},
    errors::Problem,
    openapi::{BadRequest, BodyRefused, StoreDown, Unauthorized},
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
    #[schema(
        max_length = 2000,
        pattern = "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$"
    )]
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
    /// Left for the next step; at 0 the set is done
    remaining: i64,
}

/// What a step of discarding did
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DiscardStep {
    discarded: i64,
    /// Where the next step begins
    after: i64,
    /// Left for the next step; at 0 the set is done
    remaining: i64,
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
/// again with the `after` of the answer until nothing remains. Each is replayed once, whoever asks and however often.
#[utoipa::path(
    post,
    path = "/api/dead-letters/replay",
    operation_id = "replay_dead_letters",
    tag = "administration",
    security(("admin_token" = [])),
    request_body(content = ReplayBulk, content_type = "application/json"),
    responses(
        (status = 200, description = "What was done, and what is left", body = ReplayStep,
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
    let step = ask(desk(&shared).replay(&selection, stretch, bulk.only_passing, admin.name())).await?;
    let mut headers = HeaderMap::new();
    let Step { done, passed_over, after, remaining } = step;
    if done == 0 && passed_over == 0 && remaining > 0 {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Ok((headers, Json(ReplayStep { replayed: done, passed_over, after, remaining })))
}

/// Discard many dead letters, a step
///
/// Discards the next ones of a frozen set, at most 1000: ask again with the `after` of the answer until nothing remains.
#[utoipa::path(
    post,
    path = "/api/dead-letters/discard",
    operation_id = "discard_dead_letters",
    tag = "administration",
    security(("admin_token" = [])),
    request_body(content = DiscardBulk, content_type = "application/json"),
    responses(
        (status = 200, description = "What was done, and what is left", body = DiscardStep),
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
    let step = ask(desk(&shared).discard(&selection, stretch, note.as_deref(), admin.name())).await?;
    Ok(Json(DiscardStep { discarded: step.done, after: step.after, remaining: step.remaining }))
}

/// An id, also as `17.0`: to JSON that is the same number.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let whole = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
    let id = number.as_i64().or(whole.map(|float| float as i64));
    id.ok_or_else(|| D::Error::custom(format!("{number} is no id")))
}

fn stretch(after: i64, up_to: i64) -> Result<Stretch, Problem> {
    if up_to < 1 || after < 0 {
        return Err(bad(
            "up_to is an id, from 1, and after is one or 0: take both from earlier answers".to_owned()
        ));
    }
    Ok(Stretch { after, up_to })
}
