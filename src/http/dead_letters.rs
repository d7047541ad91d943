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
    openapi::{BadRequest, NotFound, ReasonName, ResolutionName, SourceName, StoreDown, Unauthorized},
    query::{self, Query},
};
use crate::{
    order::Reason,
    store::{self, DeadLetterFilter, DeadLetterSummary, LetterError, Resolution},
};

/// The list does not wait longer for the count of all that are open.
const PATIENCE: Duration = Duration::from_secs(2);

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
    /// Every error of a field, at most 1000. They quote no value; what the database says of an order that it refuses may.
    errors: Vec<FieldError>,
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
}

impl From<LetterError> for FieldError {
    fn from(LetterError { pointer, code, message }: LetterError) -> Self {
        Self { pointer, code, message }
    }
}

impl From<DeadLetterSummary> for DeadLetter {
    fn from(letter: DeadLetterSummary) -> Self {
        Self {
            errors: letter.errors().into_iter().map(FieldError::from).collect(),
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

impl From<store::DeadLetter> for WholeDeadLetter {
    fn from(letter: store::DeadLetter) -> Self {
        Self {
            detail: letter.detail(),
            payload_base64: BASE64_STANDARD.encode(&letter.payload),
            truncated: letter.is_cut(),
            payload_text: text(&letter.payload, letter.is_cut()).map(str::to_owned),
            resolved_at: letter.resolved_at.map(moment::text),
            resolved_by: letter.resolved_by,
            note: letter.note,
            parent_id: letter.parent_id,
            letter: letter.summary.into(),
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
        ("reason" = Option<ReasonName>, Query, description = "Only those of this reason", example = "not_json"),
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
    let query = Query::of(&uri, &["reason", "resolution", "before", "limit"])?;
    let limit = query.limit(50)?;
    let filter = DeadLetterFilter {
        reason: query.one_of("reason", Reason::ALL)?.map(|reason| reason.to_string()),
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
        dead_letters: letters.into_iter().map(DeadLetter::from).collect(),
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
    let id = uri.path().rsplit('/').next().unwrap_or_default();
    let id = query::number("the id of a dead letter", id, 1..=i64::MAX)?;
    Query::of(&uri, &[])?;
    let letter = ask(shared.api.store.dead_letter(id, MAX_SHOWN)).await?;
    letter.map(|letter| Json(letter.into())).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            format!("there is no dead letter {id}; /api/dead-letters lists those there are"),
        )
    })
}
