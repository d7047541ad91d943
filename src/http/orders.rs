use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::Full;
use tokio::time::Instant;

use super::{
    Shared,
    ask::PATIENCE,
    errors::Problem,
    etag,
    lookups::{TURN, Unanswered},
    openapi::{OrderRead, Uid},
    uid,
};
use crate::{
    cache::Found,
    document::Document,
    telemetry::{self, CacheResult, Part},
};

/// An order by its uid
///
/// The document, byte for byte as it was published.
#[utoipa::path(
    get,
    path = "/order",
    operation_id = "get_order",
    tag = "orders",
    params(
        ("order_uid" = inline(Uid), Query, description = "The order's uid", example = "b563feb7b2b84b6test"),
        ("If-None-Match" = Option<String>, Header, description = "ETags of documents that the client has"),
    ),
    responses(OrderRead)
)]
pub(super) async fn by_query(
    shared: State<Arc<Shared>>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    get(shared, request).await
}

/// An order by its uid, in the path
///
/// The document, byte for byte as it was published.
#[utoipa::path(
    get,
    path = "/order/{order_uid}",
    operation_id = "get_order_by_path",
    tag = "orders",
    params(
        ("order_uid" = inline(Uid), Path, description = "The order's uid", example = "b563feb7b2b84b6test"),
        ("If-None-Match" = Option<String>, Header, description = "ETags of documents that the client has"),
    ),
    responses(OrderRead)
)]
pub(super) async fn by_path(shared: State<Arc<Shared>>, request: Request) -> Result<Response<Body>, Problem> {
    get(shared, request).await
}

/// Both, for what the cache did not have at once.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let uid = uid::of(request.uri())?;
    let turn = Instant::now() + TURN;
    let load = shared.lookups.document(&shared.api.store, &uid, turn);
    let read = shared.api.cache.read_through(&uid, load);
    let (result, answer) = match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(Some(Found::Cached(document)))) => (CacheResult::Hit, Ok(document)),
        Ok(Ok(Some(Found::Loaded(document)))) => (CacheResult::Loaded, Ok(document)),
        Ok(Ok(None)) => (CacheResult::Absent, Err(unknown())),
        Ok(Err(Unanswered::Busy)) => (CacheResult::Error, Err(busy(&shared.api.store_health))),
        Ok(Err(Unanswered::Store(error))) => {
            telemetry::store_error(error.class);
            // Expected during an outage, which the store's health part logs once.
            tracing::debug!(%error, "an order could not be read");
            (CacheResult::Error, Err(down()))
        }
        Err(_) => (CacheResult::Error, Err(down())),
    };
    shared.requests.read(result);
    answer.map(|document| respond(document, request.headers()).map(Body::new))
}

/// 200 with the document, or 304 when the client has it.
pub(super) fn respond(document: Document, request: &HeaderMap) -> Response<Full<Bytes>> {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    // Kept by the client, but asked for each time: a replaced order must be seen at once.
    const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("private, no-cache");
    const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

    let etag = document.etag();
    let has_it = etag::is_known(&etag, request);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::ETAG, etag);
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    let (status, body) = if has_it {
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        headers.insert(header::CONTENT_TYPE, JSON);
        (StatusCode::OK, document.bytes())
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no order with this uid")
}

/// Look-ups in a store that hangs keep the places that others wait for, at first before its health part knows.
fn busy(store: &Part) -> Problem {
    if !store.is_up() {
        return down();
    }
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "this order is not in memory, and more look-ups wait than HTTP_MAX_LOOKUPS lets through; try again; see /healthz",
    )
    .with(header::RETRY_AFTER, "1")
}

fn down() -> Problem {
    Problem::store_down("this order is not in memory and the database does not answer; see /healthz")
}
