//! A document of an order and the message that it came from.

use sha2::{Digest, Sha256};

use super::plan::Accepted;

/// A row of `orders` as it is before the batch. Its document stays in the database: the documents of all uids of a batch
/// may be a thousand times as large as the batch.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) id: i64,
    pub(super) order_uid: String,
    pub(super) message_id: String,
    pub(super) source: String,
    pub(super) channel: String,
    pub(super) sequence: i64,
    pub(super) published_at_ns: i64,
    pub(super) document: Fingerprint,
}

/// What tells a stored document from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// In bytes.
    pub(super) length: usize,
    pub(super) sha256: [u8; 32],
}

impl Fingerprint {
    /// Of these bytes.
    pub(super) fn of(document: &[u8]) -> Self {
        Self { length: document.len(), sha256: Sha256::digest(document).into() }
    }

    fn matches(&self, document: &[u8]) -> bool {
        self.length == document.len() && *self == Self::of(document)
    }
}

/// Where the bytes of a document are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Document<'a> {
    /// In this row of `orders`, until the batch overwrites it.
    Stored(i64, Fingerprint),
    /// In a message of the batch.
    Held(&'a [u8]),
}

impl<'a> Document<'a> {
    /// The row that holds it, if one does.
    pub(super) fn row(&self) -> Option<i64> {
        match self {
            Self::Stored(id, _) => Some(*id),
            Self::Held(_) => None,
        }
    }

    /// The bytes, if the batch has them.
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Stored(..) => None,
            Self::Held(bytes) => Some(bytes),
        }
    }

    /// Whether these are its bytes.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Stored(_, fingerprint) => fingerprint.matches(bytes),
            Self::Held(held) => *held == bytes,
        }
    }
}

/// A document of an order with the message that it came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version<'a> {
    pub(super) order_uid: &'a str,
    pub(super) message_id: &'a str,
    pub(super) source: &'a str,
    pub(super) channel: &'a str,
    pub(super) sequence: i64,
    pub(super) published_at_ns: i64,
    pub(super) document: Document<'a>,
}

impl<'a> Version<'a> {
    /// What a row holds before the batch.
    pub(super) fn stored(current: &'a Current) -> Self {
        Self {
            order_uid: &current.order_uid,
            message_id: &current.message_id,
            source: &current.source,
            channel: &current.channel,
            sequence: current.sequence,
            published_at_ns: current.published_at_ns,
            document: Document::Stored(current.id, current.document),
        }
    }

    /// What a message of the batch says.
    pub(super) fn of<O>(accepted: &Accepted<'a, O>) -> Self {
        let Accepted { message, order_uid, .. } = accepted;
        Self {
            order_uid,
            message_id: &message.message_id,
            source: message.source.as_str(),
            channel: &message.channel,
            sequence: message.sequence,
            published_at_ns: message.published_at_ns,
            document: Document::Held(&message.payload),
        }
    }

    /// The total order of messages. The message_id breaks a tie, so that the size of a batch decides nothing.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        self.place() > other.place()
    }

    /// What messages are ordered by.
    pub(super) fn place(&self) -> (i64, i64, &'a str) {
        (self.published_at_ns, self.sequence, self.message_id)
    }
}
