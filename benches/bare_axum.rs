//! A bare axum server that answers orders from the service's own cache, with or without the metric calls that
//! src/http/front.rs makes for such an answer: a reference of `make bench`.
//!
//! ```sh
//! cargo run --release --example bare_axum -- 127.0.0.1:8090 with
//! ```

use std::{io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use orderbox::{
    cache::Cache,
    sample::MODEL,
    telemetry::{CacheResult, HttpRequests, Metrics, Route},
};
use serde::Deserialize;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const UID: &str = "b563feb7b2b84b6test";

/// What every request needs. `requests` is there in the run with metrics.
struct Shared {
    cache: Cache,
    requests: Option<HttpRequests>,
}

#[derive(Deserialize)]
struct Asked {
    order_uid: String,
}

/// The calls and their order are those of `Front::cached`.
async fn order(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Response {
    let Some(requests) = &shared.requests else { return answer(&shared.cache, &asked.order_uid) };
    let began = Instant::now();
    let answer = answer(&shared.cache, &asked.order_uid);
    requests.read(CacheResult::Hit);
    requests.answered(Route::GetOrder, answer.status(), began.elapsed());
    answer
}

fn answer(cache: &Cache, uid: &str) -> Response {
    let Some(document) = cache.get(uid) else { return StatusCode::NOT_FOUND.into_response() };
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::ETAG, document.etag());
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    (headers, document.bytes()).into_response()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (address, with) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [address, "with"] => (address, true),
        [address, "without"] => (address, false),
        _ => return Err(io::Error::other("usage: bare_axum ADDRESS with|without")),
    };
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let tasks = TaskTracker::new();
    let requests = with.then(|| {
        let metrics = Metrics::install();
        // Folding the samples is part of what they cost.
        tasks.spawn(async move { metrics.keep_up(&CancellationToken::new()).await });
        HttpRequests::resolve()
    });
    let cache = Cache::new(1 << 20);
    cache.put(UID, MODEL, tokio::time::Instant::now());
    let router = Router::new().route("/order", get(order)).with_state(Arc::new(Shared { cache, requests }));
    axum::serve(TcpListener::bind(address).await?, router).await
}
