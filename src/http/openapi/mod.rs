//! The document at `/openapi.json`, generated from the routes: the router takes its handlers and the document their
//! descriptions from the same call, so that neither can have what the other lacks.
//!
//! `answers` describes the problems that many routes share, `names` the closed lists, `order` the document of an order.

mod answers;
mod names;
mod order;

use std::sync::LazyLock;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components, OpenApi as Document,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

pub(super) use self::{
    answers::{BadRequest, BodyRefused, NotFound, NotOpen, OrderRead, StoreDown, Unauthorized},
    names::{PartState, ReasonName, ReplayStateName, ResolutionName, SourceName, Summary},
    order::{NoteText, PLAIN_TEXT, PlainText, Uid},
};
use super::{errors::ProblemBody, etag, router};

/// What is said of the service as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "orderbox",
        description = "Orders that were received from JetStream, NATS Streaming or HTTP, and what became of each \
            message.\n\n\
            Every error is `application/problem+json` (RFC 9457) whose `detail` says what to do; a 503 of `/readyz` and `/healthz` is no error \
            but their answer, in JSON. An address that has no such method \
            answers 405 with `Allow`; HEAD is answered wherever GET is. Times are RFC 3339 in UTC.\n\n\
            The page at `/` and its files under `/assets/` are for browsers and are not described here."
    ),
    tags(
        (name = "orders", description = "Reading and publishing orders."),
        (name = "state", description = "How the service is, for people, balancers and Prometheus. No personal data, no uids but for an administrator."),
        (name = "administration", description = "What an administrator may see: `Authorization: Bearer ADMIN_TOKEN`."),
    ),
    components(schemas(ProblemBody, order::OrderDocument)),
    modifiers(&Tokens)
)]
struct About;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_with(Components::new);
        for (name, description) in [
            (
                "admin_token",
                "The token of ADMIN_TOKEN, or of the link that the service prints when that is not set.",
            ),
            ("publish_token", "The token of PUBLISH_TOKEN."),
        ] {
            let mut scheme = Http::new(HttpAuthScheme::Bearer);
            scheme.description = Some(description.to_owned());
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

/// The document before any route is in it.
pub(super) fn about() -> Document {
    About::openapi()
}

/// A document that is ready to be sent.
struct Ready {
    bytes: Bytes,
    etag: HeaderValue,
}

static READY: LazyLock<Ready> = LazyLock::new(|| {
    let mut document = router::routes().into_openapi();
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
            may_panic(operation);
        }
    }
    let bytes = Bytes::from(
        serde_json::to_vec(&document).expect("a document of strings and numbers always serializes"),
    );
    Ready { etag: etag::of(&bytes), bytes }
});

/// Any handler may have a bug.
fn may_panic(operation: &mut Operation) {
    operation.responses.responses.extend(<answers::Bug as utoipa::IntoResponses>::responses());
}

/// This description of the routes
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "get_openapi",
    tag = "state",
    params(("If-None-Match" = Option<String>, Header, description = "The ETag of the document that the client has")),
    responses(
        (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object,
            headers(("ETag" = String, description = "Strong"))),
        (status = 304, description = "The client has it", headers(("ETag" = String, description = "Strong"))),
    )
)]
pub(super) async fn openapi(request: HeaderMap) -> Response {
    let headers =
        [(header::ETAG, READY.etag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    if etag::is_known(&READY.etag, &request) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(header::CONTENT_TYPE, "application/json")], READY.bytes.clone()).into_response()
}
