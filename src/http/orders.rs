use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::Full;

use super::{Shared, errors::Problem, etag, uid};
use crate::{
    cache::{Document, Found},
    telemetry::{self, CacheResult},
};

/// How long a reader waits for the store, its turn included, before it is told to come back: shorter than `STORE_TIMEOUT`,
/// because readers of one uid take turns at a store that hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// `GET /order?order_uid=UID`, `GET /order/UID`, for what the cache did not have at once.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let uid = uid::of(request.uri())?;
    let load = shared.api.cache.read_through(&uid, &*shared.api.store);
    let (result, answer) = match tokio::time::timeout(PATIENCE, load).await {
        Ok(Ok(Some(Found::Cached(document)))) => (CacheResult::Hit, Ok(document)),
        Ok(Ok(Some(Found::Loaded(document)))) => (CacheResult::Loaded, Ok(document)),
        Ok(Ok(None)) => (CacheResult::Absent, Err(unknown())),
        Ok(Err(error)) => {
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

    let has_it = etag::is_known(&document.etag, request);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::ETAG, document.etag);
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    let (status, body) = if has_it {
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        headers.insert(header::CONTENT_TYPE, JSON);
        (StatusCode::OK, document.bytes)
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no order with this uid")
}

fn down() -> Problem {
    Problem::store_down("this order is not in memory and the database does not answer; see /healthz")
}
