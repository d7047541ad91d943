use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{Shared, health};
use crate::{
    store::{ChannelLedger, Outcome, StoreStatus},
    telemetry::CacheResult,
};

/// `GET /metrics`.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let status = shared.figures.get().await;
    let text = shared.api.metrics.render(&shared.api.cache, status.as_deref());
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// Numbers for everyone; what the store would have said is null while it does not answer.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    version: &'static str,
    uptime_seconds: u64,
    status: &'static str,
    parts: serde_json::Map<String, serde_json::Value>,
    inbox: Option<Inbox>,
    dead_letters: Option<serde_json::Map<String, serde_json::Value>>,
    ledger: Option<Vec<Ledger>>,
    cache: CacheFigures,
}

#[derive(Debug, Serialize)]
struct Inbox {
    pending: i64,
    oldest_pending_seconds: Option<f64>,
}

/// received = applied + replaced + unchanged + outdated + rejected + what is pending.
#[derive(Debug, Serialize)]
struct Ledger {
    source: &'static str,
    channel: String,
    received: i64,
    #[serde(flatten)]
    outcomes: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Serialize)]
struct CacheFigures {
    entries: usize,
    bytes: u64,
    evictions: u64,
    rebuild_ratio: f64,
    /// Reads of orders since the start, by how they ended.
    requests: serde_json::Map<String, serde_json::Value>,
}

/// `GET /api/status`.
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    let store = shared.figures.get().await;
    let store = store.as_deref();
    let parts = shared.api.board.snapshot();
    let cache = &shared.api.cache;
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: shared.started.elapsed().as_secs(),
        status: health::summary(&parts),
        parts: parts.iter().map(|part| (part.name.to_owned(), part.state.as_str().into())).collect(),
        inbox: store.map(inbox),
        dead_letters: store.map(|store| {
            store
                .dead_letters
                .iter()
                .map(|(is, letters)| (is.as_str().to_owned(), (*letters).into()))
                .collect()
        }),
        ledger: store.map(|store| store.ledger.iter().map(ledger).collect()),
        cache: CacheFigures {
            entries: cache.len(),
            bytes: cache.weight(),
            evictions: cache.evictions(),
            rebuild_ratio: cache.rebuild_ratio(),
            requests: CacheResult::ALL
                .iter()
                .map(|result| (result.as_str().to_owned(), shared.requests.reads(*result).into()))
                .collect(),
        },
    })
}

fn inbox(store: &StoreStatus) -> Inbox {
    Inbox {
        pending: store.inbox_pending,
        oldest_pending_seconds: store.oldest_pending.as_ref().map(Duration::as_secs_f64),
    }
}

fn ledger(line: &ChannelLedger) -> Ledger {
    Ledger {
        source: line.source.as_str(),
        channel: line.channel.clone(),
        received: line.received,
        outcomes: Outcome::ALL
            .iter()
            .map(|outcome| (outcome.as_str().to_owned(), line.outcomes.get(*outcome).into()))
            .collect(),
    }
}
