//! What an administrator does about one dead letter; `bulk` is about many. What was done is in the log with who did it, by the first digits of a digest
//! of the token.

use std::{panic::resume_unwind, sync::Arc};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{StatusCode, Uri},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::{
    Shared,
    admin::Admin,
    ask::ask,
    dead_letters::{id_of, no_such_letter},
    errors::Problem,
    intake,
    object::object,
    openapi::{
        BadRequest, BodyRefused, NotFound, NotOpen, NoteText, ResolutionName, StoreDown, Unauthorized,
    },
    query::Query,
};
use crate::{
    desk::{Desk, sound_note},
    store::{self, Resolution, replay_id},
};

/// A dead letter that is no longer open.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Replayed {
    id: i64,
    /// Identity of the replay; its lineage says what becomes of it
    #[schema(example = "replay:17.1")]
    message_id: String,
    #[schema(value_type = ResolutionName)]
    resolution: &'static str,
}

/// A dead letter that is no longer open.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Discarded {
    id: i64,
    #[schema(value_type = ResolutionName)]
    resolution: &'static str,
}

/// Why a dead letter is of no use
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    /// For those who look at it later
    #[schema(value_type = Option<NoteText>)]
    note: Option<String>,
}

/// Replay a dead letter
///
/// Puts it into the inbox again: as it is, or, when the request has a body, with that instead of what it says. The original
/// stays as it is, and its lineage tells what becomes of the replay. It keeps the place of its message in the channel, so it
/// never overwrites what is newer.
#[utoipa::path(
    post,
    path = "/api/dead-letters/{id}/replay",
    operation_id = "replay_dead_letter",
    tag = "administration",
    security(("admin_token" = [])),
    params(("id" = i64, Path, description = "The id of the dead letter", minimum = 1, example = 1)),
    request_body(description = "The edited message, any bytes; nothing to replay it as it is", content(
        ("application/json"), ("application/octet-stream")
    )),
    responses(
        (status = 200, description = "It is in the inbox", body = Replayed),
        BadRequest, Unauthorized, NotFound, NotOpen, BodyRefused, StoreDown,
    )
)]
pub(super) async fn replay(
    admin: Admin,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    body: Body,
) -> Result<Json<Replayed>, Problem> {
    let id = id_of(uri.path().strip_suffix("/replay").unwrap_or_default())?;
    Query::of(&uri, &[])?;
    let edited = body_of(&shared, body).await?;
    let own = Arc::clone(&shared);
    let replay = async move {
        let edited = Some(&edited[..]).filter(|bytes| !bytes.is_empty());
        desk(&own).replay_one(id, edited, admin.name()).await
    };
    if change(&shared, replay).await? {
        let message_id = replay_id(id);
        return Ok(Json(Replayed { id, message_id, resolution: Resolution::Replayed.as_str() }));
    }
    Err(not_open(&shared, id).await)
}

/// Discard a dead letter
///
/// It stays where it is, with the note, and is no longer open.
#[utoipa::path(
    delete,
    path = "/api/dead-letters/{id}",
    operation_id = "discard_dead_letter",
    tag = "administration",
    security(("admin_token" = [])),
    params(("id" = i64, Path, description = "The id of the dead letter", minimum = 1, example = 1)),
    request_body(content = Option<Note>, content_type = "application/json"),
    responses(
        (status = 200, description = "It is discarded", body = Discarded),
        BadRequest, Unauthorized, NotFound, NotOpen, BodyRefused, StoreDown,
    )
)]
pub(super) async fn discard(
    admin: Admin,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    body: Body,
) -> Result<Json<Discarded>, Problem> {
    let id = id_of(uri.path())?;
    Query::of(&uri, &[])?;
    let body = body_of(&shared, body).await?;
    let says_nothing = matches!(body.trim_ascii(), b"" | b"null");
    let Note { note } = if says_nothing { Note::default() } else { parsed(&body)? };
    let note = sound(note)?;
    let own = Arc::clone(&shared);
    let discard = async move { desk(&own).discard_one(id, note.as_deref(), admin.name()).await };
    if change(&shared, discard).await? {
        return Ok(Json(Discarded { id, resolution: Resolution::Discarded.as_str() }));
    }
    Err(not_open(&shared, id).await)
}

pub(super) fn desk(shared: &Shared) -> Desk<'_> {
    Desk::new(shared.api.store.as_ref(), shared.api.max_message_bytes)
}

/// Waits for a change as [`ask`] does for an answer. The change runs to its end, whether its client stays or leaves and however
/// long the store takes: one that is dropped in the middle may have been made, and nothing in the log would say so.
///
/// # Errors
/// As [`ask`].
pub(super) async fn change<T: Send + 'static>(
    shared: &Shared,
    change: impl Future<Output = store::Result<T>> + Send + 'static,
) -> Result<T, Problem> {
    let change = shared.changes.spawn(change);
    // Nothing aborts it.
    ask(async { change.await.unwrap_or_else(|panicked| resume_unwind(panicked.into_panic())) }).await
}

pub(super) async fn body_of(shared: &Shared, body: Body) -> Result<bytes::Bytes, Problem> {
    if shared.api.stopping.is_cancelled() {
        return Err(Problem::stopping());
    }
    intake::read(shared, body).await
}

/// The object that a body is.
///
/// # Errors
/// 400 for one that is none, or another.
pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    object(&mut json)
        .and_then(|value| json.end().map(|()| value))
        .map_err(|cause| Problem::bad_request(format!("the body is not what this address takes: {cause}")))
}

pub(super) fn sound(note: Option<String>) -> Result<Option<String>, Problem> {
    note.map(|note| sound_note(&note)).transpose().map_err(Problem::bad_request)
}

/// Why nothing was done about a dead letter.
async fn not_open(shared: &Shared, id: i64) -> Problem {
    match ask(shared.api.store.dead_letter(id, 0)).await {
        Ok(Some(letter)) => Problem::new(
            StatusCode::CONFLICT,
            format!(
                "dead letter {id} is {} already, by {}; GET /api/dead-letters/{id} says what became of it",
                letter.summary.resolution,
                letter.resolved_by.as_deref().unwrap_or("nobody"),
            ),
        ),
        Ok(None) => no_such_letter(id),
        Err(problem) => problem,
    }
}
