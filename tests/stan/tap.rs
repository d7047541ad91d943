//! What NATS sees of a client, and requests as any other client could send them. The messages are those of protocol.proto of
//! stan.go, with the fields that tests look at.

use async_nats::Subscriber;
use bytes::Bytes;
use futures_util::StreamExt;
use prost::Message as _;

use super::within;
use crate::support::stan_server::StanServer;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PubMsg {
    #[prost(string, tag = "1")]
    pub(super) client_id: String,
    #[prost(string, tag = "2")]
    pub(super) guid: String,
    #[prost(string, tag = "3")]
    pub(super) channel: String,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) connection_id: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Ping {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) connection_id: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ConnectRequest {
    #[prost(string, tag = "1")]
    pub(super) client_id: String,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) connection_id: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SubscriptionRequest {
    #[prost(string, tag = "1")]
    pub(super) client_id: String,
    #[prost(string, tag = "2")]
    pub(super) channel: String,
    #[prost(string, tag = "4")]
    pub(super) inbox: String,
    #[prost(string, tag = "7")]
    pub(super) durable: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct UnsubscribeRequest {
    #[prost(string, tag = "1")]
    pub(super) client_id: String,
    #[prost(string, tag = "2")]
    pub(super) channel: String,
    #[prost(string, tag = "3")]
    pub(super) inbox: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CloseRequest {
    #[prost(string, tag = "1")]
    pub(super) client_id: String,
}

/// `SubscriptionResponse`, which also answers the ends of subscriptions.
#[derive(Clone, PartialEq, prost::Message)]
struct SubscriptionResponse {
    #[prost(string, tag = "3")]
    error: String,
}

/// A NATS connection that hears what is sent to some subjects, in the order in which NATS got it.
pub(super) struct Tap {
    client: async_nats::Client,
    heard: Subscriber,
}

impl Tap {
    /// Hears `subject`, which may have wildcards.
    pub(super) async fn on(server: &StanServer, subject: &str) -> Self {
        let client = async_nats::connect(server.url()).await.unwrap();
        let heard = client.subscribe(subject.to_owned()).await.unwrap();
        // A round trip: NATS has the subscription before anything is sent to it.
        within(client.request("nobody-listens", Bytes::new())).await.expect_err("nobody listens");
        Self { client, heard }
    }

    /// The next request: its subject without the cluster id and what follows it, and its bytes.
    pub(super) async fn next(&mut self) -> (String, Bytes) {
        let message = within(self.heard.next()).await.expect("NATS is there");
        let kind = message.subject.split(".test-cluster").next().expect("split yields something");
        let kind = if message.subject.ends_with(".pings") { "_STAN.pings" } else { kind };
        (kind.to_owned(), message.payload)
    }

    /// Passes over what is not of this kind.
    pub(super) async fn next_of<M: prost::Message + Default>(&mut self, kind: &str) -> M {
        loop {
            let (found, payload) = self.next().await;
            if found == kind {
                return M::decode(payload).unwrap();
            }
        }
    }

    /// Sends a request and returns the bytes of the answer.
    pub(super) async fn request(&self, subject: &str, message: &impl prost::Message) -> Bytes {
        let payload = message.encode_to_vec().into();
        within(self.client.request(subject.to_owned(), payload)).await.unwrap().payload
    }

    /// Asks for the end of a subscription and returns the server's words; none when it is ended.
    pub(super) async fn end(&self, subject: &str, request: &UnsubscribeRequest) -> String {
        SubscriptionResponse::decode(self.request(subject, request).await).unwrap().error
    }

    /// Answers the next request with an error, as if it were the server.
    pub(super) async fn refuse_next(&mut self, error: &str) {
        let request = within(self.heard.next()).await.expect("NATS is there");
        let answer = SubscriptionResponse { error: error.to_owned() };
        self.publish(&request.reply.expect("it is a request"), answer.encode_to_vec().into()).await;
    }

    /// Sends a message that needs no answer.
    pub(super) async fn publish(&self, subject: &str, payload: Bytes) {
        self.client.publish(subject.to_owned(), payload).await.unwrap();
    }
}
