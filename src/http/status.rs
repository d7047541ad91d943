use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Shared, health, moment,
    openapi::{PartState, SourceName, Summary},
    settled::{Expired, Settled},
};
use crate::{
    store::{ChannelLedger, DeadLetterCounts, GapReport, Resolution, StoreStatus},
    telemetry::{CacheResult, SourceFigures, Upstream},
};

/// Everything that is counted, for Prometheus
///
/// Figures that are read from the database are absent while it does not answer.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "get_metrics",
    tag = "state",
    responses((status = 200, description = "Prometheus' text format", content_type = "text/plain", body = String,
        example = "orderbox_inbox_pending 0"))
)]
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let text = shared.api.metrics.render(&shared.api.cache, &shared.figures, &shared.requests).await;
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// Numbers for everyone; what the store would have said is null while it does not answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    version: &'static str,
    uptime_seconds: u64,
    #[schema(value_type = Summary)]
    status: &'static str,
    /// The state of each part; /healthz says more
    #[schema(value_type = BTreeMap<String, PartState>)]
    parts: BTreeMap<&'static str, &'static str>,
    #[schema(required)]
    inbox: Option<Pending>,
    #[schema(required)]
    dead_letters: Option<Letters>,
    #[schema(required)]
    ledger: Option<Vec<Account>>,
    /// Messages that were received and are neither settled nor pending, over all channels: 0 unless something is wrong
    #[schema(required)]
    unaccounted: Option<u64>,
    #[schema(required)]
    sources: Option<Vec<Position>>,
    #[schema(required)]
    gaps: Option<Gaps>,
    cache: CacheFigures,
}

/// What is received and not settled.
#[derive(Debug, Serialize, ToSchema)]
struct Pending {
    pending: i64,
    /// Null when nothing waits
    #[schema(required)]
    oldest_pending_seconds: Option<f64>,
}

/// Dead letters by what has become of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Letters {
    pub(super) open: i64,
    replayed: i64,
    discarded: i64,
}

/// What became of the messages of a channel: received = applied + replaced + unchanged + outdated + rejected + those pending.
#[derive(Debug, Serialize, ToSchema)]
struct Account {
    #[schema(value_type = SourceName)]
    source: &'static str,
    channel: String,
    received: i64,
    #[serde(flatten)]
    settled: Settled,
    expired: Expired,
}

/// How far a channel has been read.
#[derive(Debug, Serialize, ToSchema)]
struct Position {
    #[schema(value_type = SourceName)]
    source: &'static str,
    channel: String,
    /// 0 where the source has no sequences
    last_sequence: i64,
    /// Published and not received yet; null when it is not known
    #[schema(required)]
    lag: Option<u64>,
}

/// What channels have skipped: the broker had those messages and has lost them, unless they come late.
#[derive(Debug, Serialize, ToSchema)]
struct Gaps {
    /// Whether a gap would be seen now: not without a channel, and not by a member of a queue group
    watched: bool,
    /// Gaps whose messages have not come
    open: i64,
    /// At most 20, newest first, open ones before closed ones; closed ones are kept for 30 days
    latest: Vec<Gap>,
}

/// Messages in a row that did not come within three ack waits.
#[derive(Debug, Serialize, ToSchema)]
struct Gap {
    #[schema(value_type = SourceName)]
    source: &'static str,
    channel: String,
    /// Sequence of the first message
    first: i64,
    /// Sequence of the last message
    last: i64,
    /// How many there are
    messages: i64,
    /// When they were noticed to be skipped
    #[schema(format = DateTime)]
    seen_at: String,
    /// When they came after all; null while they are missing
    #[schema(required, format = DateTime)]
    closed_at: Option<String>,
}

/// The orders in memory, since the start.
#[derive(Debug, Serialize, ToSchema)]
struct CacheFigures {
    entries: usize,
    bytes: u64,
    evictions: u64,
    /// 1 when the newest orders have been read back, up to CACHE_BYTES
    rebuild_ratio: f64,
    requests: Reads,
}

/// Reads of orders by how they ended.
#[derive(Debug, Serialize, ToSchema)]
struct Reads {
    /// From memory
    hit: u64,
    /// From the database
    loaded: u64,
    /// There is no such order
    absent: u64,
    /// The database did not answer
    error: u64,
}

/// What there is and what waits, in numbers
#[utoipa::path(
    get,
    path = "/api/status",
    operation_id = "get_status",
    tag = "state",
    responses((status = 200, description = "The numbers; null where the database would have to answer and does not", body = Status))
)]
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    let figures = shared.figures.get().await;
    let figures = figures.as_deref();
    let store = figures.map(|figures| &figures.store);
    let parts = shared.api.board.snapshot();
    let cache = &shared.api.cache;
    let reads = |result| shared.requests.reads(result);
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: shared.started.elapsed().as_secs(),
        status: health::summary(&parts),
        parts: parts.iter().map(|part| (part.name, part.state.as_str())).collect(),
        inbox: store.map(Pending::from),
        dead_letters: figures.and_then(|figures| figures.dead_letters.as_ref()).map(Letters::from),
        ledger: store.map(|store| store.ledger.iter().map(Account::from).collect()),
        unaccounted: store.map(|store| store.unaccounted),
        sources: figures.map(|figures| figures.sources.iter().map(Position::from).collect()),
        gaps: figures.and_then(|figures| figures.gaps.as_ref()).map(|gaps| Gaps {
            watched: shared.figures.upstreams().iter().any(Upstream::watches_gaps),
            open: gaps.open,
            latest: gaps.latest.iter().map(Gap::from).collect(),
        }),
        cache: CacheFigures {
            entries: cache.len(),
            bytes: cache.weight(),
            evictions: cache.evictions(),
            rebuild_ratio: cache.rebuild_ratio(),
            requests: Reads {
                hit: reads(CacheResult::Hit),
                loaded: reads(CacheResult::Loaded),
                absent: reads(CacheResult::Absent),
                error: reads(CacheResult::Error),
            },
        },
    })
}

impl From<&StoreStatus> for Pending {
    fn from(store: &StoreStatus) -> Self {
        Self {
            pending: store.inbox_pending,
            oldest_pending_seconds: store.oldest_pending.as_ref().map(Duration::as_secs_f64),
        }
    }
}

impl From<&DeadLetterCounts> for Letters {
    fn from(counts: &DeadLetterCounts) -> Self {
        let letters = |of| counts.iter().filter(|(is, _)| *is == of).map(|(_, letters)| letters).sum();
        Self {
            open: letters(Resolution::Open),
            replayed: letters(Resolution::Replayed),
            discarded: letters(Resolution::Discarded),
        }
    }
}

impl From<&ChannelLedger> for Account {
    fn from(line: &ChannelLedger) -> Self {
        Self {
            source: line.source.as_str(),
            channel: line.channel.clone(),
            received: line.received,
            settled: Settled::from(&line.outcomes),
            expired: Expired::from(line.expired),
        }
    }
}

impl From<&GapReport> for Gap {
    fn from(gap: &GapReport) -> Self {
        Self {
            source: gap.source.as_str(),
            channel: gap.channel.clone(),
            first: gap.first,
            last: gap.last,
            messages: gap.last - gap.first + 1,
            seen_at: moment::text(gap.seen_at),
            closed_at: gap.closed_at.map(moment::text),
        }
    }
}

impl From<&SourceFigures> for Position {
    fn from(place: &SourceFigures) -> Self {
        Self {
            source: place.source.as_str(),
            channel: place.channel.clone(),
            last_sequence: place.last_sequence,
            lag: place.lag,
        }
    }
}
