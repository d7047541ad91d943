use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Shared, moment,
    openapi::{PartState, Summary},
};
use crate::{
    cache::Rebuild,
    telemetry::{self, PartSnapshot},
};

/// The word of a probe.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Probe {
    #[schema(example = "ok")]
    status: &'static str,
    /// Why not; absent when all is well
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'static str>,
}

/// Every part of the service.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    #[schema(value_type = Summary)]
    status: &'static str,
    /// By their names
    parts: BTreeMap<&'static str, PartHealth>,
}

/// One part of the service.
#[derive(Debug, Serialize, ToSchema)]
struct PartHealth {
    #[schema(value_type = PartState)]
    state: &'static str,
    /// When it came into this state
    #[schema(format = DateTime)]
    since: String,
    /// What happened; only of a part that is down
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// What else an operator should know
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
}

/// Whether this process runs
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "is_alive",
    tag = "state",
    responses((status = 200, description = "It does", body = Probe))
)]
pub(super) async fn live() -> Json<Probe> {
    Json(Probe { status: OK, reason: None })
}

/// Whether reads can be answered
///
/// From the store or from a cache that is warm. Not whether anything else works: a balancer must not drop every instance
/// because the broker is away.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "is_ready",
    tag = "state",
    responses(
        (status = 200, description = "They can", body = Probe),
        (status = 503, description = "They can't, or the service is stopping", body = Probe,
            example = json!({"status": "not ready", "reason": "stopping"})),
    )
)]
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Probe>) {
    let api = &shared.api;
    let reason = if api.stopping.is_cancelled() {
        Some("stopping")
    } else if !api.store_health.is_up() && api.cache.rebuild_state() != Rebuild::Done {
        Some("the store does not answer and the cache is not filled yet")
    } else {
        None
    };
    match reason {
        None => (StatusCode::OK, Json(Probe { status: OK, reason })),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(Probe { status: "not ready", reason })),
    }
}

/// Every part with its state
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "get_health",
    tag = "state",
    responses(
        (status = 200, description = "All of them work", body = Health, example = json!({
            "status": "ok", "parts": {"store": {"state": "up", "since": "2026-01-02T03:04:05.678Z"}}
        })),
        (status = 503, description = "One does not work, or is still starting", body = Health, example = json!({
            "status": "failing",
            "parts": {"store": {"state": "down", "since": "2026-01-02T03:04:05.678Z", "reason": "cannot connect: connection refused"}}
        })),
    )
)]
pub(super) async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Health>) {
    let parts = shared.api.board.snapshot();
    let status = summary(&parts);
    let code = if status == OK { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let parts = parts.into_iter().map(|part| (part.name, part.into())).collect();
    (code, Json(Health { status, parts }))
}

const OK: &str = "ok";

/// `ok` when every part works; one that is still starting does not.
pub(super) fn summary(parts: &[PartSnapshot]) -> &'static str {
    if parts.iter().all(|part| part.state == telemetry::State::Up) { OK } else { "failing" }
}

impl From<PartSnapshot> for PartHealth {
    fn from(part: PartSnapshot) -> Self {
        let state = part.state.as_str();
        let reason = match part.state {
            telemetry::State::Down { reason } => Some(reason),
            telemetry::State::Up | telemetry::State::Starting => None,
        };
        Self { state, since: moment::text(part.since), reason, details: part.details }
    }
}
