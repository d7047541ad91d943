//! The HTTP side: orders out of the cache or the store, messages in, and what the service says of itself.
//!
//! ```text
//! server   accepts, bounds, and ends connections
//! front    answers an order that is in the cache; passes everything else on
//! router   the other routes: orders, intake, health, status; for administrators newest, history, dead_letters, desk, bulk
//! feed     what events tells, made once for all who listen
//! openapi  describes every route
//! ```
//!
//! `errors` has the policy of errors, `auth` that of who may publish, `admin` that of who may see uids and payloads, `query` that
//! of parameters.

mod admin;
mod ask;
mod auth;
mod awaited;
mod bulk;
mod dead_letters;
mod desk;
mod errors;
mod etag;
mod events;
mod feed;
mod front;
mod head;
mod health;
mod history;
#[cfg(any(test, fuzzing))]
pub(crate) mod holds;
mod intake;
mod limits;
mod lookups;
mod moment;
mod newest;
mod object;
mod openapi;
mod orders;
mod pace;
mod page;
mod query;
mod router;
mod seats;
mod selection;
mod server;
mod settled;
mod status;
#[cfg(test)]
mod tests;
mod uid;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use auth::{Token, Tokens};
pub use limits::Limits;
pub use page::routes as page_routes;
pub use server::run;

use self::{feed::Feed, lookups::Lookups};
use crate::{
    cache::Cache,
    inbox::SubmitError,
    store::Store,
    telemetry::{Board, HttpRequests, Metrics, Part, StoreFigures, Upstream},
};

/// Where `POST /order` hands over what it has read.
#[async_trait]
pub trait Intake: Send + Sync + fmt::Debug {
    /// Returns the id of the message once the inbox has committed it.
    ///
    /// # Errors
    /// When it was not committed, or may not have been: the client sends the same bytes again, which is harmless.
    async fn submit(&self, payload: Bytes) -> Result<Arc<str>, SubmitError>;
}

/// What the routes need of the rest of the service.
#[derive(Debug)]
pub struct Api {
    /// The documents.
    pub cache: Arc<Cache>,
    /// Asked for what the cache does not hold.
    pub store: Arc<dyn Store>,
    /// Takes messages.
    pub intake: Arc<dyn Intake>,
    /// Every part's health.
    pub board: Board,
    /// The store's line on the board: readiness depends on it.
    pub store_health: Part,
    /// This process's metrics.
    pub metrics: Metrics,
    /// The channel that is subscribed to, if any.
    pub upstreams: Vec<Upstream>,
    /// Who may publish, and administer.
    pub tokens: Tokens,
    /// `MAX_MESSAGE_BYTES`.
    pub max_message_bytes: usize,
    /// What clients may take.
    pub limits: Limits,
    /// Cancelled at the first step of the shutdown: `/readyz` and `POST /order` answer 503 from then on, and
    /// streams of events end.
    pub stopping: CancellationToken,
}

/// The API with what the routes keep for themselves.
#[derive(Debug)]
struct Shared {
    api: Api,
    figures: Arc<StoreFigures>,
    requests: HttpRequests,
    feed: Feed,
    lookups: Lookups,
    /// Of dead letters: each runs to its end.
    changes: TaskTracker,
    /// One permit a body of more than 16 KiB being read.
    uploads: Semaphore,
    started: Instant,
}

/// So many bodies of more than 16 KiB are read at once; with `MAX_MESSAGE_BYTES` this bounds what they hold before the pipeline counts them.
const MAX_UPLOADS: usize = 64;

impl Shared {
    fn new(api: Api) -> Arc<Self> {
        Arc::new(Self {
            figures: StoreFigures::new(Arc::clone(&api.store), api.upstreams.clone()),
            requests: HttpRequests::resolve(),
            feed: Feed::default(),
            lookups: Lookups::new(&api.limits),
            changes: TaskTracker::new(),
            uploads: Semaphore::new(MAX_UPLOADS),
            started: Instant::now(),
            api,
        })
    }
}
