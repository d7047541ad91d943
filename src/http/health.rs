use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;

use super::Shared;
use crate::{
    cache::Rebuild,
    telemetry::{PartSnapshot, State as PartState},
};

/// `GET /livez`: this process runs.
pub(super) async fn live() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// `GET /readyz`: reads can be answered, from the store or from a cache that is warm. Not whether anything else works: a
/// balancer must not drop every instance because the broker is away.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Value>) {
    let api = &shared.api;
    let reason = if api.stopping.is_cancelled() {
        Some("stopping")
    } else if !api.store_health.is_up() && api.cache.rebuild_state() != Rebuild::Done {
        Some("the store does not answer and the cache is not filled yet")
    } else {
        None
    };
    match reason {
        None => (StatusCode::OK, Json(json!({"status": "ok"}))),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not ready", "reason": reason})))
        }
    }
}

/// `GET /healthz`: every part with its state, and 503 when any of them doesn't work.
pub(super) async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Value>) {
    let parts = shared.api.board.snapshot();
    let status = summary(&parts);
    let code = if status == OK { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let parts: Map<String, Value> =
        parts.into_iter().map(|part| (part.name.to_owned(), part_json(part))).collect();
    (code, Json(json!({"status": status, "parts": parts})))
}

const OK: &str = "ok";

/// `ok` when every part works; one that is still starting does not.
pub(super) fn summary(parts: &[PartSnapshot]) -> &'static str {
    if parts.iter().all(|part| part.state == PartState::Up) { OK } else { "failing" }
}

fn part_json(part: PartSnapshot) -> Value {
    let since = part.since.format(&Rfc3339).expect("the clock is within RFC 3339's years");
    let mut json = json!({"state": part.state.as_str(), "since": since});
    if let PartState::Down { reason } = part.state {
        json["reason"] = reason.into();
    }
    if !part.details.is_empty() {
        json["details"] = part.details.into();
    }
    json
}
