//! One connection to a streaming server, from the connect request to its end.

use std::{
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::{Duration, Instant},
};

use async_nats::Client;
use bytes::Bytes;
use prost::Message as _;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    ack,
    error::{CloseError, ConnectError, Lost, NoAnswer, SubscribeError},
    options::Options,
    ping, proto,
    publish::{self, NotStored, Outcome, Publishing, Window},
    session::{self, Session, unique},
    subscription::{SubscribeOptions, Subscription},
};
use crate::nats;

/// The version of the protocol that knows connection ids and pings.
const PROTOCOL: i32 = 1;

/// One registration of a client id, on one NATS connection. When it is over it stays over: connect again.
///
/// Dropping it ends its tasks and its NATS connection at once, with whatever acks and publishes are still queued. Use
/// [`close`](Self::close) to end it in order.
#[derive(Debug)]
pub struct Connection {
    session: Arc<Session>,
}

impl Connection {
    /// Connects to NATS, registers the client id, and starts to answer heartbeats and to ping.
    pub async fn connect(options: &Options) -> Result<Self, ConnectError> {
        Self::connect_counting(options, Arc::default()).await
    }

    /// As `connect`; what is dropped is counted in `dropped`.
    pub(super) async fn connect_counting(
        options: &Options,
        dropped: Arc<AtomicU64>,
    ) -> Result<Self, ConnectError> {
        let client = nats::connect(&options.nats, &options.client_id, &dropped).await?;
        let broken = |error: async_nats::SubscribeError| ConnectError::NoServer {
            cluster_id: options.cluster_id.clone(),
            reason: NoAnswer::Broken(error.to_string()),
        };
        let heartbeat_inbox = client.new_inbox();
        let heartbeats = client.subscribe(heartbeat_inbox.clone()).await.map_err(broken)?;
        let publish_replies = format!("_STAN.acks.{}", unique());
        let publish_acks = client.subscribe(format!("{publish_replies}.*")).await.map_err(broken)?;
        // New for every connection, and never used again: it is how the server tells us from our successor.
        let connection_id = Bytes::from(unique());
        let subjects = register(&client, options, heartbeat_inbox, connection_id.clone()).await?;

        let (acks, ack_queue) = mpsc::channel(ack::QUEUE);
        let session = Arc::new(Session {
            client,
            options: options.clone(),
            connection_id,
            subjects,
            acks,
            window: Window::new(publish_replies, options.publish_window),
            tasks: TaskTracker::new(),
            ended: CancellationToken::new(),
            suspicion: Notify::new(),
            lost: watch::Sender::new(None),
            dropped,
            last_answer: Mutex::new(Instant::now()),
        });
        let tasks = &session.tasks;
        tasks.spawn(ping::answer_heartbeats(Arc::clone(&session), heartbeats));
        tasks.spawn(ping::ping(Arc::clone(&session)));
        tasks.spawn(publish::settle_publishes(Arc::clone(&session), publish_acks));
        tasks.spawn(ack::write(Arc::clone(&session), ack_queue));
        Ok(Self { session })
    }

    /// Publishes and waits for the outcome. Takes at most twice the publish time-out, whatever happens.
    pub async fn publish(&self, channel: &str, data: Bytes) -> Outcome {
        match self.start_publish(channel, data).await {
            Ok(publishing) => publishing.await,
            Err(not_stored) => Outcome::NotStored(not_stored),
        }
    }

    /// Publishes without waiting for the outcome, only for a place in the window. Messages whose calls follow each other are
    /// stored in that order. An error means that it was not sent.
    pub async fn start_publish(&self, channel: &str, data: Bytes) -> Result<Publishing, NotStored> {
        self.session.start_publish(channel, data).await
    }

    /// Subscribes. When the answer does not come in time, the server is asked to close what it may have opened.
    pub async fn subscribe(&self, options: &SubscribeOptions) -> Result<Subscription, SubscribeError> {
        self.session.subscribe(options).await
    }

    /// A round trip to the streaming server: proof that it knows this connection, and that every ack made before
    /// is on its way to it within NATS. A [`close`](Self::close) also waits until they are applied.
    pub async fn ping(&self) -> Result<(), NoAnswer> {
        self.session.prove_acks().await
    }

    /// Resolves when the connection is over.
    pub async fn lost(&self) -> Lost {
        let mut lost = self.session.lost.subscribe();
        let reason = lost.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
        reason.unwrap_or(Lost::Closed)
    }

    /// The live facts of this connection.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Ends the connection: acks are sent and proven by a ping, then the server is told. Its durables stay. Publishes that
    /// still wait for their ack end as unknown. After `deadline` the connection is dropped as it is.
    ///
    /// The server is told only after the ping: the close request carries nothing but the client id, and without the proof that
    /// it is still ours it could end the connection of another process.
    pub async fn close(self, deadline: Duration) -> Result<(), CloseError> {
        let session = &self.session;
        let request = proto::CloseRequest { client_id: session.options.client_id.clone() };
        let in_order = async {
            session.prove_acks().await?;
            let answer = session.request(&session.subjects.close_requests, &request).await?;
            let answer: proto::CloseResponse = session::decode(answer)?;
            if answer.error.is_empty() { Ok(()) } else { Err(NoAnswer::Broken(answer.error)) }
        };
        let closed = tokio::time::timeout(deadline, in_order).await;
        session.end(Lost::Closed);
        session.tasks.close();
        session.tasks.wait().await;
        closed.unwrap_or(Err(NoAnswer::TimedOut(deadline))).map_err(CloseError)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.end(Lost::Closed);
    }
}

/// Sends the connect request. On an error nothing is closed: the server drops what it may have registered as soon as the
/// id is asked for again and the inbox is gone.
async fn register(
    client: &Client,
    options: &Options,
    heartbeat_inbox: String,
    connection_id: Bytes,
) -> Result<proto::ConnectResponse, ConnectError> {
    let request = proto::ConnectRequest {
        client_id: options.client_id.clone(),
        heartbeat_inbox,
        protocol: PROTOCOL,
        connection_id,
        ping_interval: i32::try_from(options.ping_interval.as_secs()).unwrap_or(i32::MAX),
        ping_max_out: i32::try_from(options.ping_max_out).unwrap_or(i32::MAX),
    };
    let subject = format!("_STAN.discover.{}", options.cluster_id);
    let no_server = |reason| ConnectError::NoServer { cluster_id: options.cluster_id.clone(), reason };
    let answer =
        session::request(client, &subject, &request, options.request_timeout).await.map_err(no_server)?;
    let response = proto::ConnectResponse::decode(answer)
        .map_err(|error| ConnectError::Refused(format!("its answer can't be decoded: {error}")))?;
    match response.error.as_str() {
        "" if response.ping_requests.is_empty() || response.subscription_close_requests.is_empty() => {
            Err(ConnectError::TooOld)
        }
        "" => Ok(response),
        "stan: clientID already registered" => {
            Err(ConnectError::ClientIdInUse { client_id: options.client_id.clone() })
        }
        error => Err(ConnectError::Refused(error.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// More answers than any socket buffer and queue on the way can take.
    const HEARTBEATS: usize = 30_000;

    /// Registers one client, sends it heartbeats whose answers are some 1,000 bytes each, and then reads nothing any more.
    async fn stuck_server(listener: TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let info =
            r#"INFO {"server_id":"stuck","version":"2.10.0","proto":1,"max_payload":1048576,"headers":true}"#;
        stream.write_all(format!("{info}\r\n").as_bytes()).await.expect("send");
        let mut stream = BufReader::new(stream);
        let mut subscriptions = Vec::new();
        loop {
            let mut line = String::new();
            assert!(stream.read_line(&mut line).await.expect("read") > 0, "the client went away");
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["PING"] => stream.write_all(b"PONG\r\n").await.expect("send"),
                ["SUB", subject, id] => subscriptions.push((subject.to_owned(), id.to_owned())),
                ["PUB", "_STAN.discover.c", reply, _] => {
                    let answers_to =
                        |(subject, _): &&(String, String)| reply.starts_with(subject.trim_end_matches('*'));
                    let (_, id) = subscriptions.iter().find(answers_to).expect("it waits for the answer");
                    let answer = proto::ConnectResponse {
                        ping_requests: "pings".into(),
                        subscription_close_requests: "closes".into(),
                        ..Default::default()
                    };
                    let answer = answer.encode_to_vec();
                    let head = format!("MSG {reply} {id} {}\r\n", answer.len());
                    stream.write_all(head.as_bytes()).await.expect("send");
                    stream.write_all(&answer).await.expect("send");
                    stream.write_all(b"\r\n").await.expect("send");
                    break;
                }
                _ => {}
            }
        }
        // The first subscription is the heartbeat inbox.
        let (inbox, id) = &subscriptions[0];
        let heartbeat = format!("MSG {inbox} {id} {} 0\r\n\r\n", "x".repeat(1000));
        for _ in 0..HEARTBEATS {
            stream.write_all(heartbeat.as_bytes()).await.expect("send");
        }
        stream.into_inner()
    }

    #[tokio::test]
    async fn a_close_keeps_its_deadline_on_a_link_that_takes_nothing() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind");
        let url = format!("nats://{}", listener.local_addr().expect("an address"));
        let options = Options::new([url], "c", "me").expect("sound");
        let (connection, _open) = tokio::join!(Connection::connect(&options), stuck_server(listener));
        let closing = connection.expect("registered").close(Duration::from_millis(200));
        let closed =
            tokio::time::timeout(Duration::from_secs(20), closing).await.expect("the deadline is 0.2 s");
        closed.expect_err("nothing was proven");
    }
}
