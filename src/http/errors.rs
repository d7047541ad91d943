//! Every error is `application/problem+json` (RFC 9457) that says what happened, to what, and what to do:
//!
//! | status | when | what the client does |
//! |---|---|---|
//! | 400 | the request names no uid that an order could have, or a parameter that is not allowed | mend it |
//! | 401, 403 | the token is wrong; no token is set and the request is not from this machine | send, or set, the token |
//! | 404, 405 | no such order or route; the route has other methods (`Allow`) | ask for something else |
//! | 408, 413 | the body came too slowly, or is too long | send it again, or never |
//! | 414, 431 | what is asked for, or the whole head, is too long | shorten it |
//! | 429 | the pipeline is full | try again after `Retry-After` |
//! | 500 | a bug, caught | report it |
//! | 503 | the store does not answer, too many look-ups or large bodies wait, the service is stopping, or all event streams are taken | try again after `Retry-After` |
//!
//! hyper itself answers, without a body, what it cannot read as a request: 400, 414 and 431 (a head of more than 32 KiB, more than 100
//! headers).
//!
//! A detail never holds a payload, personal data or a token.

use std::borrow::Cow;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// An error as a client sees it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    headers: Vec<(HeaderName, &'static str)>,
}

/// A problem by RFC 9457
#[derive(Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no order with this uid"
}))]
pub(super) struct ProblemBody {
    /// `about:blank`: the title says all there is to say of the type
    r#type: &'static str,
    /// What the status means
    title: &'static str,
    /// The status, again
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened, to what, and what to do
    detail: Cow<'static, str>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), headers: Vec::new() }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The request asks for what cannot be.
    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The store does not answer. Its health part says why; a client needs to know only that it is worth trying again.
    pub(crate) fn store_down(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(header::RETRY_AFTER, "5")
    }

    /// The service is on its way out; another instance, or the next start, will answer.
    pub(crate) fn stopping() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the service is stopping: try again when it has started again",
        )
        .with(header::RETRY_AFTER, "5")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let body = ProblemBody {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail,
        };
        let body = serde_json::to_vec(&body).expect("strings and a number always serialize");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.headers {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Whatever is not a route.
pub(super) async fn unknown_route() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address; an order is at /order/UID")
}

/// A route, with a method that it doesn't have; axum adds `Allow`.
pub(super) async fn unknown_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this address does not take this method; the Allow header lists those it takes",
    )
}

/// A handler has panicked; the panic hook has logged where.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "a bug in orderbox, which its log shows: please report it; other requests are not affected",
    )
    .into_response()
}
