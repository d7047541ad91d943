//! The HTTP side: orders out of the cache or the store, messages in, and what the service says of itself.
//!
//! ```text
//! server   accepts, bounds, and ends connections
//! front    answers an order that is in the cache; passes everything else on
//! router   the other routes: orders, intake, health, status
//! ```
//!
//! `errors` has the policy of errors, `auth` that of who may publish.

mod auth;
mod errors;
mod etag;
mod front;
mod health;
mod intake;
mod orders;
mod page;
mod router;
mod server;
mod stall;
mod status;
#[cfg(test)]
mod tests;
mod uid;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

pub use auth::{Token, Tokens};
pub use page::routes as page_routes;
pub use server::run;

use crate::{
    cache::Cache,
    inbox::SubmitError,
    store::Store,
    telemetry::{Board, HttpRequests, Metrics, Part, StoreFigures},
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
    /// Who may publish.
    pub tokens: Tokens,
    /// `MAX_MESSAGE_BYTES`.
    pub max_message_bytes: usize,
    /// Cancelled at the first step of the shutdown: `/readyz` and `POST /order` answer 503 from then on.
    pub stopping: CancellationToken,
}

/// The API with what the routes keep for themselves.
#[derive(Debug)]
struct Shared {
    api: Api,
    figures: StoreFigures,
    requests: HttpRequests,
    /// One permit a body being read.
    uploads: Semaphore,
    started: Instant,
}

/// So many bodies are read at once; with `MAX_MESSAGE_BYTES` this bounds what they hold before the pipeline counts them.
const MAX_UPLOADS: usize = 64;

impl Shared {
    fn new(api: Api) -> Arc<Self> {
        Arc::new(Self {
            figures: StoreFigures::new(Arc::clone(&api.store)),
            requests: HttpRequests::resolve(),
            uploads: Semaphore::new(MAX_UPLOADS),
            started: Instant::now(),
            api,
        })
    }
}
