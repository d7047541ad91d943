use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Json,
    body::{Body, HttpBody},
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::Serialize;
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, timeout, timeout_at},
};
use utoipa::ToSchema;

use crate::{inbox::SubmitError, source::HttpSource};

use super::{
    Intake, MAX_UPLOADS, Shared,
    errors::{Problem, ProblemBody},
};

/// What a body may hold without a place, less than a connection may buffer anyway: orders are shorter, so they do not wait
/// behind bodies that dawdle.
const SMALL: usize = 16 << 10;

/// How far a body that holds a place may be behind its pace.
const GRACE: Duration = Duration::from_secs(1);

/// A body that is refused is read on for so many bytes, so that the client gets to read the answer: a connection that is
/// closed on unread bytes is reset, and the answer with it.
const DISCARD_BYTES: u64 = 4 << 20;

#[async_trait]
impl Intake for HttpSource {
    async fn submit(&self, payload: Bytes) -> Result<Arc<str>, SubmitError> {
        Self::submit(self, payload).await
    }
}

/// A message that is committed to the inbox.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// The same for the same bytes
    #[schema(value_type = String, example = "http:6bbed89d996ba31c36f93307a6fa0008")]
    message_id: Arc<str>,
}

/// Publish a message
///
/// Any bytes, whatever their content type: what is no order becomes a dead letter. The same bytes sent again join while they
/// are pending, and change nothing after. Without PUBLISH_TOKEN and ADMIN_TOKEN only this machine may publish; with either, its bearer.
#[utoipa::path(
    post,
    path = "/order",
    operation_id = "publish_order",
    tag = "orders",
    security((), ("publish_token" = []), ("admin_token" = [])),
    request_body(description = "The message", content(
        ("application/json", example = json!({
            "order_uid": "b563feb7b2b84b6test", "track_number": "WBILMTESTTRACK", "delivery": {}, "payment": {}, "items": []
        })),
        ("application/octet-stream")
    )),
    responses(
        (status = 202, description = "The message is written down; it will be settled", body = Accepted),
        (status = 400, description = "The body ended before its end", content_type = "application/problem+json", body = ProblemBody),
        (status = 401, description = "The token is missing or wrong", content_type = "application/problem+json", body = ProblemBody,
            headers(("WWW-Authenticate" = String, description = "`Bearer`"))),
        (status = 403, description = "No token is set, and the request is not from this machine", content_type = "application/problem+json", body = ProblemBody),
        (status = 408, description = "The body did not arrive within HTTP_BODY_TIMEOUT, or came too slowly", content_type = "application/problem+json", body = ProblemBody),
        (status = 413, description = "The body is longer than MAX_MESSAGE_BYTES", content_type = "application/problem+json", body = ProblemBody),
        (status = 429, description = "As many messages wait as PIPELINE_BYTES allows", content_type = "application/problem+json", body = ProblemBody,
            headers(("Retry-After" = u32, description = "Seconds to wait before the next try"))),
        (status = 503, description = "The database does not answer, too many large bodies are being read, or the service is stopping", content_type = "application/problem+json", body = ProblemBody,
            headers(("Retry-After" = u32, description = "Seconds to wait before the next try"))),
    )
)]
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let api = &shared.api;
    api.tokens.may_publish(peer, request.version(), request.uri(), request.headers())?;
    if api.stopping.is_cancelled() {
        return Err(Problem::stopping());
    }
    let payload = read(&shared, request.into_body()).await?;
    match api.intake.submit(payload).await {
        Ok(message_id) => Ok((StatusCode::ACCEPTED, Json(Accepted { message_id }))),
        Err(SubmitError::Full) => Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "as many messages wait as PIPELINE_BYTES allows; send it again",
        )
        .with(header::RETRY_AFTER, "1")),
        Err(error @ SubmitError::Store(_)) => {
            // The store's health part logs the outage once.
            tracing::debug!(%error, "a message was not taken");
            Err(Problem::store_down("the database has not taken this message; send it again; see /healthz"))
        }
        Err(SubmitError::Stopping) => Err(Problem::stopping()),
    }
}

/// The body in a buffer of its own that is no larger: a chunk as hyper hands it over may keep a whole read buffer alive, which nobody would count.
pub(super) async fn read(shared: &Shared, body: Body) -> Result<Bytes, Problem> {
    let read = shared.api.stopping.run_until_cancelled(collect(shared, body)).await;
    read.unwrap_or_else(|| Err(Problem::stopping()))
        .map_err(|problem| problem.with(header::CONNECTION, "close"))
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "the body did not arrive within HTTP_BODY_TIMEOUT, or came too slowly for its length; send it again",
    )
}

fn crowded() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("{MAX_UPLOADS} other bodies of more than {SMALL} bytes are being read; send it again"),
    )
    .with(header::RETRY_AFTER, "1")
}

async fn collect(shared: &Shared, mut body: Body) -> Result<Bytes, Problem> {
    let limit = shared.api.max_message_bytes;
    let time = shared.api.limits.body_timeout;
    let mut end = Instant::now() + time;
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        discard(body, announced, end).await;
        return Err(too_large(limit));
    }
    // No longer than the limit, which fits in a usize. What is only announced gets no memory.
    let announced = usize::try_from(announced).unwrap_or(limit);
    let mut payload = BytesMut::with_capacity(announced.min(SMALL));
    let mut place: Option<(SemaphorePermit<'_>, Instant)> = None;
    loop {
        let due = match &place {
            None => end,
            // At the pace at which the largest message takes the whole time.
            Some((_, since)) => end.min(*since + GRACE + time.mul_f64(payload.len() as f64 / limit as f64)),
        };
        let Some(frame) = timeout_at(due, body.frame()).await.map_err(|_| too_slow())? else { break };
        let frame =
            frame.map_err(|_| Problem::bad_request("the body ended before its end; send it again"))?;
        if let Ok(chunk) = frame.into_data() {
            if payload.len() + chunk.len() > limit {
                drop(payload);
                discard(body, 0, end).await;
                return Err(too_large(limit));
            }
            if place.is_none() && payload.len() + chunk.len() > SMALL {
                let asked = Instant::now();
                let taken = timeout(time, shared.uploads.acquire()).await;
                // It was not the client that took this time.
                end += asked.elapsed();
                let Ok(taken) = taken else {
                    discard(body, 0, end).await;
                    return Err(crowded());
                };
                place = Some((taken.expect("the semaphore is never closed"), Instant::now()));
                payload.reserve(announced.saturating_sub(payload.len()));
            }
            payload.extend_from_slice(&chunk);
        }
    }
    // The pipeline counts lengths: a body whose length was not announced grew its buffer by doubling.
    Ok(if payload.capacity() > payload.len() { Bytes::copy_from_slice(&payload) } else { payload.freeze() })
}

/// Reads on, within bounds, what is refused.
async fn discard(mut body: Body, announced: u64, end: Instant) {
    let mut discarded = announced.saturating_sub(body.size_hint().lower());
    if announced <= DISCARD_BYTES {
        while discarded < DISCARD_BYTES
            && let Ok(Some(Ok(frame))) = timeout_at(end, body.frame()).await
        {
            discarded += frame.data_ref().map_or(0, |chunk| chunk.len() as u64);
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body has more than {limit} bytes, which is what MAX_MESSAGE_BYTES allows"),
    )
}
