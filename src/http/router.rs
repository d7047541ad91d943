use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderValue, header},
    routing::{get, post},
};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

use super::{Shared, errors, health, intake, orders, page, status};

/// Every route; what they don't say themselves about caching and sniffing is added here.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/order", get(orders::get).merge(post(intake::post)))
        .route("/order/", get(orders::get))
        .route("/order/{uid}", get(orders::get))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/healthz", get(health::health))
        .route("/metrics", get(status::metrics))
        .route("/api/status", get(status::status))
        .merge(page::routes())
        .fallback(errors::unknown_route)
        .method_not_allowed_fallback(errors::unknown_method)
        .layer(CatchPanicLayer::custom(errors::panicked))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .with_state(shared)
}
