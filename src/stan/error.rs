//! What can go wrong, by what the caller can do about it.
//!
//! | error | what helps |
//! |---|---|
//! | [`OptionsError`](super::OptionsError), [`InvalidName`], [`SubscribeError::Invalid`] | change the setting |
//! | [`ConnectError`] | try again, slowly; [`ClientIdInUse`](ConnectError::ClientIdInUse) very slowly |
//! | [`Lost`] | connect again |
//! | [`NoAnswer`] | the outcome is unknown: ask again on a new connection |

use std::time::Duration;

use thiserror::Error;

use super::name::InvalidName;
use crate::nats;

/// Why a connection could not be made. Nothing of it is left behind.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// NATS itself is not reachable, or refuses us.
    #[error(transparent)]
    Nats(#[from] nats::ConnectError),
    /// NATS is there and nobody answers for the cluster id. A server that is down and a wrong cluster id can't be told
    /// apart: either way nobody listens on the subject.
    #[error(
        "no NATS Streaming server answers for cluster id {cluster_id:?} ({reason}): it is down or starting, or the cluster id is wrong"
    )]
    NoServer {
        /// The cluster id that was asked for.
        cluster_id: String,
        /// No responders, or no answer in time.
        reason: NoAnswer,
    },
    /// Another live client holds the id. The server asked it and it answered.
    #[error("another client holds the client id {client_id:?}: every process needs an id of its own")]
    ClientIdInUse {
        /// The id.
        client_id: String,
    },
    /// The server said no.
    #[error("the NATS Streaming server refuses the connection: {0}")]
    Refused(String),
    /// The server is too old to be used without losing acks or durables: no pings (before 0.10) or no subscription close.
    #[error(
        "the NATS Streaming server is too old: it does not answer pings or can't close a subscription without removing its durable"
    )]
    TooOld,
}

/// Why a subscription could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// A name that the server would refuse.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A number that the protocol can't express.
    #[error("{0}")]
    Invalid(&'static str),
    /// The durable is already active for this client id, mostly by an earlier subscribe whose answer was lost. Connecting
    /// again under the same client id frees it.
    #[error("the durable {durable:?} on channel {channel:?} is already active for this client id")]
    DuplicateDurable {
        /// The channel.
        channel: String,
        /// The durable name.
        durable: String,
    },
    /// The server said no: too many subscriptions or channels, …
    #[error("the NATS Streaming server refuses the subscription to {channel:?}: {reason}")]
    Refused {
        /// The channel.
        channel: String,
        /// The server's words.
        reason: String,
    },
    /// The subscription may exist; the server was asked to close it.
    #[error("the subscription to {channel:?} was not confirmed: {reason}")]
    NoAnswer {
        /// The channel.
        channel: String,
        /// What came instead of an answer.
        reason: NoAnswer,
    },
    /// The connection is over.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Why a request got no answer that counts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// Nobody listens: the server was not asked.
    #[error("nobody listens")]
    NoResponders,
    /// The server may have done what was asked.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The connection broke, or the answer made no sense.
    #[error("{0}")]
    Broken(String),
    /// The connection is over.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Why a connection is over. It never comes back: connect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Lost {
    /// The NATS connection broke.
    #[error("the NATS connection is closed")]
    NatsClosed,
    /// The streaming server has not answered for too long.
    #[error("the NATS Streaming server left {unanswered} pings in a row without answer")]
    PingsUnanswered {
        /// How many.
        unanswered: u32,
    },
    /// The server does not know this connection: it restarted with a memory store, it dropped us after missed heartbeats, or
    /// another process took the client id. After that no request may be sent that carries only the client id: a close
    /// would hit the new holder.
    #[error(
        "the NATS Streaming server no longer knows this connection: it forgot its clients, or another process took the client id"
    )]
    Forgotten,
    /// It was closed or dropped here.
    #[error("the connection was closed")]
    Closed,
}

/// Why a close is not proven. Nothing is lost: what was acked and not proven may come again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the last acks are not proven to have arrived, so their messages may come again: {0}")]
pub struct CloseError(#[from] pub NoAnswer);
