use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderValue, header},
    middleware,
    routing::get,
};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared, bulk, dead_letters, desk, errors, events, head, health, history, intake, newest, openapi, orders,
    page, status,
};

/// Every route that is described; see [`openapi`].
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(openapi::about())
        .routes(routes!(orders::by_query, intake::post))
        .routes(routes!(orders::by_path))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::health))
        .routes(routes!(status::metrics))
        .routes(routes!(status::status))
        .routes(routes!(events::events))
        .routes(routes!(newest::newest))
        .routes(routes!(history::history))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::show, desk::discard))
        .routes(routes!(bulk::selection))
        .routes(routes!(desk::replay))
        .routes(routes!(bulk::replay))
        .routes(routes!(bulk::discard))
        .routes(routes!(openapi::openapi))
}

/// Every route; what they don't say themselves about caching and sniffing is added here.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::from(routes())
        // A uid that was forgotten is told from an address that is not there.
        .route("/order/", get(orders::get))
        .merge(page::routes())
        .fallback(errors::unknown_route)
        .method_not_allowed_fallback(errors::unknown_method)
        .layer(middleware::from_fn(head::limit))
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
