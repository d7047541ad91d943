//! One NATS connection: made once, never made again.
//!
//! async-nats would reconnect by itself and then send what it still had queued: publishes that were given up, and
//! requests that carry only a client id, which another process may own by then. It also would make a PING over the new
//! socket look like proof for an ack that died with the old one. So a connection that breaks is over, and whoever wants
//! another one connects again from the start.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event, ReconnectToServer, ServerAddr};
use thiserror::Error;

use super::{
    address::{Login, Server},
    options::Options,
};

/// How many messages wait in the client for each subscription. More are dropped (and counted) and come back after their
/// ack wait; redelivery ignores MaxInFlight, so no number would be enough for sure.
pub const SUBSCRIPTION_CAPACITY: usize = 8192;

/// Why a connection could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The credentials file can't be used.
    #[error("the credentials file {} can't be used: {source}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Unreadable, or without JWT or seed.
        source: io::Error,
    },
    /// The file with the root certificates can't be used.
    #[error("the root certificates {} can't be used: {source}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Unreadable, or without a certificate.
        source: io::Error,
    },
    /// NATS is not reachable, or refuses us.
    #[error("no connection to NATS at {server}: {source}")]
    Server {
        /// `host:port`.
        server: String,
        /// What NATS or the network said.
        source: async_nats::ConnectError,
    },
}

/// A dead link is noticed after two to three of these; the default of a minute is too long to be silent.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Connects to the first server that answers, in random order, as a client of this name. The error is that of the last one
/// tried. `unread` counts the messages that arrive and that nobody takes in time.
pub async fn connect(options: &Options, name: &str, unread: &Arc<AtomicU64>) -> Result<Client, ConnectError> {
    let mut servers: Vec<&Server> = options.servers.iter().collect();
    fastrand::shuffle(&mut servers);
    let mut last = None;
    for server in servers {
        match connect_to(server, options, name, Arc::clone(unread)).await {
            Ok(client) => return Ok(client),
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("options have at least one address"))
}

async fn connect_to(
    server: &Server,
    options: &Options,
    name: &str,
    unread: Arc<AtomicU64>,
) -> Result<Client, ConnectError> {
    let mut nats = ConnectOptions::new()
        .name(name)
        .connection_timeout(options.connect_timeout)
        .request_timeout(Some(options.request_timeout))
        .ping_interval(PING_INTERVAL)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .ignore_discovered_servers()
        .event_callback(on_event(unread));
    nats = match &server.login {
        Some(Login::Password { user, password }) => nats.user_and_password(user.clone(), password.clone()),
        Some(Login::Token(token)) => nats.token(token.clone()),
        None => nats,
    };
    if let Some(path) = &options.credentials {
        nats = nats
            .credentials_file(path)
            .await
            .map_err(|source| ConnectError::Credentials { path: path.clone(), source })?;
    }
    if let Some(path) = &options.root_certificates {
        // async-nats takes a file without a certificate for an empty list and then says "unknown issuer".
        let pem = tokio::fs::read_to_string(path).await;
        let pem = pem.map_err(|source| ConnectError::Certificates { path: path.clone(), source })?;
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            let source = std::io::Error::other("there is no certificate in it");
            return Err(ConnectError::Certificates { path: path.clone(), source });
        }
        nats = nats.add_root_certificates(path.clone()).require_tls(true);
    }
    let refused = |source| ConnectError::Server { server: server.to_string(), source };
    connect_once(nats, server.address.clone()).await.map_err(refused)
}

/// async-nats has no switch against reconnects. But it asks where to reconnect to, and takes one attempt: after the first
/// connection it is sent to a port that nothing can listen on, and gives up at once.
async fn connect_once(
    options: ConnectOptions,
    server: ServerAddr,
) -> Result<Client, async_nats::ConnectError> {
    let nowhere: ServerAddr = "nats://127.0.0.1:0".parse().expect("a sound address");
    let pool = [server.clone(), nowhere.clone()];
    let asked = AtomicBool::new(false);
    let connecting = options
        .max_reconnects(1)
        .reconnect_to_server_callback(move |_pool, _info| {
            let again = asked.swap(true, Ordering::Relaxed);
            let addr = if again { nowhere.clone() } else { server.clone() };
            std::future::ready(Some(ReconnectToServer { addr, delay: Some(Duration::ZERO) }))
        })
        .connect(pool.as_slice());
    // Some 18 KB, which would otherwise be part of every future that connects.
    Box::pin(connecting).await
}

/// The queue of events is short and lossy: count or log, and nothing more. That the connection is over shows in its
/// subscriptions, which end.
fn on_event(unread: Arc<AtomicU64>) -> impl Fn(Event) -> std::future::Ready<()> + Send + Sync + 'static {
    move |event| {
        match event {
            Event::SlowConsumer(_) => {
                unread.fetch_add(1, Ordering::Relaxed);
            }
            // A denied permission shows here and nowhere else; the request only times out.
            Event::ServerError(error) => tracing::warn!(%error, "the NATS server reports an error"),
            Event::Connected
            | Event::Disconnected
            | Event::LameDuckMode
            | Event::Draining
            | Event::Closed
            | Event::ClientError(_) => {}
        }
        std::future::ready(())
    }
}
