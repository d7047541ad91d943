//! How to reach a NATS server, checked when it is written down and not when it is used.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;

use super::address::{InvalidAddress, Server};

/// Where the servers are, how to prove who we are, and how long to wait.
///
/// Its `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) servers: Vec<Server>,
    pub(super) credentials: Option<PathBuf>,
    pub(super) root_certificates: Option<PathBuf>,
    pub(super) connect_timeout: Duration,
    pub(super) request_timeout: Duration,
}

/// Options that can't work.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OptionsError {
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
}

impl Options {
    /// `addresses` are each `nats://` or `tls://[user:password@]host[:port]`; a user without a password is a token. The port
    /// is 4222 unless given.
    pub fn new(addresses: impl IntoIterator<Item: AsRef<str>>) -> Result<Self, OptionsError> {
        let parsed = addresses.into_iter().zip(1..).map(|(address, number)| {
            Server::parse(address.as_ref()).map_err(|reason| OptionsError::Address { number, reason })
        });
        let servers = parsed.collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(OptionsError::NoAddress);
        }
        Ok(Self {
            servers,
            credentials: None,
            root_certificates: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
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

    /// How long to wait for the answer to a request.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_counts_and_a_wrong_one_is_told_by_its_number() {
        let options = Options::new(["nats://a:1", "tls://u:secret@b:2"]).expect("two sound addresses");
        assert_eq!(format!("{:?}", options.servers), "[nats://a:1, tls://b:2]");
        assert!(!format!("{options:?}").contains("secret"));
        let error = Options::new(["a", "nats://u:secret"]).expect_err("the port is none");
        assert!(error.to_string().starts_with("address 2 of the NATS servers "), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        assert_eq!(Options::new([""; 0]).expect_err("none"), OptionsError::NoAddress);
    }
}
