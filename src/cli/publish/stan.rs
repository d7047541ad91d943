use std::time::Duration;

use bytes::Bytes;

use super::target::{Failure, Next, Target, name_of_run};
use crate::{
    config::{NatsSettings, SecretUrl},
    stan::{NotStored, Options, OptionsError, Outcome, PublishError, Publisher},
};

/// Messages on their way: enough to keep the server's disk busy, few enough for any of its limits.
const WINDOW: usize = 1024;

/// How long the server may take to hear that we leave. Everything is acked by then.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A channel of NATS Streaming.
///
/// The server keeps what it is sent twice as two messages, so only what is certainly not stored is sent again.
#[derive(Debug)]
pub(super) struct StanTarget {
    publisher: Publisher,
    channel: String,
}

impl StanTarget {
    /// Sets the target up and connects to nothing.
    pub(super) fn new(
        servers: &SecretUrl,
        cluster_id: &str,
        channel: String,
        nats: &NatsSettings,
    ) -> Result<Self, OptionsError> {
        // Of its own for every run: the server refuses a second client with the same id
        let client_id = name_of_run();
        let options = Options::over(nats.options(servers)?, cluster_id, &client_id)?.publish_window(WINDOW);
        Ok(Self { publisher: Publisher::new(options), channel })
    }

    /// Sees that the server is there, so that a wrong address is told at once and not after a minute of retries.
    pub(super) async fn connect(&self) -> Result<(), String> {
        self.publisher.connect().await.map_err(|error| {
            format!("nothing can be published: {error}. Start the server, or name another place with --to")
        })
    }

    /// Says goodbye. A failure costs nothing: the server drops silent clients by itself.
    pub(super) async fn close(self) {
        drop(self.publisher.close(CLOSE_TIMEOUT).await);
    }
}

impl Target for StanTarget {
    fn window(&self) -> usize {
        WINDOW
    }

    async fn publish(&self, _number: u64, payload: Bytes) -> Result<(), Failure> {
        let publishing = match self.publisher.start_publish(&self.channel, payload).await {
            Ok(publishing) => publishing,
            Err(PublishError::Connect(error)) => return Err(Failure::retry(error)),
            Err(PublishError::NotStored(reason)) => return Err(not_stored(&reason)),
        };
        match publishing.await {
            Outcome::Stored => Ok(()),
            Outcome::NotStored(reason) => Err(not_stored(&reason)),
            Outcome::Unknown(reason) => Err(Failure { outcome_unknown: true, ..Failure::skip(reason) }),
        }
    }
}

fn not_stored(reason: &NotStored) -> Failure {
    match reason {
        reason if reason.is_transient() => Failure::retry(reason),
        NotStored::TooLarge { limit, .. } => {
            Failure::skip(format_args!("larger than the {limit} bytes that the server takes"))
        }
        // The channel's fault, and all messages go to the same: a name that can't be, one channel too many, or one that
        // differs from another only in its case
        reason => Failure { next: Next::Stop, ..Failure::skip(reason) },
    }
}
