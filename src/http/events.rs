use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderName, StatusCode, Uri, header},
    response::{IntoResponse, Sse, sse::Event},
};
use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    admin::Admin,
    errors::{Problem, ProblemBody},
    feed::{FOR_ADMINS, Flow, MAX_STREAMS, Seat, Word},
    openapi::BadRequest,
    query::Query,
};

/// nginx would hold events back until it has a buffer full of them.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// Numbers as they change, every second
///
/// Server-sent events. `event: flow` comes at once and then every second, with totals for everyone. With the token of an
/// administrator `event: orders` comes at once and whenever it has changed, with the newest 20 orders as in
/// `/api/orders/recent`. The data of each is one line of JSON. At most 64 streams are open at once, 16 of them kept for administrators; they end when the service stops.
#[utoipa::path(
    get,
    path = "/api/events",
    operation_id = "stream_events",
    tag = "state",
    security((), ("admin_token" = [])),
    responses(
        (status = 200, description = "The events; the schema is that of the data of `event: flow`", content_type = "text/event-stream", body = Flow),
        BadRequest,
        (status = 503, description = "All streams are taken, or the service is stopping", content_type = "application/problem+json",
            body = ProblemBody, headers(("Retry-After" = u32, description = "Seconds to wait before the next try"))),
    )
)]
pub(super) async fn events(
    admin: Option<Admin>,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
) -> Result<impl IntoResponse, Problem> {
    Query::of(&uri, &[])?;
    let stopping = shared.api.stopping.clone();
    if stopping.is_cancelled() {
        return Err(Problem::stopping());
    }
    let seat = shared.feed.join(admin.is_some()).ok_or_else(|| {
        let detail = format!(
            "all streams of events that you may have are taken: there are {MAX_STREAMS}, {FOR_ADMINS} of them only for administrators; try again, or ask for /api/status"
        );
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(header::RETRY_AFTER, "5")
    })?;
    Ok(([(header::CACHE_CONTROL, "no-store"), UNBUFFERED], Sse::new(until(stopping, seat))))
}

/// What a seat hears, until the service stops.
fn until(stopping: CancellationToken, seat: Seat) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((stopping, seat), async |(stopping, mut seat)| {
        let event = stopping.run_until_cancelled(next(&mut seat)).await??;
        Some((Ok(event), (stopping, seat)))
    })
}

async fn next(seat: &mut Seat) -> Option<Event> {
    let orders = async {
        match &mut seat.orders {
            Some(orders) => word(orders).await,
            None => std::future::pending().await,
        }
    };
    let (name, word) = tokio::select! {
        word = word(&mut seat.flow) => ("flow", word?),
        word = orders => ("orders", word?),
    };
    Some(Event::default().event(name).data(&*word))
}

/// The next word that this receiver has not heard; `None` when nobody will say one any more.
async fn word(receiver: &mut watch::Receiver<Option<Word>>) -> Option<Word> {
    loop {
        receiver.changed().await.ok()?;
        if let Some(word) = receiver.borrow_and_update().clone() {
            return Some(word);
        }
    }
}
