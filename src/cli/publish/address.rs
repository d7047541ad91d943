use std::{borrow::Cow, fmt, net::SocketAddr, str::FromStr};

use hyper::http::uri::Authority;
use thiserror::Error;

use crate::{
    cli::healthcheck::reachable,
    config::{JetStreamSettings, SecretUrl, StanSettings},
    nats,
    stan::name,
};

/// Where to publish to. Its `Display` shows no password.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Address {
    /// A service that listens on HTTP.
    Http(Authority),
    /// A channel of NATS Streaming.
    Stan {
        /// `nats://` or `tls://`, comma-separated.
        servers: SecretUrl,
        cluster_id: String,
        channel: String,
    },
    /// A subject of a JetStream stream.
    JetStream {
        /// `nats://` or `tls://`, comma-separated.
        servers: SecretUrl,
        stream: String,
        subject: String,
    },
}

/// Why `--to` names no place.
#[derive(Debug, Clone, PartialEq, Error)]
#[error(
    "{0}; write jetstream://[USER:PASSWORD@]HOST:4222/STREAM/SUBJECT, stan://[USER:PASSWORD@]HOST:4222/CLUSTER/CHANNEL or http://HOST:8080"
)]
pub(super) struct InvalidAddress(Cow<'static, str>);

impl InvalidAddress {
    fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl Address {
    /// What a service with these settings would read: the stream when it has one, else the channel, else its own HTTP side.
    pub(super) fn of_service(jetstream: &JetStreamSettings, stan: &StanSettings, http: SocketAddr) -> Self {
        if let Some(servers) = &jetstream.url {
            let (stream, subject) = (jetstream.stream.clone(), jetstream.subject.clone());
            return Self::JetStream { servers: servers.clone(), stream, subject };
        }
        match &stan.url {
            Some(servers) => Self::Stan {
                servers: servers.clone(),
                cluster_id: stan.cluster_id.clone(),
                channel: stan.channel.clone(),
            },
            None => Self::Http(
                Authority::from_str(&reachable(http).to_string())
                    .expect("an address and port are an authority"),
            ),
        }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidAddress::new("the scheme is missing"))?;
        match scheme {
            "http" => http(rest),
            "stan" => channel(rest),
            "jetstream" => stream(rest),
            "nats" | "tls" => Err(InvalidAddress::new(
                "the scheme of a stream is jetstream://, that of a channel is stan://",
            )),
            "https" => Err(InvalidAddress::new("https:// is not supported")),
            _ => Err(InvalidAddress::new("the scheme is not known")),
        }
    }
}

fn http(rest: &str) -> Result<Address, InvalidAddress> {
    let authority = Authority::from_str(rest.strip_suffix('/').unwrap_or(rest))
        .map_err(|_| InvalidAddress::new("that is no host and port, and nothing may follow them"))?;
    if authority.as_str().contains('@') {
        return Err(InvalidAddress::new("a token goes into PUBLISH_TOKEN, not into the URL"));
    }
    if authority.host().is_empty() {
        return Err(InvalidAddress::new("the host is missing"));
    }
    Ok(Address::Http(authority))
}

fn channel(rest: &str) -> Result<Address, InvalidAddress> {
    let [servers, cluster_id, channel] = three_parts(rest, "cluster id", "channel")?;
    let servers = servers_of(servers)?;
    name::cluster_id(cluster_id)
        .map_err(|invalid| InvalidAddress::new(format!("the cluster id {}", invalid.rule())))?;
    name::channel(channel)
        .map_err(|invalid| InvalidAddress::new(format!("the channel {}", invalid.rule())))?;
    Ok(Address::Stan { servers, cluster_id: cluster_id.to_owned(), channel: channel.to_owned() })
}

fn stream(rest: &str) -> Result<Address, InvalidAddress> {
    let [servers, stream, subject] = three_parts(rest, "stream", "subject")?;
    let servers = servers_of(servers)?;
    nats::name::of_stream(stream).map_err(|rule| InvalidAddress::new(format!("the stream {rule}")))?;
    nats::name::subject(subject).map_err(|rule| InvalidAddress::new(format!("the subject {rule}")))?;
    Ok(Address::JetStream { servers, stream: stream.to_owned(), subject: subject.to_owned() })
}

fn three_parts<'a>(rest: &'a str, second: &str, third: &str) -> Result<[&'a str; 3], InvalidAddress> {
    let parts: Vec<&str> = rest.split('/').collect();
    let parts = <[&str; 3]>::try_from(parts).map_err(|_| {
        InvalidAddress::new(format!(
            "after host and port come the {second} and the {third}, and nothing else"
        ))
    })?;
    if parts.contains(&"") {
        return Err(InvalidAddress::new(format!("host, {second} and {third} may not be empty")));
    }
    Ok(parts)
}

fn servers_of(hosts: &str) -> Result<SecretUrl, InvalidAddress> {
    let servers = SecretUrl::from(format!("nats://{hosts}"));
    for url in servers.list() {
        nats::check_address(url.expose())
            .map_err(|reason| InvalidAddress::new(format!("a part of the host {reason}")))?;
    }
    Ok(servers)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(authority) => write!(f, "http://{authority}"),
            Self::Stan { servers, cluster_id, channel } => {
                write!(f, "channel {channel} of cluster {cluster_id} at {servers}")
            }
            Self::JetStream { servers, stream, subject } => {
                write!(f, "subject {subject} of stream {stream} at {servers}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_named_by_server_cluster_and_channel() {
        let address: Address = "stan://user:s3cret@host:4222/test-cluster/orders.new".parse().expect("sound");
        let Address::Stan { servers, cluster_id, channel } = &address else {
            panic!("{address} is no channel")
        };
        assert_eq!(servers.expose(), "nats://user:s3cret@host:4222");
        assert_eq!((cluster_id.as_str(), channel.as_str()), ("test-cluster", "orders.new"));
        assert!(!format!("{address} {address:?}").contains("s3cret"));
    }

    #[test]
    fn a_stream_is_named_by_server_stream_and_subject() {
        let address: Address = "jetstream://user:s3cret@a:1,b:2/ORDERS/orders.new".parse().expect("sound");
        let Address::JetStream { servers, stream, subject } = &address else {
            panic!("{address} is no stream")
        };
        assert_eq!(servers.list().len(), 2);
        assert_eq!((stream.as_str(), subject.as_str()), ("ORDERS", "orders.new"));
        assert!(!format!("{address} {address:?}").contains("s3cret"));
    }

    #[test]
    fn a_service_is_named_by_host_and_port() {
        for text in ["http://127.0.0.1:8080", "http://[::1]:8080/", "http://localhost"] {
            assert!(matches!(text.parse(), Ok(Address::Http(_))), "{text}");
        }
    }

    #[test]
    fn an_address_that_names_no_place_is_refused_with_what_to_write() {
        for (text, reason) in [
            ("localhost:8080", "the scheme is missing"),
            ("https://h", "https:// is not supported"),
            ("nats://h:4222", "that of a channel is stan://"),
            ("jetstream://h:4222/ORDERS", "the stream and the subject"),
            ("jetstream://h:4222/A.B/orders", "the stream must not contain ."),
            ("jetstream://h:4222/ORDERS/orders.*", "the subject must not contain *"),
            ("http://h:8080/order", "nothing may follow"),
            ("http://token@h:8080", "a token goes into PUBLISH_TOKEN"),
            ("http://", "no host"),
            ("stan://h:4222", "cluster id and the channel"),
            ("stan://h:4222/c", "cluster id and the channel"),
            ("stan://h:4222/c/o/x", "nothing else"),
            ("stan://h:4222//o", "may not be empty"),
            ("stan://h:port/c/o", "a part of the host is no URL"),
            ("stan://h:4222/c.d/o", "the cluster id may contain only letters"),
            ("stan://h:4222/c/o*", "the channel must not contain *"),
        ] {
            let error = Address::from_str(text).expect_err(text).to_string();
            assert!(error.contains(reason) && error.contains("; write jetstream://"), "{text}: {error}");
        }
    }
}
