use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{
    Shared,
    admin::Admin,
    ask::ask,
    errors::Problem,
    moment,
    openapi::{
        BadRequest, NotFound, ReasonName, ReplayStateName, ResolutionName, SourceName, StoreDown,
        Unauthorized,
    },
    query::{self, Query},
    selection::{Filter, PARAMETERS},
};
use crate::store::{self, DeadLetterFilter, DeadLetterSummary, LetterError, ReplayState, Resolution};

/// The list does not wait longer for the count of all that are open.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many errors of each dead letter are listed; a broken message may have hundreds.
const ERRORS_LISTED: usize = 20;

/// So much of a message is shown: an order takes kilobytes, and a message that is too large for one may have 64 MiB.
const MAX_SHOWN: usize = 1 << 20;

/// A page of the dead letters.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeadLetters {
    dead_letters: Vec<DeadLetter>,
    /// The `before` of the next page; null when this one is the last.
    #[schema(required)]
    next_before: Option<i64>,
    /// All that are open, whatever the filter; a reason that has none is not there.
    /// Null when counting them takes too long.
    #[schema(required)]
    open_by_reason: Option<BTreeMap<String, i64>>,
}

/// A message that is no order. What it says is not here: it may hold personal data.
#[derive(Debug, Serialize, ToSchema)]
struct DeadLetter {
    id: i64,
    message_id: String,
    #[schema(value_type = SourceName)]
    source: &'static str,
    channel: String,
    sequence: i64,
    #[schema(format = DateTime)]
    published_at: String,
    /// Where the message has a legible one.
    #[schema(required)]
    order_uid: Option<String>,
    #[schema(value_type = ReasonName)]
    reason: String,
    /// Errors of fields, in a list the first 20, of one letter at most 1000. They quote no value; what the database says of an
    /// order that it refuses may.
    errors: Vec<FieldError>,
    /// How many errors there are
    errors_total: usize,
    /// Length of the message, all of it.
    bytes: usize,
    #[schema(format = DateTime)]
    received_at: String,
    #[schema(format = DateTime)]
    rejected_at: String,
    #[schema(value_type = ResolutionName)]
    resolution: &'static str,
}

/// One thing that is wrong with a message.
#[derive(Debug, Serialize, ToSchema)]
struct FieldError {
    /// Where, as a JSON Pointer (RFC 6901); empty for all of the message
    pointer: String,
    #[schema(example = "missing")]
    code: String,
    /// The same for a person
    message: String,
}

/// A dead letter with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WholeDeadLetter {
    #[serde(flatten)]
    letter: DeadLetter,
    /// More about a reason that names no field, such as where the JSON breaks off. Null when the message is truncated.
    #[schema(required)]
    detail: Option<String>,
    /// The message, byte for byte; of a longer one the first 1 MiB.
    #[schema(format = Byte)]
    payload_base64: String,
    /// Whether the message goes on after its first 1 MiB; `orderbox dead-letters show` has all of it.
    truncated: bool,
    /// The same as text, without the part of a character that the end of a truncated one may be; null when it is not UTF-8.
    #[schema(required)]
    payload_text: Option<String>,
    /// When it was replayed or discarded
    #[schema(format = DateTime, required)]
    resolved_at: Option<String>,
    #[schema(required)]
    resolved_by: Option<String>,
    #[schema(required)]
    note: Option<String>,
    /// The dead letter that this one is a replay of.
    #[schema(required)]
    parent_id: Option<i64>,
    lineage: Lineage,
}

impl From<LetterError> for FieldError {
    fn from(LetterError { pointer, code, message }: LetterError) -> Self {
        Self { pointer, code, message }
    }
}

impl DeadLetter {
    /// With the first so many of its errors.
    fn of(letter: DeadLetterSummary, errors: usize) -> Self {
        let all = letter.errors();
        Self {
            errors_total: all.len(),
            errors: all.into_iter().take(errors).map(FieldError::from).collect(),
            id: letter.id,
            message_id: letter.message_id,
            source: letter.source.as_str(),
            channel: letter.channel,
            sequence: letter.sequence,
            published_at: moment::of_publication(letter.published_at_ns),
            order_uid: letter.order_uid,
            reason: letter.reason,
            bytes: letter.bytes,
            received_at: moment::text(letter.received_at),
            rejected_at: moment::text(letter.rejected_at),
            resolution: letter.resolution.as_str(),
        }
    }
}

impl WholeDeadLetter {
    fn of(letter: store::DeadLetter, lineage: store::Lineage) -> Self {
        Self {
            detail: letter.detail(),
            payload_base64: BASE64_STANDARD.encode(&letter.payload),
            truncated: letter.is_cut(),
            payload_text: text(&letter.payload, letter.is_cut()).map(str::to_owned),
            resolved_at: letter.resolved_at.map(moment::text),
            resolved_by: letter.resolved_by,
            note: letter.note,
            parent_id: letter.parent_id,
            lineage: lineage.into(),
            letter: DeadLetter::of(letter.summary, usize::MAX),
        }
    }
}

/// Where a dead letter came from, and what its replay became
#[derive(Debug, Serialize, ToSchema)]
struct Lineage {
    /// The dead letter that this one is a replay of
    #[schema(required)]
    parent: Option<Parent>,
    /// Its own replay
    #[schema(required)]
    replay: Option<Replay>,
}

/// A dead letter whose replay failed again
#[derive(Debug, Serialize, ToSchema)]
struct Parent {
    id: i64,
    #[schema(value_type = ResolutionName)]
    resolution: &'static str,
    #[schema(format = DateTime)]
    rejected_at: String,
}

/// What a replay became
#[derive(Debug, Serialize, ToSchema)]
struct Replay {
    message_id: String,
    /// Whether it says something else than the dead letter; null when that is not known of a replay made by an earlier version
    #[schema(required)]
    edited: Option<bool>,
    /// In the inbox; the order of `order_uid`; a document of that order's history; the dead letter `dead_letter_id`; or nothing,
    /// for the order said the same already
    #[schema(value_type = ReplayStateName)]
    state: &'static str,
    #[schema(required)]
    order_uid: Option<String>,
    #[schema(required)]
    dead_letter_id: Option<i64>,
}

impl From<store::Lineage> for Lineage {
    fn from(lineage: store::Lineage) -> Self {
        Self {
            parent: lineage.parent.map(|parent| Parent {
                id: parent.id,
                resolution: parent.resolution.as_str(),
                rejected_at: moment::text(parent.rejected_at),
            }),
            replay: lineage.replay.map(|replay| {
                let state = replay.state.as_str();
                let (order_uid, dead_letter_id) = match replay.state {
                    ReplayState::Order(uid) | ReplayState::History(uid) => (Some(uid), None),
                    ReplayState::DeadLetter(id) => (None, Some(id)),
                    ReplayState::Pending | ReplayState::Unchanged => (None, None),
                };
                Replay {
                    message_id: replay.message_id,
                    edited: replay.edited,
                    state,
                    order_uid,
                    dead_letter_id,
                }
            }),
        }
    }
}

/// The text that bytes are; the cut of a longer text may go through its last character.
fn text(bytes: &[u8], is_cut: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// Messages that are no orders
///
/// Newest first, without what they say.
#[utoipa::path(
    get,
    path = "/api/dead-letters",
    operation_id = "list_dead_letters",
    tag = "administration",
    security(("admin_token" = [])),
    params(
        Filter,
        ("resolution" = Option<ResolutionName>, Query, description = "Only those of which this has become", example = "open"),
        ("before" = Option<i64>, Query, description = "Only those with a smaller id: `next_before` of the page before", minimum = 1),
        ("limit" = Option<i64>, Query, description = "At most so many; 50 when it is not given", minimum = 1, maximum = 100, example = 50),
    ),
    responses(
        (status = 200, description = "The dead letters", body = DeadLetters, links(
            ("letter" = (operation_id = "get_dead_letter", parameters(("id" = "$response.body#/dead_letters/0/id"))))
        )),
        BadRequest, Unauthorized, StoreDown,
    )
)]
pub(super) async fn list(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
) -> Result<Json<DeadLetters>, Problem> {
    let [reason, code, order_uid, since, until] = PARAMETERS;
    let query = Query::of(&uri, &[reason, code, order_uid, since, until, "resolution", "before", "limit"])?;
    let limit = query.limit(50)?;
    let filter = DeadLetterFilter {
        selection: Filter::of(&query).selection()?,
        resolution: query.one_of("resolution", &Resolution::ALL)?,
        before: query.before()?,
        // One more tells whether there is another page.
        limit: limit + 1,
    };
    let store = &shared.api.store;
    let counting = timeout(PATIENCE, store.open_dead_letters());
    let (letters, open_by_reason) = tokio::join!(ask(store.dead_letters(&filter)), counting);
    let mut letters = letters?;
    let more = letters.len() > limit;
    letters.truncate(limit);
    Ok(Json(DeadLetters {
        next_before: letters.last().filter(|_| more).map(|letter| letter.id),
        dead_letters: letters.into_iter().map(|letter| DeadLetter::of(letter, ERRORS_LISTED)).collect(),
        open_by_reason: open_by_reason.ok().and_then(Result::ok),
    }))
}

/// One message that is no order
///
/// With its bytes, the first 1 MiB of them, and all that is known of it.
#[utoipa::path(
    get,
    path = "/api/dead-letters/{id}",
    operation_id = "get_dead_letter",
    tag = "administration",
    security(("admin_token" = [])),
    params(("id" = i64, Path, description = "The id of the dead letter", minimum = 1, example = 1)),
    responses(
        (status = 200, description = "The dead letter", body = WholeDeadLetter),
        BadRequest, Unauthorized, NotFound, StoreDown,
    )
)]
pub(super) async fn show(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
) -> Result<Json<WholeDeadLetter>, Problem> {
    let id = id_of(uri.path())?;
    Query::of(&uri, &[])?;
    let store = &shared.api.store;
    let (letter, lineage) = tokio::try_join!(ask(store.dead_letter(id, MAX_SHOWN)), ask(store.lineage(id)))?;
    let whole = letter.zip(lineage).map(|(letter, lineage)| Json(WholeDeadLetter::of(letter, lineage)));
    whole.ok_or_else(|| no_such_letter(id))
}

/// The id at the end of a path.
///
/// # Errors
/// 400 when it is none.
pub(super) fn id_of(path: &str) -> Result<i64, Problem> {
    let id = path.rsplit('/').next().unwrap_or_default();
    query::number("the id of a dead letter", id, 1..=i64::MAX)
}

/// 404.
pub(super) fn no_such_letter(id: i64) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!("there is no dead letter {id}; /api/dead-letters lists those there are"),
    )
}
