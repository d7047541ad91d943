use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Shared,
    admin::Admin,
    ask::ask,
    errors::Problem,
    moment,
    openapi::{BadRequest, NotFound, SourceName, StoreDown, Uid, Unauthorized},
    query::Query,
    uid,
};
use crate::store::FormerDocument;

/// Documents of an answer, in bytes: one at least, and no more after so many.
const MAX_BYTES: usize = 4 << 20;

/// The documents of a uid that were replaced or came too late, newest first. What the order says now is at /order/UID.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct History {
    order_uid: String,
    history: Vec<Former>,
    /// The `before` of the next page; null when this one is the last.
    #[schema(required)]
    next_before: Option<i64>,
}

/// A document and the message that brought it.
#[derive(Debug, Serialize, ToSchema)]
struct Former {
    id: i64,
    message_id: String,
    #[schema(value_type = SourceName)]
    source: &'static str,
    channel: String,
    sequence: i64,
    #[schema(format = DateTime)]
    published_at: String,
    /// When another document took its place, or it came too late.
    #[schema(format = DateTime)]
    replaced_at: String,
    /// The text of the document, exactly as it was published.
    document: String,
}

impl From<FormerDocument> for Former {
    fn from(former: FormerDocument) -> Self {
        Self {
            id: former.id,
            message_id: former.message_id,
            source: former.source.as_str(),
            channel: former.channel,
            sequence: former.sequence,
            published_at: moment::of_publication(former.published_at_ns),
            replaced_at: moment::text(former.replaced_at),
            // Exact: what is no UTF-8 was never accepted.
            document: String::from_utf8_lossy(&former.document).into_owned(),
        }
    }
}

/// What an order said before
///
/// Documents that were replaced, and those that came when a newer one was there already; newest first. A page ends after
/// 4 MiB of documents, whatever its limit.
#[utoipa::path(
    get,
    path = "/api/orders/{order_uid}/history",
    operation_id = "get_history",
    tag = "administration",
    security(("admin_token" = [])),
    params(
        ("order_uid" = inline(Uid), Path, description = "The order's uid", example = "b563feb7b2b84b6test"),
        ("before" = Option<i64>, Query, description = "Only those with a smaller id: `next_before` of the page before", minimum = 1),
        ("limit" = Option<i64>, Query, description = "At most so many; 20 when it is not given", minimum = 1, maximum = 100, example = 20),
    ),
    responses(
        (status = 200, description = "The documents", body = History),
        BadRequest, Unauthorized, NotFound, StoreDown,
    )
)]
pub(super) async fn history(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
) -> Result<Json<History>, Problem> {
    let order_uid = uid::in_path(&uri, "/api/orders/", "/history")?;
    let query = Query::of(&uri, &["before", "limit"])?;
    let (before, limit) = (query.before()?, query.limit(20)?);
    let store = &shared.api.store;
    // One more tells whether there is another page.
    let found = ask(store.history(&order_uid, before, limit + 1, MAX_BYTES)).await?;
    let mut history = found.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "neither an order nor a former document has this uid")
    })?;
    let mut more = history.len() > limit;
    history.truncate(limit);
    let last = history.last().map(|former| former.id);
    let bytes: usize = history.iter().map(|former| former.document.len()).sum();
    if !more && bytes >= MAX_BYTES {
        let next = ask(store.history(&order_uid, last, 1, 1)).await?;
        more = next.is_some_and(|next| !next.is_empty());
    }
    let next_before = last.filter(|_| more);
    let history = history.into_iter().map(Former::from).collect();
    Ok(Json(History { order_uid: order_uid.into_owned(), history, next_before }))
}
