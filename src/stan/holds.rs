//! What must hold for any bytes that a STAN server, or what calls itself one, may send.

use std::fmt::Debug;

use async_nats::StatusCode;
use bytes::Bytes;
use prost::Message;

use super::{
    Outcome,
    proto::{
        Ack, CloseRequest, CloseResponse, ConnectRequest, ConnectResponse, Delivery, Ping, PingResponse,
        PublishAck, PublishRequest, SubscriptionRequest, SubscriptionResponse, UnsubscribeRequest,
    },
    publish::{NotStored, outcome},
};

/// All that must hold for a payload, whatever message it is taken for. It panics where it doesn't.
pub(crate) fn holds(payload: &[u8]) {
    let payload = Bytes::copy_from_slice(payload);
    for same_again in [
        same_again::<ConnectRequest>,
        same_again::<ConnectResponse>,
        same_again::<PublishRequest>,
        same_again::<PublishAck>,
        same_again::<Delivery>,
        same_again::<Ack>,
        same_again::<Ping>,
        same_again::<PingResponse>,
        same_again::<SubscriptionRequest>,
        same_again::<SubscriptionResponse>,
        same_again::<UnsubscribeRequest>,
        same_again::<CloseRequest>,
        same_again::<CloseResponse>,
    ] {
        same_again(&payload);
    }
    as_the_ack_of_a_publish(&payload);
}

/// A message counts as stored only by an answer that names it, and never by a 503, which says that nobody listens.
fn as_the_ack_of_a_publish(payload: &Bytes) {
    let ack = |status| async_nats::Message {
        subject: "acks.1".into(),
        reply: None,
        payload: payload.clone(),
        headers: None,
        status,
        description: None,
        length: payload.len(),
    };
    if outcome(&ack(None)) == Outcome::Stored {
        let answer = PublishAck::decode(payload.clone()).expect("it was read");
        assert!(!answer.guid.is_empty() && answer.error.is_empty(), "{answer:?}");
    }
    assert_eq!(outcome(&ack(Some(StatusCode::NO_RESPONDERS))), Outcome::NotStored(NotStored::NoServer));
}

/// What can be read is read the same after it was written again. Nothing at all is a message whose fields all have their
/// defaults: proto3 writes none of those.
fn same_again<M: Message + Default + PartialEq + Debug>(payload: &Bytes) {
    let Ok(message) = M::decode(payload.clone()) else {
        assert!(!payload.is_empty());
        return;
    };
    if payload.is_empty() {
        assert_eq!(message, M::default());
    }
    let written = message.encode_to_vec();
    assert_eq!(written.len(), message.encoded_len());
    assert_eq!(M::decode(Bytes::from(written)).as_ref(), Ok(&message));
}
