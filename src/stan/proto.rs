//! The messages of the STAN wire protocol: proto3, package `pb`.
//!
//! Written by hand after `pb/protocol.proto` of stan.go v0.10.4, so that no build needs `protoc`. Fields that the
//! server never reads or never sets are left out; prost skips what it doesn't know.

use bytes::Bytes;
use prost::Message;

/// Client to server: registers a client id. Sent to `_STAN.discover.<cluster id>`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ConnectRequest {
    #[prost(string, tag = "1")]
    pub(super) client_id: String,
    #[prost(string, tag = "2")]
    pub(super) heartbeat_inbox: String,
    #[prost(int32, tag = "3")]
    pub(super) protocol: i32,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) connection_id: Bytes,
    /// Seconds.
    #[prost(int32, tag = "5")]
    pub(super) ping_interval: i32,
    #[prost(int32, tag = "6")]
    pub(super) ping_max_out: i32,
}

/// The subjects to use from now on. They are never built by the client: old file stores hold others.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ConnectResponse {
    #[prost(string, tag = "1")]
    pub(super) publish_prefix: String,
    #[prost(string, tag = "2")]
    pub(super) subscribe_requests: String,
    #[prost(string, tag = "4")]
    pub(super) close_requests: String,
    #[prost(string, tag = "5")]
    pub(super) error: String,
    #[prost(string, tag = "6")]
    pub(super) subscription_close_requests: String,
    #[prost(string, tag = "7")]
    pub(super) ping_requests: String,
}

/// Client to server: one message to store. The server stores by `channel`, not by the NATS subject.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct PublishRequest {
    #[prost(string, tag = "1")]
    pub(super) client_id: String,
    /// Must not be empty.
    #[prost(string, tag = "2")]
    pub(super) guid: String,
    #[prost(string, tag = "3")]
    pub(super) channel: String,
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) data: Bytes,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) connection_id: Bytes,
}

/// Server to client: the message is stored, unless `error` says otherwise.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct PublishAck {
    #[prost(string, tag = "1")]
    pub(super) guid: String,
    #[prost(string, tag = "2")]
    pub(super) error: String,
}

/// Server to client: one stored message.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Delivery {
    #[prost(uint64, tag = "1")]
    pub(super) sequence: u64,
    #[prost(string, tag = "2")]
    pub(super) channel: String,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) data: Bytes,
    /// Nanoseconds since the epoch by the server's clock.
    #[prost(int64, tag = "5")]
    pub(super) timestamp: i64,
    #[prost(bool, tag = "6")]
    pub(super) redelivered: bool,
    #[prost(uint32, tag = "7")]
    pub(super) redelivery_count: u32,
}

/// Client to server: one message is done with.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Ack {
    #[prost(string, tag = "1")]
    pub(super) channel: String,
    #[prost(uint64, tag = "2")]
    pub(super) sequence: u64,
}

/// Client to server: is this connection still registered? The only request but `PublishRequest` that carries its id.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Ping {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) connection_id: Bytes,
}

/// Server to client: empty when the connection is registered.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct PingResponse {
    #[prost(string, tag = "1")]
    pub(super) error: String,
}

/// Client to server: deliver a channel to `inbox`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct SubscriptionRequest {
    #[prost(string, tag = "1")]
    pub(super) client_id: String,
    #[prost(string, tag = "2")]
    pub(super) channel: String,
    #[prost(string, tag = "3")]
    pub(super) queue_group: String,
    #[prost(string, tag = "4")]
    pub(super) inbox: String,
    #[prost(int32, tag = "5")]
    pub(super) max_in_flight: i32,
    /// Seconds.
    #[prost(int32, tag = "6")]
    pub(super) ack_wait: i32,
    #[prost(string, tag = "7")]
    pub(super) durable: String,
    #[prost(enumeration = "StartPosition", tag = "10")]
    pub(super) start: i32,
    #[prost(uint64, tag = "11")]
    pub(super) start_sequence: u64,
    /// Nanoseconds before now.
    #[prost(int64, tag = "12")]
    pub(super) start_time_delta: i64,
}

/// Where a new subscription, or a new durable, begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum StartPosition {
    NewOnly = 0,
    LastReceived = 1,
    TimeDelta = 2,
    Sequence = 3,
    First = 4,
}

/// Server to client: where the acks go. Also the answer to an [`UnsubscribeRequest`]. There is no field 1.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct SubscriptionResponse {
    #[prost(string, tag = "2")]
    pub(super) ack_inbox: String,
    #[prost(string, tag = "3")]
    pub(super) error: String,
}

/// Client to server: ends a subscription. Sent to the sub-close subject only, which keeps a durable.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct UnsubscribeRequest {
    #[prost(string, tag = "1")]
    pub(super) client_id: String,
    #[prost(string, tag = "2")]
    pub(super) channel: String,
    /// The ack inbox, or the delivery inbox when the ack inbox never arrived.
    #[prost(string, tag = "3")]
    pub(super) inbox: String,
}

/// Client to server: ends whatever connection holds this client id.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct CloseRequest {
    #[prost(string, tag = "1")]
    pub(super) client_id: String,
}

/// Server to client: empty when closed.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct CloseResponse {
    #[prost(string, tag = "1")]
    pub(super) error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(message: &impl Message) -> Vec<u8> {
        message.encode_to_vec()
    }

    #[test]
    fn field_numbers_are_those_of_the_protocol() {
        let publish = PublishRequest {
            client_id: "c".into(),
            guid: "g".into(),
            channel: "s".into(),
            data: Bytes::from_static(b"d"),
            connection_id: Bytes::from_static(b"i"),
        };
        assert_eq!(wire(&publish), b"\x0a\x01c\x12\x01g\x1a\x01s\x2a\x01d\x32\x01i");
        let ack = Ack { channel: "s".into(), sequence: 300 };
        assert_eq!(wire(&ack), b"\x0a\x01s\x10\xac\x02");
        let subscribe = SubscriptionRequest {
            client_id: "c".into(),
            channel: "s".into(),
            queue_group: "q".into(),
            inbox: "i".into(),
            max_in_flight: 1,
            ack_wait: 2,
            durable: "d".into(),
            start: StartPosition::First.into(),
            start_sequence: 5,
            start_time_delta: 6,
        };
        assert_eq!(
            wire(&subscribe),
            b"\x0a\x01c\x12\x01s\x1a\x01q\x22\x01i\x28\x01\x30\x02\x3a\x01d\x50\x04\x58\x05\x60\x06"
        );
        let connect = ConnectRequest {
            client_id: "c".into(),
            heartbeat_inbox: "h".into(),
            protocol: 1,
            connection_id: Bytes::from_static(b"i"),
            ping_interval: 5,
            ping_max_out: 88,
        };
        assert_eq!(wire(&connect), b"\x0a\x01c\x12\x01h\x18\x01\x22\x01i\x28\x05\x30\x58");
    }

    #[test]
    fn a_delivery_shares_the_buffer_it_came_in_and_skips_unknown_fields() {
        // sequence 7, channel "s", reply "r" (unknown here), data "data", timestamp 9, redelivered, count 2, CRC32 1
        let frame =
            Bytes::from_static(b"\x08\x07\x12\x01s\x1a\x01r\x22\x04data\x28\x09\x30\x01\x38\x02\x50\x01");
        let delivery = Delivery::decode(frame.clone()).expect("a sound frame");
        let expected = Delivery {
            sequence: 7,
            channel: "s".into(),
            data: Bytes::from_static(b"data"),
            timestamp: 9,
            redelivered: true,
            redelivery_count: 2,
        };
        assert_eq!(delivery, expected);
        assert!(frame.as_ptr_range().contains(&delivery.data.as_ptr()), "the payload was copied");
    }

    #[test]
    fn an_empty_answer_is_success() {
        assert_eq!(SubscriptionResponse::decode(Bytes::new()).expect("empty").error, "");
        assert_eq!(PingResponse::decode(Bytes::new()).expect("empty").error, "");
    }
}
