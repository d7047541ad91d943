use bytes::Bytes;
use time::OffsetDateTime;

use super::SourceKind;

/// A row of `orders` without its document, which may hold personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderArrival {
    /// The order's uid.
    pub order_uid: String,
    /// How the message that it says came in.
    pub source: SourceKind,
    /// The channel of the source.
    pub channel: String,
    /// Its sequence in the channel.
    pub sequence: i64,
    /// Nanoseconds since the Unix epoch.
    pub published_at_ns: i64,
    /// When the order was written, or replaced.
    pub updated_at: OffsetDateTime,
}

/// A row of `order_history`: a document that was replaced, or came too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerDocument {
    /// The row's id; newer ones have greater ids.
    pub id: i64,
    /// Identity of the message.
    pub message_id: String,
    /// How it came in.
    pub source: SourceKind,
    /// The channel of the source.
    pub channel: String,
    /// Its sequence in the channel.
    pub sequence: i64,
    /// Nanoseconds since the Unix epoch.
    pub published_at_ns: i64,
    /// When another one took its place, or it came too late.
    pub replaced_at: OffsetDateTime,
    /// The payload, byte for byte.
    pub document: Bytes,
}
