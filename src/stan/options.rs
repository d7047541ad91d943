//! How to reach a streaming server, checked when it is written down and not when it is used.

use std::{path::Path, time::Duration};

use thiserror::Error;

use super::name::{self, InvalidName};
use crate::nats;

/// Where the server is, who we are, and how long to wait.
///
/// Its `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) nats: nats::Options,
    pub(super) cluster_id: String,
    pub(super) client_id: String,
    pub(super) request_timeout: Duration,
    pub(super) publish_timeout: Duration,
    pub(super) publish_window: usize,
    pub(super) ping_interval: Duration,
    pub(super) ping_max_out: u32,
}

/// Options that can't work.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// A cluster id or client id that the server would refuse.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The addresses of the servers.
    #[error(transparent)]
    Nats(#[from] nats::OptionsError),
    /// Pings that the protocol can't express.
    #[error(
        "pings every {interval:?} with {max_out} unanswered: the interval must be whole seconds from 1, and at least 2 may go unanswered"
    )]
    Pings {
        /// As given.
        interval: Duration,
        /// As given.
        max_out: u32,
    },
}

impl Options {
    /// The largest number of publishes that wait for their ack: as many as the NATS subscription for the acks can hold,
    /// since a dropped ack would be a false time-out.
    pub const MAX_PUBLISH_WINDOW: usize = nats::SUBSCRIPTION_CAPACITY;

    /// The addresses are those of [`nats::Options::new`].
    pub fn new(
        addresses: impl IntoIterator<Item: AsRef<str>>,
        cluster_id: &str,
        client_id: &str,
    ) -> Result<Self, OptionsError> {
        Self::over(nats::Options::new(addresses)?, cluster_id, client_id)
    }

    /// A client of the streaming server that is reached by way of these NATS servers.
    pub fn over(nats: nats::Options, cluster_id: &str, client_id: &str) -> Result<Self, OptionsError> {
        name::cluster_id(cluster_id)?;
        name::client_id(client_id)?;
        Ok(Self {
            nats,
            cluster_id: cluster_id.to_owned(),
            client_id: client_id.to_owned(),
            request_timeout: Duration::from_secs(5),
            publish_timeout: Duration::from_secs(30),
            publish_window: 4096,
            // As stan.go: 5 s x 88 is the 440 s after which a server with default settings drops a client.
            ping_interval: Duration::from_secs(5),
            ping_max_out: 88,
        })
    }

    /// See [`nats::Options::credentials`].
    pub fn credentials(mut self, file: impl AsRef<Path>) -> Self {
        self.nats = self.nats.credentials(file);
        self
    }

    /// See [`nats::Options::root_certificates`].
    pub fn root_certificates(mut self, file: impl AsRef<Path>) -> Self {
        self.nats = self.nats.root_certificates(file);
        self
    }

    /// See [`nats::Options::connect_timeout`].
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.nats = self.nats.connect_timeout(limit);
        self
    }

    /// How long to wait for the answer to a request. Keep it well above 0.5 s: so long the server looks whether an older
    /// holder of the client id is alive.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self.nats = self.nats.request_timeout(limit);
        self
    }

    /// How long to wait for the ack of a publish before its outcome is unknown.
    pub fn publish_timeout(mut self, limit: Duration) -> Self {
        self.publish_timeout = limit;
        self
    }

    /// How many publishes may wait for their ack; one more waits for a free place.
    pub fn publish_window(mut self, messages: usize) -> Self {
        self.publish_window = messages.clamp(1, Self::MAX_PUBLISH_WINDOW);
        self
    }

    /// A PING every `interval`; the connection counts as lost when more than `max_out` in a row went unanswered.
    pub fn pings(mut self, interval: Duration, max_out: u32) -> Result<Self, OptionsError> {
        let whole = interval.subsec_nanos() == 0 && (1..=i32::MAX as u64).contains(&interval.as_secs());
        if !whole || !(2..=i32::MAX as u32).contains(&max_out) {
            return Err(OptionsError::Pings { interval, max_out });
        }
        (self.ping_interval, self.ping_max_out) = (interval, max_out);
        Ok(self)
    }

    /// The cluster id.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The client id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_pings_are_checked() {
        assert!(matches!(Options::new(["a"], "c.d", "me"), Err(OptionsError::Name(_))));
        assert!(matches!(Options::new(["a"], "c", ""), Err(OptionsError::Name(_))));
        let options = Options::new(["a"], "c", "me").expect("sound");
        assert!(options.clone().pings(Duration::from_millis(999), 3).is_err());
        assert!(options.clone().pings(Duration::from_secs(1), 1).is_err());
        assert!(options.pings(Duration::from_secs(1), 2).is_ok());
    }
}
