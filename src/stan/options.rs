//! How to reach a streaming server, checked when it is written down and not when it is used.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;

use super::{
    address::{InvalidAddress, Server},
    name::{self, InvalidName},
};

/// Where the server is, who we are, and how long to wait.
///
/// Its `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) servers: Vec<Server>,
    pub(super) cluster_id: String,
    pub(super) client_id: String,
    pub(super) credentials: Option<PathBuf>,
    pub(super) root_certificates: Option<PathBuf>,
    pub(super) connect_timeout: Duration,
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
    /// No address at all.
    #[error("no address of a NATS server is given")]
    NoAddress,
    /// One of the addresses.
    #[error("address {number} of the NATS servers {reason}")]
    Address {
        /// Which one, from 1. Its text is not repeated: it may hold a password.
        number: usize,
        /// What is wrong with it.
        reason: InvalidAddress,
    },
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
    pub const MAX_PUBLISH_WINDOW: usize = super::nats::SUBSCRIPTION_CAPACITY;

    /// `addresses` are each `nats://` or `tls://[user:password@]host[:port]`; a user without a password is a token. The port
    /// is 4222 unless given.
    pub fn new(
        addresses: impl IntoIterator<Item: AsRef<str>>,
        cluster_id: &str,
        client_id: &str,
    ) -> Result<Self, OptionsError> {
        name::cluster_id(cluster_id)?;
        name::client_id(client_id)?;
        let parsed = addresses.into_iter().zip(1..).map(|(address, number)| {
            Server::parse(address.as_ref()).map_err(|reason| OptionsError::Address { number, reason })
        });
        let servers = parsed.collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(OptionsError::NoAddress);
        }
        Ok(Self {
            servers,
            cluster_id: cluster_id.to_owned(),
            client_id: client_id.to_owned(),
            credentials: None,
            root_certificates: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            publish_timeout: Duration::from_secs(30),
            publish_window: 4096,
            // As stan.go: 5 s x 88 is the 440 s after which a server with default settings drops a client.
            ping_interval: Duration::from_secs(5),
            ping_max_out: 88,
        })
    }

    /// The file with the user's JWT and nkey seed (`.creds`). It is read at every connect.
    pub fn credentials(mut self, file: impl AsRef<Path>) -> Self {
        self.credentials = Some(file.as_ref().to_owned());
        self
    }

    /// The PEM file with the root certificates to trust instead of the system's. TLS is then required whatever the
    /// address says: a certificate that is given and not used would be a false sense of safety.
    pub fn root_certificates(mut self, file: impl AsRef<Path>) -> Self {
        self.root_certificates = Some(file.as_ref().to_owned());
        self
    }

    /// How long to wait for the NATS handshake, for each address.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long to wait for the answer to a request. Keep it well above 0.5 s: so long the server looks whether an older
    /// holder of the client id is alive.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
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
    fn every_address_counts_and_a_wrong_one_is_told_by_its_number() {
        let options =
            Options::new(["nats://a:1", "tls://u:secret@b:2"], "c", "me").expect("two sound addresses");
        assert_eq!(format!("{:?}", options.servers), "[nats://a:1, tls://b:2]");
        assert!(!format!("{options:?}").contains("secret"));
        let error = Options::new(["a", "nats://u:secret"], "c", "me").expect_err("the port is none");
        assert!(error.to_string().starts_with("address 2 of the NATS servers "), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        assert_eq!(Options::new([""; 0], "c", "me").expect_err("none"), OptionsError::NoAddress);
    }

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
